"""OpenVPN: a TLS hello inside the control channel."""
from .flows import CLIENT, SERVER, Tcp, Udp, case
from .tls import Hello

SNI = "tls.client.server_name"
OURS, THEIRS = b"sessionA", b"sessionB"
RESET_CLIENT, RESET_SERVER, CONTROL, ACK, DATA = 0x38, 0x40, 0x20, 0x28, 0x48


def added(number, hmac):
    """What tls-auth adds: an HMAC (nobody here checks it), a packet number and a time."""
    return bytes(0x90 + i for i in range(hmac)) + number.to_bytes(4, "big") + bytes.fromhex("5e3e7b98") if hmac else b""


def packet(opcode, session, tail, number=1, hmac=20):
    return bytes([opcode]) + session + added(number, hmac) + tail


def acked(*numbers, of):
    return bytes([len(numbers)]) + b"".join(n.to_bytes(4, "big") for n in numbers) + (of if numbers else b"")


def control(part, number, hmac):
    return packet(CONTROL, OURS, acked(0, of=THEIRS) + number.to_bytes(4, "big") + part, number + 2, hmac)


def resets(hmac):
    return packet(RESET_CLIENT, OURS, bytes(5), 1, hmac), packet(RESET_SERVER, THEIRS, acked(0, of=OURS) + bytes(4), 1, hmac)


def framed(data):
    return len(data).to_bytes(2, "big") + data


@case("openvpn-udp.pcap", "OpenVPN over UDP: a TLS hello over control packets, in order; out of order, sent twice, with tls-auth")
def _(c):
    data = Hello("www.evil.example").records()
    for port, hmac, order in ((51000, 0, (1, 2, 3)), (51001, 20, (3, 1, 3, 2)), (51002, 64, (2, 3, 1))):
        f = Udp(c, CLIENT, SERVER, port, 1194)
        ours, theirs = resets(hmac)
        f.send(ours)
        f.send(theirs, back=True)
        f.send(packet(ACK, OURS, acked(0, of=THEIRS), 2, hmac))
        parts = {n: control(data[(n - 1) * 90:n * 90 if n < 3 else None], n, hmac) for n in (1, 2, 3)}
        for n in order:
            last = f.send(parts[n])
        c.hit("name", SNI, last, f)
        f.send(bytes([DATA, 0, 0, 0]) + bytes(80))


@case("openvpn-tcp.pcap", "the same over TCP on port 443, and in segments of three bytes")
def _(c):
    data = Hello("www.evil.example").records()
    for port, size in ((49152, None), (49153, 3)):
        f = Tcp(c, CLIENT, SERVER, port, 443)
        f.open()
        ours, theirs = resets(20)
        f.send(framed(ours), size)
        f.reply(framed(theirs), size)
        f.send(framed(control(data[:100], 1, 20)))
        c.hit("name", SNI, f.send(framed(control(data[100:], 2, 20)), size), f)

"""QUIC: the client's hello in Initial packets."""
from . import quic, tls
from .flows import CLIENT, SERVER, Udp, case
from .tls import Hello

SNI = "tls.client.server_name"
BAD = "www.evil.example"


def flow(capture, sport=50000, dport=443):
    return Udp(capture, CLIENT, SERVER, sport, dport)


def hello(name, **offers):
    return Hello(name, alpn=("h3",), **offers).handshake()


def whole(stream, google=False):
    return quic.crypto(stream, 0, len(stream), google)


def answer(f, version=quic.V1):
    """What a server says first: Initial and Handshake in one datagram; then both sides are sealed."""
    first = quic.initial(whole(b"\x02\0\0\x26\x03\x03" + bytes(36)), version, quic.CLIENT_ID, number=0, source=quic.SERVER_ID, side="server", size=0)
    f.send(first + quic.opaque(quic.HANDSHAKE, version, quic.CLIENT_ID, quic.SERVER_ID), back=True)
    f.send(quic.opaque(quic.HANDSHAKE, version, quic.SERVER_ID) + quic.short(30))
    f.send(quic.short(200), back=True)
    f.send(quic.short(50))


@case("quic-sni.pcap", "QUIC version 1: a listed name in the client's Initial packet, the server's answer, sealed packets; near misses")
def _(c):
    f = flow(c)
    c.hit("name", SNI, f.send(quic.initial(whole(hello(BAD)))), f)
    answer(f)
    for port, name in enumerate(("notevil.example", "evil.example.good.example"), 50001):
        flow(c, port).send(quic.initial(whole(hello(name))))


@case("quic-versions.pcap", "the same in version 2, draft 29, mvfst and T051, on other ports")
def _(c):
    for port, version in enumerate((quic.V2, quic.DRAFT_29, quic.MVFST, quic.T051), 50000):
        f = flow(c, port, 8443)
        c.hit("name", SNI, f.send(quic.initial(whole(hello(BAD), version == quic.T051), version)), f)
        answer(f, version)


@case("quic-fingerprint.pcap", "a hello with a listed JA3, and its JA4 over QUIC; the same with one more cipher")
def _(c):
    f = flow(c)
    frame = f.send(quic.initial(whole(tls.EVIL.handshake())))
    c.hit("ja3", "tls.client.ja3", frame, f)
    c.hit("ja4-quic", "tls.client.ja4", frame, f)
    flow(c, 50001).send(quic.initial(whole(Hello("www.good.example", [*tls.BAD, 0x002F]).handshake())))


@case("quic-split.pcap", "a post-quantum hello over two datagrams: in order, the second first, with 0-RTT between, scrambled into small frames")
def _(c):
    data = hello(BAD, share=1216)
    first = quic.initial(quic.crypto(data, 0, 1000))
    second = quic.initial(quic.crypto(data, 1000, len(data)), number=1)
    f = flow(c)
    f.send(first)
    c.hit("name", SNI, f.send(second), f)
    f = flow(c, 50001)
    f.send(second)
    c.hit("name", SNI, f.send(first), f)
    f = flow(c, 50002)
    f.send(quic.initial(quic.crypto(data, 0, 1000), size=0) + quic.opaque(quic.ZERO_RTT))
    f.send(quic.opaque(quic.ZERO_RTT, size=300))
    c.hit("name", SNI, f.send(second), f)
    cuts = list(range(0, len(data), 90)) + [len(data)]
    pieces = [quic.crypto(data, a, b) for a, b in zip(cuts, cuts[1:])]
    f = flow(c, 50003)
    f.send(quic.initial(b"\0\1" + b"".join(pieces[1::2][::-1]), size=0))
    c.hit("name", SNI, f.send(quic.initial(b"\1".join(pieces[0::2][::-1]), number=1, size=0)), f)


@case("quic-retry.pcap", "half a hello, a Retry, the whole hello under the keys of the new id; an answer whose id changes no keys")
def _(c):
    data = hello(BAD)
    f = flow(c)
    f.send(quic.initial(quic.crypto(data, 0, 90)))
    f.send(quic.long_header(quic.RETRY, quic.V1, quic.CLIENT_ID, b"another id") + b"token" + bytes(16), back=True)
    c.hit("name", SNI, f.send(quic.initial(whole(data), to=b"another id", ident=b"another id", number=1, token=b"token")), f)
    f = flow(c, 50001)
    f.send(quic.initial(quic.crypto(data, 0, 90)))
    c.hit("name", SNI, f.send(quic.initial(quic.crypto(data, 90, len(data)), to=quic.SERVER_ID, number=1)), f)


@case("quic-negotiation.pcap", "a version that is refused: the hello comes in another, under a new id; and one that changes on the way")
def _(c):
    data = hello(BAD)
    f = flow(c)
    f.send(quic.long_header(quic.INITIAL, 0x1A2A3A4A, quic.ORIGINAL, quic.CLIENT_ID) + quic.varint(1170) + bytes(1170))
    offer = b"".join(v.to_bytes(4, "big") for v in (0x5A6A7A8A, quic.V2, quic.V1))
    f.send(quic.long_header(quic.INITIAL, 0, quic.CLIENT_ID, quic.ORIGINAL) + offer, back=True)
    c.hit("name", SNI, f.send(quic.initial(whole(data), quic.V2, b"chosen anew", b"chosen anew")), f)
    f = flow(c, 50001)
    f.send(quic.initial(quic.crypto(data, 0, 90)))
    c.hit("name", SNI, f.send(quic.initial(quic.crypto(data, 90, len(data)), quic.V2, quic.SERVER_ID, number=1)), f)


@case("quic-loss.pcap", "a hello whose last bytes are lost: its name is shown when the client goes on; junk before the rest hides nothing")
def _(c):
    data = hello(BAD)
    f = flow(c)
    f.send(quic.initial(quic.crypto(data, 0, len(data) - 9)))
    c.hit("name", SNI, f.send(quic.opaque(quic.HANDSHAKE, to=quic.SERVER_ID)), f)
    f = flow(c, 50001)
    f.send(quic.initial(quic.crypto(data, 0, 50)))
    f.send(quic.short())
    f.send(quic.opaque(quic.HANDSHAKE, to=quic.SERVER_ID))
    c.hit("name", SNI, f.send(quic.initial(quic.crypto(data, 50, len(data)), number=1)), f)


@case("quic-garbage.pcap", "Initial packets that do not open: a changed byte, a cut, other keys, a frame that lies")
def _(c):
    packet = quic.initial(whole(hello(BAD)))
    flow(c).send(packet[:700] + bytes([packet[700] ^ 1]) + packet[701:])
    flow(c, 50001).send(packet[:600])
    flow(c, 50002).send(quic.initial(whole(hello(BAD)), ident=b"not that"))
    flow(c, 50003).send(quic.initial(b"\x06" + quic.varint(0) + quic.varint(5000) + b"evil.example"))
    flow(c, 50004).send(quic.initial(b"\x06" + quic.varint(0x3FFFFFFF) + quic.varint(12) + b"evil.example"))


@case("quic-incomplete.pcap", "half a hello and no more; half a hello, then all of it; half a hello twice: one is counted for each that never gets whole")
def _(c):
    data = hello(BAD, share=1216)
    half = quic.crypto(data, 0, 60)
    flow(c).send(quic.initial(half))
    f = flow(c, 50001)
    f.send(quic.initial(half))
    f.send(quic.initial(quic.crypto(data, 60, 1000), number=1))
    c.hit("name", SNI, f.send(quic.initial(quic.crypto(data, 1000, len(data)), number=2)), f)
    f = flow(c, 50002)
    f.send(quic.initial(half))
    f.send(quic.initial(half, number=1))

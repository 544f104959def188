"""Addresses, whatever the protocol."""
import struct

from . import dns, wire
from .flows import BAD, BAD6, CLIENT, CLIENT6, NET, OUTSIDE, PORTED, SERVER, SERVER6, Plain, Tcp, Udp, case


@case("addr-syn-only.pcap", "a SYN that is never answered, to a listed address; SYNs to its neighbours")
def _(c):
    for port, server in enumerate((BAD, "203.0.113.65", "203.0.113.67"), 49152):
        flow = Tcp(c, CLIENT, server, port)
        frame = flow.segment(flags=wire.SYN, seq=1000)
        if server == BAD:
            c.hit("addr", "destination.ip", frame, flow)


@case("addr-network.pcap", "first and last address of a listed /25, and the addresses beside it")
def _(c):
    for port, server in enumerate(("198.51.100.0", "198.51.100.127", "198.51.100.128", "198.51.99.255", OUTSIDE), 49152):
        flow = Tcp(c, CLIENT, server, port)
        frame = flow.segment(flags=wire.SYN, seq=1000)
        if port < 49154:
            c.hit("net", "destination.ip", frame, flow)


@case("addr-port.pcap", "address and port listed together: as responder, as originator, another port, the port at the other end, over UDP")
def _(c):
    flow = Tcp(c, CLIENT, PORTED, 49152, 4444)
    c.hit("port", "destination.ip", flow.segment(flags=wire.SYN, seq=1), flow)
    flow = Tcp(c, PORTED, CLIENT, 4444, 8080)
    c.hit("port", "source.ip", flow.segment(flags=wire.SYN, seq=1), flow)
    Tcp(c, CLIENT, PORTED, 49153, 4445).segment(flags=wire.SYN, seq=1)
    Tcp(c, CLIENT, PORTED, 4444, 80).segment(flags=wire.SYN, seq=1)
    flow = Udp(c, CLIENT, PORTED, 40000, 4444)
    c.hit("port", "destination.ip", flow.send(b"hello"), flow)


@case("addr-source.pcap", "a listed address as the originator, and the answer")
def _(c):
    flow = Tcp(c, BAD, SERVER, 40000, 22)
    c.hit("addr", "source.ip", flow.segment(flags=wire.SYN, seq=flow.isn[0]), flow)
    flow.segment(flags=wire.RST | wire.ACK, back=True, seq=0)


@case("addr-udp.pcap", "UDP to a listed network, three datagrams: one alert")
def _(c):
    flow = Udp(c, CLIENT, NET, 40000, 9999)
    c.hit("net", "destination.ip", flow.send(b"one"), flow)
    flow.send(b"two")
    flow.send(b"three", back=True)


@case("addr-icmp.pcap", "ICMP echo to and reply from a listed address")
def _(c):
    flow = Plain(c, CLIENT, BAD, wire.ICMP, (8, 0))
    c.hit("addr", "destination.ip", flow.send(wire.icmp_echo(CLIENT, BAD, 8)), flow)
    flow.send(wire.icmp_echo(BAD, CLIENT, 0), back=True)


@case("addr-icmp-quote.pcap", "ICMP port unreachable and time exceeded that quote packets to and from a listed address; an echo that only looks like one")
def _(c):
    quoted = wire.ip(CLIENT, BAD, wire.UDP, wire.udp(CLIENT, BAD, 40000, 53, dns.query("www.evil.example")))
    for kind, code, quote in ((3, 3, quoted), (11, 0, wire.ip(BAD, CLIENT, wire.TCP, bytes(8))), (8, 0, quoted)):
        body = struct.pack("!BBHI", kind, code, 0, 0) + quote
        body = body[:2] + struct.pack("!H", wire.checksum(body)) + body[4:]
        flow = Plain(c, SERVER, CLIENT, wire.ICMP, (kind, code))
        frame = flow.send(body)
        if kind != 8:
            c.hit("addr", f"icmp.quoted.{'destination' if kind == 3 else 'source'}.ip", frame, flow)


@case("addr-icmpv6-quote.pcap", "ICMPv6 packet too big that quotes a packet to a listed network; an address and port listed together")
def _(c):
    quoted = wire.ip(CLIENT6, BAD6, wire.UDP, wire.udp(CLIENT6, BAD6, 40000, 53, b"x"))
    body = struct.pack("!BBHI", 2, 0, 0, 1280) + quoted
    body = body[:2] + struct.pack("!H", wire.l4_checksum(SERVER6, CLIENT6, wire.ICMP6, body)) + body[4:]
    flow = Plain(c, SERVER6, CLIENT6, wire.ICMP6, (2, 0))
    c.hit("net6", "icmp.quoted.destination.ip", flow.send(body), flow)
    for port in (4444, 4445):
        quoted = wire.ip(CLIENT, PORTED, wire.TCP, wire.tcp(CLIENT, PORTED, 49152, port, 1, 0, wire.SYN)[:8])
        body = struct.pack("!BBHI", 3, 1, 0, 0) + quoted
        flow = Plain(c, SERVER, CLIENT, wire.ICMP, (3, 1))
        frame = flow.send(body[:2] + struct.pack("!H", wire.checksum(body)) + body[4:])
        if port == 4444:
            c.hit("port", "icmp.quoted.destination.ip", frame, flow)


@case("addr-icmpv6.pcap", "ICMPv6 echo into a listed IPv6 network")
def _(c):
    flow = Plain(c, CLIENT6, BAD6, wire.ICMP6, (128, 129))
    c.hit("net6", "destination.ip", flow.send(wire.icmp_echo(CLIENT6, BAD6, 128)), flow)


@case("addr-ipv6-extensions.pcap", "IPv6 with hop-by-hop, routing and destination options: UDP and TCP behind them")
def _(c):
    pad_n = b"\x01\x04\0\0\0\0"
    chain = ((0, pad_n), (60, pad_n), (43, b"\xfd\0\0\0\0\0"))
    flow = Udp(c, CLIENT6, BAD6, 40000, 53, chain)
    frame = flow.send(dns.query("www.evil.example"))
    c.hit("net6", "destination.ip", frame, flow)
    c.hit("name", "dns.question.name", frame, flow)
    flow = Tcp(c, CLIENT6, SERVER6, 49152, 80, extensions=((0, pad_n),))
    flow.open()
    c.hit("name", "url.domain", flow.send(b"GET / HTTP/1.1\r\nHost: www.evil.example\r\n\r\n"), flow)


@case("addr-ipv6-extension-flood.pcap", "sixty IPv6 destination options headers before UDP: past any cap, counted, no alert needed but for the address")
def _(c):
    flow = Udp(c, CLIENT6, SERVER6, 40000, 53, tuple((60, b"\x01\x04\0\0\0\0") for _ in range(60)))
    flow.send(dns.query("www.evil.example"))
    c.may += ["name"]


@case("addr-ecn-syn.pcap", "an ECN-setup SYN (SYN, ECE, CWR) still opens the connection; the listed address answers")
def _(c):
    flow = Tcp(c, CLIENT, BAD, 49152, 443)
    c.hit("addr", "destination.ip", flow.segment(flags=wire.SYN | wire.ECE | wire.CWR, seq=flow.isn[0]), flow)
    flow.segment(flags=wire.SYN | wire.ACK | wire.ECE, seq=flow.isn[1], back=True)


@case("addr-no-ports.pcap", "IP protocols without ports: GRE and OSPF to a listed address, an unknown one in a listed network")
def _(c):
    for protocol, server, payload in ((wire.GRE, BAD, b"\0\0\x88\xb5hello"), (wire.OSPF, BAD, b"\x02\x01" + bytes(42)), (253, NET, b"hello")):
        flow = Plain(c, CLIENT, server, protocol)
        c.hit("addr" if server == BAD else "net", "destination.ip", flow.send(payload), flow)


@case("addr-v4-options.pcap", "IPv4 header with options (length 6 words), DNS behind")
def _(c):
    flow = Udp(c, CLIENT, SERVER, 40000, 53)
    payload = wire.udp(CLIENT, SERVER, 40000, 53, dns.query("www.evil.example"))
    packet = wire.ip(CLIENT, SERVER, wire.UDP, payload)
    head = bytearray(packet[:20] + b"\x94\x04\0\0")
    head[0] = 0x46
    head[2:4] = struct.pack("!H", 24 + len(payload))
    head[10:12] = b"\0\0"
    head[10:12] = struct.pack("!H", wire.checksum(bytes(head)))
    c.hit("name", "dns.question.name", c.add(bytes(head) + payload), flow)


@case("addr-bad-lengths.pcap", "IPv4 lengths that lie: total length past the frame, and of the header alone; header length 4; trailing padding")
def _(c):
    def lying(**change):
        packet = bytearray(wire.ip(CLIENT, BAD, wire.UDP, wire.udp(CLIENT, BAD, change["port"], 9999, b"hello")))
        if "total" in change:
            packet[2:4] = struct.pack("!H", change["total"])
        if "ihl" in change:
            packet[0] = 0x40 | change["ihl"]
        packet[10:12] = b"\0\0"
        packet[10:12] = struct.pack("!H", wire.checksum(bytes(packet[:20])))
        return c.add(bytes(packet) + b"\0" * change.get("trailer", 0))

    lying(port=40001, total=1500)
    lying(port=40002, total=20)
    lying(port=40003, ihl=4)
    c.hit("addr", "destination.ip", lying(port=40004, trailer=20), Udp(c, CLIENT, BAD, 40004, 9999))
    c.may.append("addr")

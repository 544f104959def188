"""Tunnels. Each carries a DNS query for a listed name to a listed network, and its answer; the tunnel's far end is listed too."""
import struct

from . import dns, tunnels, wire
from .flows import BAD, CLIENT, CLIENT6, NET, OUTSIDE, RESOLVER, SERVER, Plain, Tcp, Udp, case

NEAR = "192.0.2.200"
NEAR6, FAR6 = "2001:db8::200", "2001:db8:bad::99"
ANSWER = dns.response("www.evil.example", [dns.record(dns.pointer(12), dns.A, dns.address("192.0.2.99"))])


class Outer:
    """The tunnel's own flow: wraps a payload either way."""

    def __init__(self, protocol=None, ports=None, ends=(NEAR, BAD), behind=None):
        """`behind`: the protocol behind extension headers, which names the flow."""
        self.protocol, self.ports, self.ends, self.behind = protocol, ports, ends, behind or protocol

    def packet(self, payload, back=False):
        a, b = self.ends[::-1] if back else self.ends
        if self.ports is None:
            return wire.ip(a, b, self.protocol, payload)
        p, q = self.ports[::-1] if back else self.ports
        return wire.ip(a, b, wire.UDP, wire.udp(a, b, p, q, payload))

    def flow(self, c):
        if self.ports is None:
            return Plain(c, *self.ends, self.behind)
        return Udp(c, *self.ends, *self.ports)


def listed(outer):
    return "net6" if outer.ends[1] == FAR6 else "addr"


def carries(c, outer, wrap, inner=(CLIENT, NET), expect=True):
    """Query and answer through a tunnel; `wrap(packet, back)` gives what the outer header carries."""
    flow = Udp(c, *inner, 40000, 53)
    c.link = lambda packet: wire.ethernet(outer.packet(wrap(packet, False)))
    frame = flow.send(dns.query("www.evil.example"))
    c.hit(listed(outer), "destination.ip", frame, outer.flow(c))
    if expect:
        c.hit("net6" if ":" in inner[1] else "net", "destination.ip", frame, flow)
        c.hit("name", "dns.question.name", frame, flow)
    c.link = lambda packet: wire.ethernet(outer.packet(wrap(packet, True), True))
    flow.send(ANSWER, back=True)
    return flow


V6 = (CLIENT6, "2001:db8:bad::66")


def simple(name, behaviour, outer, wrap, inner=(CLIENT, NET)):
    case(f"tunnel-{name}.pcap", behaviour)(lambda c: carries(c, outer, wrap, inner))


def over(protocol, ends=(NEAR, BAD)):
    return Outer(protocol, ends=ends)


def udp(port, sport=50000, ends=(NEAR, BAD)):
    return Outer(ports=(sport, port), ends=ends)


def one_way(wrap):
    return lambda packet, back: wrap(packet)


PADDED = b"\x01\x02\x03\x04"
simple("ipip", "IPv4 in IPv4 (4)", over(4), one_way(bytes))
simple("6in4", "IPv6 in IPv4 (41)", over(41), one_way(bytes), V6)
simple("4in6", "IPv4 in IPv6", over(4, (NEAR6, FAR6)), one_way(bytes))
simple("6in6", "IPv6 in IPv6", over(41, (NEAR6, FAR6)), one_way(bytes), V6)
simple("ah", "IPv4 in IPv4 behind an authentication header", Outer(51, behind=4), one_way(lambda p: tunnels.ah(p, 4)))
simple("ah-v6", "UDP behind an authentication header in IPv6 in GRE", over(wire.GRE), lambda p, back: tunnels.gre(wire.ip(*V6[::-1 if back else 1], 51, tunnels.ah(p[40:], wire.UDP))), V6)
simple("gre", "GRE", over(wire.GRE), one_way(tunnels.gre))
simple("gre-v6", "GRE over IPv6, IPv6 inside", over(wire.GRE, (NEAR6, FAR6)), one_way(tunnels.gre), V6)
simple("gre-all", "GRE with checksum, key and sequence number", over(wire.GRE), one_way(lambda p: tunnels.gre(p, key=7, sequence=9, checksum=True)))
simple("gre-bridge", "Ethernet in GRE", over(wire.GRE), one_way(lambda p: tunnels.gre(wire.ethernet(p), 0x6558)))
simple("gre-mpls", "MPLS in GRE", over(wire.GRE), one_way(lambda p: tunnels.gre(wire.mpls(p), 0x8847)))
simple("nvgre", "NVGRE: the segment is the key's upper 24 bits, the rest differs by direction", over(wire.GRE), lambda p, back: tunnels.gre(wire.ethernet(p), 0x6558, key=0x123400 | (9 if back else 4)))
simple("pptp", "PPTP: PPP in GRE version 1", over(wire.GRE), lambda p, back: tunnels.pptp(p, call=8 if back else 7))
simple("erspan-1", "ERSPAN I", over(wire.GRE), one_way(tunnels.erspan_1))
simple("erspan-2", "ERSPAN II", over(wire.GRE), one_way(tunnels.erspan_2))
simple("erspan-3", "ERSPAN III", over(wire.GRE), one_way(tunnels.erspan_3))
simple("erspan-3-more", "ERSPAN III with its platform header, an IP packet inside", over(wire.GRE), one_way(lambda p: tunnels.erspan_3(p, more=True, is_ip=True)))
simple("etherip", "EtherIP", over(97), one_way(lambda p: b"\x30\0" + wire.ethernet(p)))
simple("mpls-ip", "MPLS in IP (137)", over(137), one_way(wire.mpls))
simple("vxlan", "VXLAN", udp(4789), one_way(lambda p: tunnels.vxlan(wire.ethernet(p))))
simple("vxlan-8472", "VXLAN on the port of before, a VLAN inside", udp(8472), one_way(lambda p: tunnels.vxlan(wire.ethernet(p, tags=((0x8100, 5),)))))
simple("vxlan-policy", "VXLAN with a group policy", udp(4789), one_way(lambda p: tunnels.vxlan(wire.ethernet(p), flags=0x88, policy=300)))
simple("vxlan-v6", "VXLAN over IPv6", udp(4789, ends=(NEAR6, FAR6)), one_way(lambda p: tunnels.vxlan(wire.ethernet(p))))
simple("vxlan-gpe", "VXLAN-GPE: IPv4", udp(4790), one_way(lambda p: tunnels.vxlan_gpe(p, 1)))
simple("vxlan-gpe-ethernet", "VXLAN-GPE: Ethernet", udp(4790), one_way(lambda p: tunnels.vxlan_gpe(wire.ethernet(p), 3)))
simple("geneve", "GENEVE with options", udp(6081), one_way(lambda p: tunnels.geneve(wire.ethernet(p), options=((0x0102, 1, bytes(4)), (0x0103, 0x80, b"")))))
simple("geneve-ip", "GENEVE: IPv4", udp(6081), one_way(lambda p: tunnels.geneve(p, 0x0800)))
simple("gtp-u", "GTP-U; each direction has a tunnel id of its own", udp(2152, 2152), lambda p, back: tunnels.gtp_u(p, teid=2 if back else 1))
simple("gtp-u-extensions", "GTP-U with a sequence number and two extension headers, IPv6 inside", udp(2152, 2152), one_way(lambda p: tunnels.gtp_u(p, 1, 5, ((0x85, b"\x10\x09"), (0xC0, b"\0\x01\0\0\0\0")))), V6)
simple("teredo", "Teredo with authentication and origin", udp(3544), one_way(lambda p: tunnels.teredo(p, True, True)), V6)
simple("ayiya", "AYIYA", udp(5072), one_way(tunnels.ayiya), V6)
simple("l2tp-2", "L2TPv2 with length; each direction has ids of its own", udp(1701, 1701), lambda p, back: tunnels.l2tp_2(p, 3 if back else 1, 4 if back else 2))
simple("l2tp-2-options", "L2TPv2 with sequence numbers and an offset", udp(1701, 1701), one_way(lambda p: tunnels.l2tp_2(p, length=False, sequence=True, offset=3)))
simple("l2tp-3", "L2TPv3 over IP with cookie and sublayer", over(115), one_way(lambda p: tunnels.l2tp_3(p, cookie=PADDED, sublayer=bytes(4))))
simple("l2tp-3-udp", "L2TPv3 over UDP", udp(1701, 1701), one_way(lambda p: tunnels.l2tp_3(p, udp=True)))
simple("tzsp", "TZSP", udp(37008), one_way(lambda p: tunnels.tzsp(wire.ethernet(p))))
simple("tzsp-wifi", "TZSP: 802.11", udp(37008), one_way(lambda p: tunnels.tzsp(tunnels.wifi(tunnels.llc(p)), 18)))
simple("capwap", "CAPWAP data: 802.11", udp(5247), one_way(lambda p: tunnels.capwap(tunnels.wifi(tunnels.llc(p)))))
simple("capwap-swapped", "CAPWAP data: 802.11 with frame control in the other order", udp(5247), one_way(lambda p: tunnels.capwap(tunnels.wifi(tunnels.llc(p), swapped=True, sequence=0x7630))))
simple("capwap-ethernet", "CAPWAP data: 802.3", udp(5247), one_way(lambda p: tunnels.capwap(wire.ethernet(p), False)))
simple("lisp", "LISP data with an instance", udp(4341), one_way(lambda p: tunnels.lisp(p, 9)))
simple("mpls-udp", "MPLS in UDP", udp(6635), one_way(wire.mpls))
simple("gre-udp", "GRE in UDP", udp(4754), one_way(tunnels.gre))
simple("mpls-no-word", "MPLS in GRE: Ethernet without a control word, whose address begins with zeros", over(wire.GRE), one_way(lambda p: tunnels.gre(wire.mpls(b"\0\x0c\x29\1\2\3" + wire.ethernet(p)[6:]), 0x8847)))


@case("tunnel-flows.pcap", "the same inner 5-tuple in two VXLAN networks, two GRE keys and bare: five flows, five alerts")
def _(c):
    # Through another far end, which is not listed.
    vxlan, gre = udp(4789, ends=(NEAR, OUTSIDE)), over(wire.GRE, (NEAR, OUTSIDE))
    wraps = [
        lambda p: vxlan.packet(tunnels.vxlan(wire.ethernet(p), 1)),
        lambda p: vxlan.packet(tunnels.vxlan(wire.ethernet(p), 2)),
        lambda p: gre.packet(tunnels.gre(p, key=1)),
        lambda p: gre.packet(tunnels.gre(p, key=2)),
        bytes,
    ]
    for wrap in wraps:
        c.link = lambda packet, wrap=wrap: wire.ethernet(wrap(packet))
        flow = Udp(c, CLIENT, RESOLVER, 40000, 53)
        c.hit("name", "dns.question.name", flow.send(dns.query("www.evil.example")), flow)


@case("tunnel-tcp.pcap", "an HTTP request in two segments through GTP-U, with different tunnel ids each way")
def _(c):
    outer = udp(2152, 2152, (NEAR, OUTSIDE))
    flow = Tcp(c)
    c.link = lambda p: wire.ethernet(outer.packet(tunnels.gtp_u(p, 1), False) if p[12:16] == wire.packed(CLIENT) else outer.packet(tunnels.gtp_u(p, 2), True))
    flow.open()
    frame = flow.send(b"GET / HTTP/1.1\r\nHost: www.evil.example\r\n\r\n", 28)
    c.hit("name", "url.domain", frame, flow)
    flow.reply(b"HTTP/1.1 204 No Content\r\n\r\n")
    flow.close()


@case("tunnel-gtp-u-pairs.pcap", "GTP-U: the same inner 5-tuple between two pairs of nodes, two flows; and by two tunnel ids each way between one pair, one flow, because a direction's id is its receiver's")
def _(c):
    for outer in (udp(2152, 2152, (NEAR, OUTSIDE)), udp(2152, 2152, ("192.0.2.201", OUTSIDE))):
        c.link = lambda p, outer=outer: wire.ethernet(outer.packet(tunnels.gtp_u(p, 1)))
        flow = Udp(c, CLIENT, RESOLVER, 40000, 53)
        c.hit("name", "dns.question.name", flow.send(dns.query("www.evil.example")))
        c.link = lambda p, outer=outer: wire.ethernet(outer.packet(tunnels.gtp_u(p, 9), True))
        flow.send(ANSWER, back=True)
    # Another subscriber with the same inner address: not told apart, so that nothing is said of it a second time.
    c.link = lambda p: wire.ethernet(udp(2152, 2152, (NEAR, OUTSIDE)).packet(tunnels.gtp_u(p, 2)))
    Udp(c, CLIENT, RESOLVER, 40000, 53).send(dns.query("www.evil.example"))


@case("tunnel-nested.pcap", "ERSPAN II of VXLAN of GTP-U: every pair of addresses counts")
def _(c):
    mirror, overlay, mobile = over(wire.GRE), udp(4789, ends=(NEAR, NET)), udp(2152, 2152, ends=(BAD, SERVER))
    flow = Udp(c, CLIENT, RESOLVER, 40000, 53)
    c.link = lambda p: wire.ethernet(mirror.packet(tunnels.erspan_2(overlay.packet(tunnels.vxlan(wire.ethernet(mobile.packet(tunnels.gtp_u(p))))))))
    frame = flow.send(dns.query("www.evil.example"))
    c.hit("addr", "destination.ip", frame, mirror.flow(c))
    c.hit("net", "destination.ip", frame, overlay.flow(c))
    c.hit("addr", "source.ip", frame, mobile.flow(c))
    c.hit("name", "dns.question.name", frame, flow)


@case("tunnel-too-deep.pcap", "IPv4 in IPv4 twenty times: past the cap, counted; the outermost addresses count")
def _(c):
    outer = over(4)

    def deep(packet):
        for _ in range(18):
            packet = wire.ip(SERVER, OUTSIDE, 4, packet)
        return wire.ethernet(outer.packet(packet))

    c.link = deep
    frame = Udp(c, CLIENT, RESOLVER, 40000, 53).send(dns.query("www.evil.example"))
    c.hit("addr", "destination.ip", frame, outer.flow(c))
    c.may.append("name")


PORTS = (4789, 8472, 4790, 6081, 6635, 4754, 4341, 4342, 2152, 3544, 5072, 1701, 5247, 37008, 4500, 51820)


@case("tunnel-lookalike.pcap", "DNS from the ports of tunnels: no tunnel, read as DNS")
def _(c):
    for port in PORTS:
        flow = Udp(c, CLIENT, RESOLVER, port, 53)
        c.hit("name", "dns.question.name", flow.send(dns.query("www.evil.example")), flow)


@case("tunnel-damaged.pcap", "tunnel headers that lie, on their ports: reserved bits, lengths, an inner header that does not fit; no alert but for addresses")
def _(c):
    inner = wire.ip(CLIENT, NET, wire.UDP, wire.udp(CLIENT, NET, 40000, 53, dns.query("www.evil.example")))
    frame = wire.ethernet(inner)
    for port, payload in (
        (4789, tunnels.vxlan(frame, flags=0x18)),
        (4789, tunnels.vxlan(frame)[:7] + b"\x01" + frame),
        (4789, tunnels.vxlan(wire.ethernet(inner[:2] + b"\xff\xff" + inner[4:]))),
        (6081, tunnels.geneve(frame, options=((1, 1, bytes(4)),))[:8] + b"\0\1\1\x07" + bytes(4) + frame),
        (2152, tunnels.gtp_u(inner)[:2] + b"\xff\xff" + tunnels.gtp_u(inner)[4:]),
        (3544, inner),
        (1701, b"\xc8\x02" + tunnels.l2tp_2(inner)[2:]),
    ):
        Udp(c, NEAR, OUTSIDE, 50000, port).send(payload)


@case("tunnel-opaque.pcap", "ESP, ESP in UDP, WireGuard: the ends count, the rest is counted")
def _(c):
    esp = struct.pack("!II", 0x1234, 1) + bytes(range(64))
    for flow, payload in (
        (Plain(c, CLIENT, BAD, 50), esp),
        (Udp(c, CLIENT, BAD, 4500, 4500), esp),
        (Udp(c, CLIENT, BAD, 40000, 51820), b"\1\0\0\0" + bytes(144)),
    ):
        c.hit("addr", "destination.ip", flow.send(payload), flow)


@case("tunnel-keep-alive.pcap", "GRE keep-alives and PPTP acknowledgements carry nothing")
def _(c):
    outer = over(wire.GRE)
    frame = c.add(outer.packet(b"\0\0\0\0"))
    c.hit("addr", "destination.ip", frame, outer.flow(c))
    c.add(outer.packet(struct.pack("!HHHHI", 0x2081, 0x880B, 0, 7, 1)))


@case("tunnel-arp.pcap", "ARP for a listed address in VXLAN")
def _(c):
    outer = udp(4789, ends=(NEAR, OUTSIDE))
    arp = b"\0\1\x08\0\6\4\0\1" + wire.CLIENT_MAC + wire.packed(CLIENT) + bytes(6) + wire.packed(BAD)
    frame = c.add(outer.packet(tunnels.vxlan(wire.ethernet(arp, 0x0806))))
    c.hit("addr", "destination.ip", frame)

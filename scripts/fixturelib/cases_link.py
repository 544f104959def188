"""Link layers. Each has a DNS query for a listed name over IPv4, and over IPv6 where it can."""
from . import dns, tunnels, wire
from .flows import BAD, CLIENT, CLIENT6, NET, RESOLVER, SERVER6, Udp, case

V4 = (CLIENT, RESOLVER)
V6 = (CLIENT6, SERVER6)


def queries(c, link, link_type=1, both=(V4, V6)):
    c.link, c.link_type = link, link_type
    for port, (source, destination) in enumerate(both, 40000):
        flow = Udp(c, source, destination, port, 53)
        c.hit("name", "dns.question.name", flow.send(dns.query("www.evil.example")), flow)


def tags(*entries):
    return lambda packet: wire.ethernet(packet, tags=entries)


def simple(name, behaviour, link, link_type=1, both=(V4, V6)):
    case(f"link-{name}.pcap", behaviour)(lambda c: queries(c, link, link_type, both))


simple("ethernet", "Ethernet II (type 1)", wire.ethernet)
simple("vlan", "802.1Q", tags((0x8100, 100)))
simple("qinq", "802.1Q in 802.1Q", tags((0x8100, 100), (0x8100, 200)))
simple("dot1ad", "802.1ad over 802.1Q", tags((0x88A8, 100), (0x8100, 200)))
simple("qinq-old", "0x9100 over 802.1Q", tags((0x9100, 100), (0x8100, 200)))
simple("llc-snap", "802.3 length with LLC and SNAP", wire.llc_snap)
simple("vlan-llc-snap", "802.1Q, then 802.3 length with LLC and SNAP", lambda p: wire.llc_snap(p)[:12] + b"\x81\0\0\x64" + wire.llc_snap(p)[12:])
simple("sll", "Linux cooked v1 (113)", wire.sll, 113)
simple("sll2", "Linux cooked v2 (276)", wire.sll2, 276)
for number in (12, 14, 101):
    simple(f"raw-{number}", f"raw IP ({number})", bytes, number)
simple("raw-228", "raw IPv4 (228)", bytes, 228, (V4,))
simple("raw-229", "raw IPv6 (229)", bytes, 229, (V6,))
simple("null-little", "BSD loopback (0), little-endian family", lambda p: wire.null(p, "<"), 0)
simple("null-big", "BSD loopback (0), big-endian family", lambda p: wire.null(p, ">"), 0)
simple("null-inet6-24", "BSD loopback (0), NetBSD's number for IPv6", lambda p: wire.null(p, "<", 24), 0)
simple("loop", "OpenBSD loopback (108), network order", lambda p: wire.null(p, ">", 24), 108)
simple("loop-little", "OpenBSD loopback (108) in the wrong order", lambda p: wire.null(p, "<", 28), 108)
simple("ppp", "PPP (9) without HDLC framing", lambda p: wire.ppp_protocol(p) + p, 9)
simple("ppp-hdlc", "PPP (9) with address and control", lambda p: b"\xff\x03" + wire.ppp_protocol(p) + p, 9)
simple("ppp-50", "PPP in HDLC-like framing (50)", lambda p: b"\xff\x03" + wire.ppp_protocol(p) + p, 50)
simple("ppp-short", "PPP (9), protocol field compressed to a byte", lambda p: wire.ppp_protocol(p)[1:] + p, 9)
simple("ppp-166", "PPP with a direction byte (166)", lambda p: b"\x01\xff\x03" + wire.ppp_protocol(p) + p, 166)
simple("pppoe", "PPPoE session over Ethernet", lambda p: wire.ethernet(wire.pppoe(p), 0x8864))
simple("pppoe-vlan", "PPPoE session over 802.1Q", lambda p: wire.ethernet(wire.pppoe(p), 0x8864, ((0x8100, 7),)))
simple("pppoe-51", "PPPoE session (51)", wire.pppoe, 51)
simple("mpls", "MPLS with one label over Ethernet", lambda p: wire.ethernet(wire.mpls(p), 0x8847))
simple("mpls-two", "MPLS with two labels over Ethernet", lambda p: wire.ethernet(wire.mpls(p, (16, 17)), 0x8847))
simple("mpls-vlan", "MPLS with two labels over 802.1Q", lambda p: wire.ethernet(wire.mpls(p, (16, 17)), 0x8847, ((0x8100, 7),)))
simple("mpls-219", "MPLS (219)", lambda p: wire.mpls(p, (16, 17)), 219)


def air(name, behaviour, link_type, wrap=bytes, **how):
    simple(name, behaviour, lambda p: wrap(tunnels.wifi(tunnels.llc(p), **how)), link_type)


air("wifi", "802.11 (105)", 105)
air("wifi-quality", "802.11 with quality of service", 105, quality=True)
air("wifi-four", "802.11 between access points: four addresses, quality of service", 105, quality=True, four=True)
air("wifi-radiotap", "802.11 behind radiotap (127)", 127, tunnels.radiotap)
air("wifi-radiotap-padded", "802.11 behind radiotap that says the header is padded", 127, lambda f: tunnels.radiotap(f, 0x20, True), quality=True, pad=b"\0\0")
air("wifi-prism", "802.11 behind Prism's header (119)", 119, tunnels.prism)
air("wifi-avs", "802.11 behind AVS (163)", 163, tunnels.avs)
air("wifi-ppi", "802.11 behind PPI (192)", 192, tunnels.ppi)
simple("ppi-ethernet", "Ethernet behind PPI", lambda p: tunnels.ppi(wire.ethernet(p), 1), 192)
simple("wifi-aggregate", "802.11 A-MSDU, its first part", lambda p: tunnels.wifi(wire.SERVER_MAC + wire.CLIENT_MAC + len(tunnels.llc(p)).to_bytes(2, "big") + tunnels.llc(p) + bytes(20), quality=True, control=0x80), 105)
simple("nflog", "Linux netfilter log (239)", tunnels.nflog, 239)
simple("nflog-big", "Linux netfilter log of a big-endian machine", lambda p: tunnels.nflog(p, ">"), 239)


@case("link-wifi-other.pcap", "802.11 that is protected, a fragment, without data, a beacon, too short: counted, no alert")
def _(c):
    c.link_type = 105
    packet = tunnels.llc(wire.ip(CLIENT, RESOLVER, wire.UDP, wire.udp(CLIENT, RESOLVER, 40000, 53, dns.query("www.evil.example"))))
    for frame in (
        tunnels.wifi(packet, flags=0x40),
        tunnels.wifi(packet, flags=0x04),
        tunnels.wifi(packet, sequence=1),
        tunnels.wifi(None, subtype=4),
        b"\x80\0" + tunnels.wifi(packet)[2:],
        tunnels.wifi(packet)[:20],
    ):
        c.add_frame(frame)


@case("link-arp.pcap", "ARP: a request for a listed address, its answer, a listed address that announces itself, RARP")
def _(c):
    def arp(operation, sender, target, kind=0x0806):
        body = b"\0\1\x08\0\6\4" + operation.to_bytes(2, "big") + wire.CLIENT_MAC + wire.packed(sender) + bytes(6) + wire.packed(target)
        return c.add_frame(wire.ethernet(body, kind))
    c.hit("addr", "destination.ip", arp(1, CLIENT, BAD))
    arp(2, BAD, CLIENT)
    c.hit("addr", ["source.ip", "destination.ip"], arp(2, BAD, BAD))
    c.may.append("addr")
    c.hit("net", "destination.ip", arp(4, CLIENT, NET, 0x8035))


@case("link-vlan-flows.pcap", "the same 5-tuple in two VLANs: two flows, two alerts")
def _(c):
    for vlan in (100, 200):
        c.link = tags((0x8100, vlan))
        flow = Udp(c, CLIENT, RESOLVER, 40000, 53)
        c.hit("name", "dns.question.name", flow.send(dns.query("www.evil.example")), flow)


@case("link-too-deep.pcap", "forty VLAN tags: past any cap, counted")
def _(c):
    c.link = tags(*((0x8100, n + 1) for n in range(40)))
    Udp(c, CLIENT, RESOLVER, 40000, 53).send(dns.query("www.evil.example"))
    c.may.append("name")


@case("link-unknown.pcap", "a link type (147, user 0) that nothing decodes")
def _(c):
    c.link, c.link_type = wire.ethernet, 147
    Udp(c, CLIENT, RESOLVER, 40000, 53).send(dns.query("www.evil.example"))


@case("link-other-ethertypes.pcap", "LLDP, an unknown EtherType, an unknown LLC: counted, no alert")
def _(c):
    c.add_frame(wire.ethernet(b"\x02\x07\x04" + wire.CLIENT_MAC + b"\0\0", 0x88CC))
    c.add_frame(wire.ethernet(b"www.evil.example", 0x88B5))
    c.add_frame(wire.SERVER_MAC + wire.CLIENT_MAC + b"\0\x03\x42\x42\x03")

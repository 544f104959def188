"""What lies beside a packet in its frame, and OpenFlow's packets. Inner packets ask a listed network for a listed name."""
import struct

from . import beside, codings, dns, tunnels, wire
from .cases_tunnel import NEAR, Outer, over, simple, udp
from .flows import BAD, CLIENT, CLIENT6, NET, OUTSIDE, RESOLVER, Plain, Tcp, Udp, case

QUERY = dns.query("www.evil.example")


def inner(destination=NET, port=40000, data=QUERY, source=CLIENT):
    return wire.ip(source, destination, wire.UDP, wire.udp(source, destination, port, 53, data))


def asks(c, frame, destination=NET, port=40000, name=True):
    """The flow of `inner` was seen."""
    flow = Udp(c, CLIENT, destination, port, 53)
    if destination == NET:
        c.hit("net", "destination.ip", frame, flow)
    if name:
        c.hit("name", "dns.question.name", frame, flow)


simple("ipcomp", "IPv4 in IPComp, the index agreed on", Outer(108, behind=4), lambda p, back: beside.ipcomp(p, 4))


@case("beside-ipcomp-transport.pcap", "UDP in IPComp, DEFLATE's own index; padded; over IPv6; in pieces; behind an authentication header")
def _(c):
    for port, wrap in enumerate((
        lambda p: [wire.ip(CLIENT, NET, 108, beside.ipcomp(p, wire.UDP, 2))],
        lambda p: [wire.ip(CLIENT, NET, 108, beside.ipcomp(p, wire.UDP, 2) + b"\0")],
        lambda p: tunnels.fragments(wire.ip(CLIENT, NET, 108, beside.ipcomp(p, wire.UDP, 2)), 24),
        lambda p: [wire.ip(CLIENT, NET, 51, tunnels.ah(beside.ipcomp(p, wire.UDP), 108))],
    ), 40000):
        for packet in wrap(wire.udp(CLIENT, NET, port, 53, QUERY)):
            frame = c.add(packet)
        asks(c, frame, port=port)
    # Pieces name the same address in a flow without ports.
    c.may.append("net")
    bad6 = "2001:db8:bad::66"
    flow = Udp(c, CLIENT6, bad6, 40000, 53)
    frame = c.add(wire.ip(CLIENT6, bad6, 108, beside.ipcomp(wire.udp(CLIENT6, bad6, 40000, 53, QUERY), wire.UDP)))
    c.hit("net6", "destination.ip", frame, flow)
    c.hit("name", "dns.question.name", frame, flow)


@case("beside-ipcomp-opaque.pcap", "IPComp that is not inflated: LZS, damage, bytes behind its end, a bomb, cut; the ends count")
def _(c):
    payload = wire.udp(CLIENT, RESOLVER, 40000, 53, QUERY)
    packed = codings.deflate(payload)
    for body in (
        beside.ipcomp(payload, wire.UDP, 3),
        beside.ipcomp(b"", wire.UDP, deflated=b"\xff" + packed),
        beside.ipcomp(b"", wire.UDP, deflated=packed + bytes(9)),
        beside.ipcomp(b"", wire.UDP, deflated=codings.deflate(payload, 400)),
        beside.ipcomp(b"", wire.UDP, deflated=packed[:-3]),
        b"\x11\0\0",
    ):
        flow = Plain(c, CLIENT, BAD, 108)
        frame = flow.send(body)
    c.hit("addr", "destination.ip", 1, flow)
    whole = wire.ethernet(wire.ip(CLIENT, RESOLVER, 108, beside.ipcomp(payload, wire.UDP)))
    c.add_frame(whole[:-4], len(whole))


@case("beside-sflow.pcap", "sFlow 5: an Ethernet frame and an IPv4 packet sampled in one datagram, counters between; the rest of a packet was not sampled")
def _(c):
    flow = Udp(c, "192.0.2.200", "192.0.2.201", 50000, 6343)
    counters = beside.sampled(2, bytes(8) + struct.pack("!I", 0))
    first = beside.flow_sample(beside.sampled(1001, bytes(16)), beside.raw_header(wire.ethernet(inner(), tags=((0x8100, 5),))))
    cut = wire.ip(CLIENT, NET, wire.TCP, wire.tcp(CLIENT, NET, 40001, 80, 1, 1, wire.ACK, b"GET /" + bytes(900)))
    second = beside.flow_sample(beside.raw_header(cut[:60], 11, len(cut)), expanded=True)
    frame = flow.send(beside.sflow(first, counters, second))
    asks(c, frame)
    c.hit("net", "destination.ip", frame, Tcp(c, CLIENT, NET, 40001, 80))


@case("beside-sflow-nested.pcap", "sFlow of GTP-U, of an IPComp payload, and of sFlow")
def _(c):
    flow = Udp(c, "192.0.2.200", "192.0.2.201", 50000, 6343)
    mobile = udp(2152, 2152, ends=(NEAR, BAD))
    packed = wire.ip(CLIENT, NET, 108, beside.ipcomp(wire.udp(CLIENT, NET, 40001, 53, QUERY), wire.UDP))
    again = wire.ip(CLIENT, OUTSIDE, wire.UDP, wire.udp(CLIENT, OUTSIDE, 50001, 6343, beside.sflow(beside.flow_sample(beside.raw_header(inner(port=40002), 11)))))
    samples = [mobile.packet(tunnels.gtp_u(inner())), packed, again]
    frame = flow.send(beside.sflow(*(beside.flow_sample(beside.raw_header(wire.ethernet(p))) for p in samples)))
    c.hit("addr", "destination.ip", frame, mobile.flow(c))
    for port in (40000, 40001, 40002):
        asks(c, frame, port=port)


@case("beside-sflow-many.pcap", "a hundred samples in one datagram: past the cap, counted")
def _(c):
    flow = Udp(c, "192.0.2.200", "192.0.2.201", 50000, 6343)
    samples = [beside.flow_sample(beside.raw_header(inner(RESOLVER, 40000 + n), 11)) for n in range(100)]
    frame = flow.send(beside.sflow(*samples))
    for n in range(63):
        asks(c, frame, RESOLVER, 40000 + n)


@case("beside-sflow-damaged.pcap", "sFlow of another version, with lengths that lie, of a link layer that is not read: no alert")
def _(c):
    flow = Udp(c, "192.0.2.200", "192.0.2.201", 50000, 6343)
    good = beside.flow_sample(beside.raw_header(inner(RESOLVER), 11))
    for datagram in (
        beside.sflow(good, version=4),
        beside.sflow(good[:4] + b"\xff\xff\xff\xff" + bytes(8)),
        beside.sflow(beside.flow_sample(beside.raw_header(inner(RESOLVER)[:19], 11, 999, 0xFFFFFFFF))),
        beside.sflow(beside.flow_sample(beside.raw_header(inner(RESOLVER), 9))),
        beside.sflow(count=0xFFFFFFFF),
        beside.sflow(good)[:60],
    ):
        flow.send(datagram)


@case("beside-nhrp.pcap", "NHRP traffic indications in GRE and in IP quote a packet, one of them cut; other messages quote nothing")
def _(c):
    outer = over(wire.GRE, (NEAR, OUTSIDE))
    packet = wire.ip(CLIENT, NET, wire.ICMP, wire.icmp_echo(CLIENT, NET, 8))
    frame = c.add(outer.packet(tunnels.gre(beside.nhrp(packet), 0x2001, key=1000)))
    c.hit("net", "destination.ip", frame, Plain(c, CLIENT, NET, wire.ICMP, (8, 0)))
    # Cut behind the header, and without extensions.
    frame = c.add(wire.ip(NEAR, OUTSIDE, 54, beside.nhrp(inner(port=40001)[:28], extensions=b"")))
    asks(c, frame, port=40001, name=False)
    for message in (beside.nhrp(packet, kind=1), beside.nhrp(b""), beside.nhrp(packet, quoted_bytes=60000), beside.nhrp(packet)[:25]):
        c.add(outer.packet(tunnels.gre(message, 0x2001)))


@case("beside-wifi-aggregate.pcap", "802.11 A-MSDU of three frames, each with a query; one of a hundred, past the cap")
def _(c):
    c.link_type = 105
    bodies = [tunnels.llc(inner(port=40000 + n)) for n in range(3)]
    frame = c.add_frame(tunnels.wifi(beside.aggregate(*bodies), quality=True, control=0x80))
    for n in range(3):
        asks(c, frame, port=40000 + n)
    many = [tunnels.llc(inner(RESOLVER, 41000 + n)) for n in range(100)]
    frame = c.add_frame(tunnels.wifi(beside.aggregate(*many), quality=True, control=0x80))
    for n in range(64):
        asks(c, frame, RESOLVER, 41000 + n)


@case("beside-wifi-aggregate-pieces.pcap", "a datagram in two pieces, both in one A-MSDU; one in two frames of the air")
def _(c):
    c.link_type = 105
    pieces = [tunnels.llc(piece) for piece in tunnels.fragments(inner(), 24)]
    frame = c.add_frame(tunnels.wifi(beside.aggregate(*pieces), quality=True, control=0x80))
    asks(c, frame)
    c.may.append("net")
    pieces = [tunnels.llc(piece) for piece in tunnels.fragments(inner(port=40001), 40, 0x78)]
    frames = [c.add_frame(tunnels.wifi(beside.aggregate(tunnels.llc(inner(OUTSIDE, 40002, b"")), piece), quality=True, control=0x80)) for piece in pieces]
    flow = Udp(c, CLIENT, NET, 40001, 53)
    c.hit("net", "destination.ip", frames[0], flow)
    c.hit("name", "dns.question.name", frames[1], flow)


@case("beside-capwap-fragment.pcap", "pieces of a frame in CAPWAP data: counted, not read")
def _(c):
    flow = Udp(c, NEAR, OUTSIDE, 50000, 5247)
    frame = wire.ethernet(inner(RESOLVER))
    for at, flags in ((0, 0x80), (40, 0xC0)):
        word = 2 << 19 | 1 << 9 | flags
        flow.send(b"\0" + word.to_bytes(3, "big") + struct.pack("!HH", 7, at) + frame[at:at + 40])


@case("link-backbones.pcap", "802.1ah fifty times; then a hundred and sixty times, past the cap, counted")
def _(c):
    frame = c.add_frame(beside.backbones(wire.ethernet(inner()), 50))
    asks(c, frame)
    c.add_frame(beside.backbones(wire.ethernet(inner(RESOLVER, 40001)), 160))


def controller(c, port=6653, sport=49152):
    flow = Tcp(c, CLIENT, "192.0.2.53", sport, port)
    flow.open()
    flow.send(beside.HELLO)
    flow.reply(beside.HELLO)
    return flow


@case("openflow-packet-in.pcap", "OpenFlow 1.3: a switch hands a packet on, in small segments; 1.0 on the other port; a tunnel in one")
def _(c):
    flow = controller(c)
    frame = flow.send(beside.packet_in(wire.ethernet(inner())), 50)
    c.hit("net", "openflow.packet.destination.ip", frame, flow)
    c.hit("name", "dns.question.name", frame, flow)
    flow.close()
    flow = controller(c, 6633, 49153)
    frame = flow.send(beside.packet_in(wire.ethernet(over(wire.GRE).packet(tunnels.gre(inner()))), 1))
    c.hit("addr", "openflow.packet.destination.ip", frame, flow)
    c.hit("net", "openflow.packet.destination.ip", frame, flow)
    c.hit("name", "dns.question.name", frame, flow)
    flow.close()


@case("openflow-packet-out.pcap", "OpenFlow 1.3: a controller sends a packet, behind another message")
def _(c):
    flow = controller(c)
    answer = wire.ip(NET, CLIENT, wire.UDP, wire.udp(NET, CLIENT, 53, 40000, QUERY))
    frame = flow.reply(beside.openflow(2, b"echo") + beside.packet_out(wire.ethernet(answer)) + beside.openflow(21, bytes(4)))
    c.hit("net", "openflow.packet.source.ip", frame, flow)
    c.hit("name", "dns.question.name", frame, flow)
    flow.close()


@case("openflow-damaged.pcap", "OpenFlow with lengths that lie, a match that is too long, a frame that is none; no alert")
def _(c):
    for number, message in enumerate((
        beside.openflow(10, bytes(10)),
        beside.openflow(10, bytes(16) + b"\0\1\xff\xff" + bytes(30)),
        beside.openflow(13, struct.pack("!IIH6x", 0, 0, 0xFFFF) + bytes(30)),
        beside.packet_in(b"\xff" * 60),
        beside.openflow(0, b"", length=3),
    )):
        flow = controller(c, sport=49152 + number)
        flow.send(message + beside.openflow(2, b"echo"))
        flow.close()

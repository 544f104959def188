"""Datagrams in pieces. An alert names the frame that completes the datagram; an address counts from the first piece."""
import struct

from . import dns, tunnels, wire
from .flows import BAD, CLIENT, CLIENT6, NET, OUTSIDE, RESOLVER, SERVER, SERVER6, STEP_NS, Plain, Tcp, Udp, case

QUERY = dns.query("www.evil.example")
LONG = b"\0" * 40


def packet(source=CLIENT, destination=RESOLVER, port=40000, data=QUERY):
    return wire.ip(source, destination, wire.UDP, wire.udp(source, destination, port, 53, data))


def pieces(c, order, size=16, whole=None, ident=0x77):
    """Adds the pieces in this order; the last frame's number."""
    made = tunnels.fragments(packet() if whole is None else whole, size, ident)
    for at in order:
        last = c.add(made[at])
    return last


def simple(name, behaviour, order, size=16):
    @case(f"fragment-{name}.pcap", behaviour)
    def _(c):
        flow = Udp(c, CLIENT, RESOLVER, 40000, 53)
        c.hit("name", "dns.question.name", pieces(c, order, size), flow)


simple("in-order", "a DNS query in three IPv4 fragments", (0, 1, 2))
simple("reversed", "the last fragment first", (2, 1, 0))
simple("middle-last", "the middle fragment last", (0, 2, 1))
simple("duplicate", "every fragment but the last twice", (0, 0, 1, 1, 2))
simple("tiny", "fragments of eight bytes: the first has the ports and no more", (0, 1, 2, 3, 4, 5), 8)


@case("fragment-address.pcap", "fragments to a listed address: one alert, at the first; a lone later fragment in a listed network: its flow has no ports")
def _(c):
    flow = Udp(c, CLIENT, BAD, 40000, 53)
    first = pieces(c, (0,), whole=packet(destination=BAD, data=LONG))
    c.hit("addr", "destination.ip", first, flow)
    pieces(c, (1, 2), whole=packet(destination=BAD, data=LONG))
    c.hit("net", "destination.ip", pieces(c, (1,), whole=packet(destination=NET, data=LONG)), Udp(c, CLIENT, NET, 0, 0))


@case("fragment-v6.pcap", "a DNS query in IPv6 fragments, the last first")
def _(c):
    flow = Udp(c, CLIENT6, SERVER6, 40000, 53)
    c.hit("name", "dns.question.name", pieces(c, (2, 0, 1), whole=packet(CLIENT6, SERVER6), ident=0x12345678), flow)


@case("fragment-v6-atomic.pcap", "an IPv6 fragment header on a datagram that is whole")
def _(c):
    flow = Udp(c, CLIENT6, SERVER6, 40000, 53)
    c.hit("name", "dns.question.name", pieces(c, (0,), 4096, packet(CLIENT6, SERVER6)), flow)


@case("fragment-interleaved.pcap", "two datagrams with the same identification and different ends, and one with another, in turns")
def _(c):
    wholes = (packet(), packet(SERVER), packet(port=40001))
    for at in range(3):
        for n, whole in enumerate(wholes):
            last = pieces(c, (at,), whole=whole, ident=0x77 + n // 2)
            if at == 2:
                ends = (SERVER if n == 1 else CLIENT, RESOLVER)
                c.hit("name", "dns.question.name", last, Udp(c, *ends, 40001 if n == 2 else 40000, 53))


@case("fragment-vlans.pcap", "the same fragments in two VLANs are two datagrams")
def _(c):
    flow = Udp(c, CLIENT, RESOLVER, 40000, 53)
    for at in range(3):
        for vlan in (100, 200):
            c.link = lambda p, vlan=vlan: wire.ethernet(p, tags=((0x8100, vlan),))
            last = pieces(c, (at,))
            if at == 2:
                c.hit("name", "dns.question.name", last, flow)


@case("fragment-tcp.pcap", "an HTTP request whose segment is fragmented, between whole segments")
def _(c):
    flow = Tcp(c)
    flow.open()
    flow.send(b"GET / HTTP/1.1\r\n")
    whole = wire.ip(CLIENT, SERVER, wire.TCP, wire.tcp(CLIENT, SERVER, 49152, 80, flow.next[0], flow.next[1], wire.PSH | wire.ACK, b"Host: www.evil.example\r\n\r\n"))
    frame = pieces(c, (1, 0), 32, whole)
    c.hit("name", "url.domain", frame, flow)
    flow.next[0] += 26
    flow.reply(b"HTTP/1.1 204 No Content\r\n\r\n")


@case("fragment-syn.pcap", "a SYN in tiny fragments to a listed address (RFC 1858)")
def _(c):
    flow = Tcp(c, CLIENT, BAD, 49152, 80)
    whole = wire.ip(CLIENT, BAD, wire.TCP, wire.tcp(CLIENT, BAD, 49152, 80, 1000, 0, wire.SYN))
    c.hit("addr", "destination.ip", pieces(c, (0,), 8, whole), flow)
    pieces(c, (1, 2), 8, whole)


@case("fragment-overlap-first.pcap", "a later fragment overwrites the name with a harmless one: the first bytes are read")
def _(c):
    overlap(c, QUERY, dns.query("www.good.example"))


@case("fragment-overlap-last.pcap", "a later fragment overwrites a harmless name: the later bytes are read too")
def _(c):
    overlap(c, dns.query("www.good.example"), QUERY)


def overlap(c, first, second):
    """All of `first` but its end, then the same place as `second` has it, then the end."""
    (head, one), (_, two) = ((p[:20], p[20:]) for p in (packet(data=first), packet(data=second)))
    c.add(tunnels.fragment(head, one[:32], 0, True))
    c.add(tunnels.fragment(head, two[16:40], 16, True))
    frame = c.add(tunnels.fragment(head, one[40:], 40, False))
    c.hit("name", "dns.question.name", frame, Udp(c, CLIENT, RESOLVER, 40000, 53))


@case("fragment-lies.pcap", "fragments beyond 65,535 bytes, two ends, no bytes: no datagram")
def _(c):
    head = packet()[:20]
    c.add(tunnels.fragment(head, QUERY, 65528, False))
    c.add(tunnels.fragment(head, QUERY[:24], 8, False, 0x78))
    c.add(tunnels.fragment(head, QUERY[:8], 8, False, 0x78))
    c.add(tunnels.fragment(head, b"", 16, True, 0x79))
    c.add(tunnels.fragment(head, QUERY[:8], 64, True, 0x78))


@case("fragment-late.pcap", "the last fragment a minute late, and one that never comes")
def _(c):
    pieces(c, (0, 1))
    c.now += 60 * 10**9
    pieces(c, (2,))
    pieces(c, (0, 2), ident=0x99)


@case("fragment-snap.pcap", "the snap length cuts a fragment in the middle: what is before the cut is read")
def _(c):
    flow = Udp(c, CLIENT, RESOLVER, 40000, 53)
    made = [wire.ethernet(p) for p in tunnels.fragments(packet(data=QUERY + bytes(100)), 64)]
    c.add_frame(made[0])
    c.add_frame(made[1][:-20], len(made[1]))
    c.hit("name", "dns.question.name", c.add_frame(made[2]), flow)


@case("fragment-outer.pcap", "a VXLAN datagram in fragments: the inner query is complete with the last")
def _(c):
    outer = wire.ip(CLIENT, OUTSIDE, wire.UDP, wire.udp(CLIENT, OUTSIDE, 50000, 4789, tunnels.vxlan(wire.ethernet(packet(destination=NET)))))
    frame = pieces(c, (0, 2, 1), 32, outer)
    flow = Udp(c, CLIENT, NET, 40000, 53)
    c.hit("net", "destination.ip", frame, flow)
    c.hit("name", "dns.question.name", frame, flow)


@case("fragment-inner.pcap", "fragments within GRE, whose own datagrams are fragmented too")
def _(c):
    flow = Udp(c, CLIENT, NET, 40000, 53)
    for n, inner in enumerate(tunnels.fragments(packet(destination=NET), 32)):
        outer = wire.ip(SERVER, BAD, wire.GRE, tunnels.gre(inner))
        first = pieces(c, (0,), 32, outer, 0x500 + n)
        if n == 0:
            c.hit("addr", "destination.ip", first, Plain(c, SERVER, BAD, wire.GRE))
        frame = pieces(c, (1,), 32, outer, 0x500 + n)
        if n == 0:
            c.hit("net", "destination.ip", frame, flow)
    c.hit("name", "dns.question.name", frame, flow)


@case("fragment-flood.pcap", "a hundred first fragments, then the last of one")
def _(c):
    for n in range(100):
        pieces(c, (0, 1), 24, packet(port=40000 + n), n)
        if n == 60:
            c.frames.pop()
    frame = pieces(c, (1,), 24, packet(port=40060), 60)
    for n in range(100):
        flow = Udp(c, CLIENT, RESOLVER, 40000 + n, 53)
        if n < 60:
            c.hit("name", "dns.question.name", 2 * n + 2, flow)
        elif n > 60:
            c.hit("name", "dns.question.name", 2 * n + 1, flow)
        else:
            c.hit("name", "dns.question.name", frame, flow)
    assert STEP_NS < 10**7


@case("fragment-icmp-quote.pcap", "an ICMP error in fragments that quotes a packet to a listed address")
def _(c):
    quoted = wire.ip(CLIENT, BAD, wire.UDP, wire.udp(CLIENT, BAD, 40000, 53, QUERY))
    body = struct.pack("!BBHI", 3, 3, 0, 0) + quoted
    body = body[:2] + struct.pack("!H", wire.checksum(body)) + body[4:]
    frame = pieces(c, (0, 1), 40, wire.ip(SERVER, CLIENT, wire.ICMP, body))
    c.hit("addr", "icmp.quoted.destination.ip", frame, Plain(c, SERVER, CLIENT, wire.ICMP, (3, 3)))

"""Ways to make a sensor read another stream than the receiver does (Ptacek and Newsham 1998, and those after them).

In each a receiver of some kind reads the listed name; so must a sensor, whatever else it reads.
"""
from . import wire
from .cases_http import HOST, connect, request, response
from .flows import CLIENT, SERVER, Tcp, case, spread
from .indicators import SIGNATURE

PSH_ACK = wire.PSH | wire.ACK
BAD, GOOD = request("aa.evil.example"), request("aa.good.example")
SECOND_NS = 10**9


def spoil(c, at):
    """Makes the newest frame's 16-bit field at an offset wrong."""
    time, frame, length = c.frames[-1]
    c.frames[-1] = time, frame[:at] + bytes(byte ^ 0x5A for byte in frame[at:at + 2]) + frame[at + 2:], length
    return len(c.frames)


IP_CHECKSUM, TCP_CHECKSUM, UDP_CHECKSUM = 14 + 10, 14 + 20 + 16, 14 + 20 + 6


@case("tcp-byte-a-segment.pcap", "request and response in segments of one byte")
def _(c):
    flow = connect(c)
    c.hit("name", HOST, flow.send(BAD, 1), flow)
    c.hit("name-c2", None, flow.reply(response("302 Found", b"", ("Location: http://www.c2.invalid/",)), 1), flow)


@case("tcp-reversed.pcap", "a request in segments of four bytes that arrive from the last to the first")
def _(c):
    flow, at = connect(c), 1001
    for place in reversed(range(0, len(BAD), 4)):
        frame = flow.segment(BAD[place:place + 4], seq=at + place)
    c.hit("name", HOST, frame, flow)


@case("tcp-overlap-waiting-first.pcap", "a whole request waits behind a hole, another in its place comes later: the first to arrive counts, the other is looked at on its own")
def _(c):
    flow, at = connect(c), 1001
    head = request("www.good.example")
    flow.segment(BAD, seq=at + len(head))
    c.hit("name-c2", HOST, flow.segment(request("aaa.c2.invalid"), seq=at + len(head)), flow)
    c.hit("name", HOST, flow.segment(head, seq=at), flow)


@case("tcp-overlap-waiting-last.pcap", "the same with the harmless request first: the listed one is looked at on its own")
def _(c):
    flow, at = connect(c), 1001
    head = request("www.good.example")
    flow.segment(GOOD, seq=at + len(head))
    c.hit("name", HOST, flow.segment(BAD, seq=at + len(head)), flow)
    flow.segment(head, seq=at)


@case("tcp-overlap-bytes.pcap", "a byte signature in bytes that lose: behind what was read, and while a hole is open")
def _(c):
    flow = Tcp(c, CLIENT, SERVER, 49152, 7777)
    flow.open()
    flow.segment(b"x" * 40, seq=1001)
    c.hit("bytes", None, flow.segment(b"y" * 5 + SIGNATURE, seq=1001), flow)
    flow = Tcp(c, CLIENT, SERVER, 49153, 7777)
    flow.open()
    flow.segment(b"x" * 40, seq=1101)
    c.hit("bytes", None, flow.segment(SIGNATURE, seq=1105), flow)


@case("tcp-retransmission-old.pcap", "a segment from long ago sent again with another request in it")
def _(c):
    flow = connect(c)
    flow.send(GOOD)
    for _ in range(6):
        flow.reply(response(body=b"x" * 400))
        flow.send(request("www.good.example", "/" + "a" * 300))
    c.hit("name", HOST, flow.segment(BAD, seq=1001), flow)


@case("tcp-retransmission-new.pcap", "a retransmission that carries the answered request and a new one")
def _(c):
    flow = connect(c)
    flow.send(GOOD)
    flow.reply(response())
    c.hit("name", HOST, flow.segment(GOOD + request("www.evil.example"), seq=1001), flow)


@case("tcp-out-of-window.pcap", "bytes a gigabyte ahead between the halves of a request; a listed name in them is looked at on its own")
def _(c):
    flow = connect(c)
    data = request("www.evil.example")
    flow.segment(data[:20])
    c.hit("name-c2", HOST, flow.segment(request("www.c2.invalid"), seq=flow.next[0] + 0x40000000), flow)
    c.hit("name", HOST, flow.segment(data[20:]), flow)


@case("tcp-checksum-decoy.pcap", "a decoy with a wrong TCP checksum in the place of half a request: it is taken for the bytes unless checksums are verified")
def _(c):
    flow = connect(c)
    cut = BAD.index(b"evil")
    flow.segment(BAD[:cut])
    flow.segment(GOOD[cut:], move=False, seq=flow.next[0])
    spoil(c, TCP_CHECKSUM)
    flow.segment(BAD[cut:])
    flow.reply(response())
    c.may += ["name"]


@case("ip-checksum-decoy.pcap", "the same with a wrong IPv4 header checksum, and a datagram with a wrong UDP checksum")
def _(c):
    flow = connect(c)
    cut = BAD.index(b"evil")
    flow.segment(BAD[:cut])
    flow.segment(GOOD[cut:], move=False, seq=flow.next[0])
    spoil(c, IP_CHECKSUM)
    flow.segment(BAD[cut:])
    c.may += ["name", "bytes-udp"]
    datagram = wire.udp(CLIENT, SERVER, 4000, 4001, b"PICKET-OVER-UDP")
    c.add(wire.ip(CLIENT, SERVER, wire.UDP, datagram))
    spoil(c, UDP_CHECKSUM)


@case("tcp-syn-data-refused.pcap", "bytes in a SYN that the server does not take; the client then sends others in their place")
def _(c):
    flow = Tcp(c)
    flow.segment(GOOD, wire.SYN, seq=flow.isn[0])
    flow.segment(flags=wire.SYN | wire.ACK, seq=flow.isn[1], back=True)
    flow.segment(flags=wire.ACK)
    c.hit("name", HOST, flow.send(BAD), flow)
    flow.reply(response())


@case("tcp-fast-open-response.pcap", "TCP Fast Open: half the request in the SYN, the answer before the client's ACK")
def _(c):
    flow = Tcp(c)
    flow.segment(BAD[:25], wire.SYN, seq=flow.isn[0], options=b"\x22\x0a" + bytes(8))
    flow.next[0] += 25
    flow.segment(flags=wire.SYN | wire.ACK, seq=flow.isn[1], back=True)
    c.hit("name", HOST, flow.segment(BAD[25:]), flow)
    c.hit("name-c2", None, flow.reply(response("302 Found", b"", ("Location: http://www.c2.invalid/",))), flow)


@case("tcp-reset-never-arrived.pcap", "a RST with the right number that the server never sees, a pause, then the rest of the request")
def _(c):
    flow = connect(c)
    data = request("www.evil.example")
    flow.segment(data[:20])
    flow.segment(flags=wire.RST, seq=flow.next[0])
    c.now += 45 * SECOND_NS
    c.hit("name", HOST, flow.segment(data[20:]), flow)


@case("tcp-reset-in-window.pcap", "a RST within the window but not at its edge, a pause, then the rest of the request")
def _(c):
    flow = connect(c)
    data = request("www.evil.example")
    flow.segment(data[:20])
    flow.segment(flags=wire.RST, seq=flow.next[0] + 1000)
    c.now += 45 * SECOND_NS
    c.hit("name", HOST, flow.segment(data[20:]), flow)


@case("tcp-fin-never-arrived.pcap", "a FIN with the right number that the server never sees, between the halves of a request")
def _(c):
    flow = connect(c)
    data = request("malware.test", "/payload/dropper.bin")
    flow.segment(data[:30])
    flow.segment(flags=wire.FIN | wire.ACK, seq=flow.next[0])
    c.hit("url", "url.full", flow.segment(data[30:]), flow)


@case("tcp-urgent.pcap", "an urgent byte inside the listed name, that the receiver hands out beside the stream")
def _(c):
    flow = connect(c)
    data = BAD.replace(b"evil", b"evXil")
    urgent = data.index(b"X") + 1
    c.hit("name", HOST, flow.segment(data, PSH_ACK | wire.URG, urgent=urgent), flow)


@case("tcp-urgent-inline.pcap", "an urgent byte that is part of the name for a receiver that keeps it in; the pointer of a second request counts for nothing without its flag")
def _(c):
    flow = connect(c)
    c.hit("name", HOST, flow.segment(BAD, PSH_ACK | wire.URG, urgent=BAD.index(b"evil") + 1), flow)
    c.hit("name-c2", HOST, flow.segment(request("www.c2.invalid"), urgent=30), flow)


@case("tcp-zero-window.pcap", "the server closes its window in the middle of a request; probes of one byte; then the rest")
def _(c):
    flow = connect(c)
    data = request("www.evil.example")
    flow.segment(data[:20])
    flow.segment(flags=wire.ACK, back=True, window=0)
    for _ in range(3):
        c.now += SECOND_NS
        flow.segment(data[20:21], move=False, seq=flow.next[0])
        flow.segment(flags=wire.ACK, back=True, window=0, ack=flow.next[0])
    flow.segment(flags=wire.ACK, back=True)
    c.hit("name", HOST, flow.segment(data[20:]), flow)


@case("tcp-keep-alive-first.pcap", "keep-alives with and without a byte, before any data and for longer than a flow may be silent")
def _(c):
    flow = connect(c)
    for _ in range(4):
        c.now += 900 * SECOND_NS
        flow.segment(b"\0", wire.ACK, seq=flow.next[0] - 1)
        flow.segment(b"", wire.ACK, seq=flow.next[0] - 1)
        flow.segment(flags=wire.ACK, back=True)
    c.hit("name", HOST, flow.send(BAD), flow)


@case("tcp-duplicate-syn-ack.pcap", "SYN and SYN/ACK twice, a SYN/ACK with another number before the true one, another after data")
def _(c):
    flow = Tcp(c)
    for _ in range(2):
        flow.segment(flags=wire.SYN, seq=flow.isn[0])
    flow.segment(flags=wire.SYN | wire.ACK, seq=77_000_000, back=True)
    for _ in range(2):
        flow.segment(flags=wire.SYN | wire.ACK, seq=flow.isn[1], back=True)
    flow.segment(flags=wire.ACK)
    c.hit("name", HOST, flow.send(BAD), flow)
    answer = response("302 Found", b"", ("Location: http://www.c2.invalid/",))
    flow.reply(answer[:20])
    flow.segment(flags=wire.SYN | wire.ACK, seq=flow.isn[1], back=True)
    c.hit("name-c2", None, flow.reply(answer[20:]), flow)


@case("tcp-syn-forged.pcap", "a SYN with another number between handshake and request: below it, just above it, far from it")
def _(c):
    for sport, isn in ((49152, 1_000_000), (49153, 600), (49154, 0xB000_0000)):
        flow = connect(c, sport)
        flow.segment(flags=wire.SYN, seq=isn)
        first = flow.send(BAD)
        c.now += 20 * SECOND_NS
        for _ in range(70):
            last = flow.segment(flags=wire.ACK, back=True)
        c.hit("name", HOST, spread(first, last), flow)


@case("tcp-simultaneous-open.pcap", "both ends send a SYN, then a SYN/ACK; then a request and its answer")
def _(c):
    flow = Tcp(c, sport=8080, dport=8080)
    flow.segment(flags=wire.SYN, seq=flow.isn[0])
    flow.segment(flags=wire.SYN, seq=flow.isn[1], back=True)
    flow.segment(flags=wire.SYN | wire.ACK, seq=flow.isn[0])
    flow.segment(flags=wire.SYN | wire.ACK, seq=flow.isn[1], back=True)
    c.hit("name", HOST, flow.send(BAD), flow)
    c.hit("name-c2", None, flow.reply(response("302 Found", b"", ("Location: http://www.c2.invalid/",))), flow)


@case("tcp-half-handshake.pcap", "the capture begins with the SYN/ACK; and, in another flow, with the client's ACK")
def _(c):
    flow = Tcp(c)
    flow.segment(flags=wire.SYN | wire.ACK, seq=flow.isn[1], back=True)
    flow.segment(flags=wire.ACK)
    c.hit("name", HOST, flow.send(BAD, 30), flow)
    flow = Tcp(c, sport=49153)
    flow.segment(flags=wire.ACK)
    c.hit("name", HOST, flow.send(BAD, 30), flow)


@case("tcp-half-captured.pcap", "both ends' data with every second answer missing, and the last segment of the flow only once")
def _(c):
    flow = connect(c)
    for number in range(4):
        last = flow.send(request("www.good.example", f"/{number}"))
        answer = response(body=b"x" * 50)
        if number % 2:
            flow.next[1] += len(answer)
        else:
            flow.reply(answer)
    first = flow.send(BAD)
    c.hit("name", HOST, spread(first, first + 1), flow)
    flow.segment(flags=wire.ACK, back=True)


@case("tcp-port-reuse-open.pcap", "the same ports again with no close seen: new numbers above, below, and after a RST; three requests")
def _(c):
    for isn in ((900_000, 5000), (1000, 7_000_000), (3_000_000_000, 9_000)):
        flow = Tcp(c, isn=isn)
        flow.open()
        c.hit("name", HOST, flow.send(BAD), flow)
        flow.reply(response())
        if isn[0] == 1000:
            flow.segment(flags=wire.RST | wire.ACK)
        c.now += SECOND_NS


@case("tcp-port-reuse-swapped.pcap", "the server opens a connection back on the same two ports")
def _(c):
    flow = Tcp(c, sport=8080, dport=8080)
    flow.open()
    c.hit("name", HOST, flow.send(BAD), flow)
    flow.close()
    c.now += SECOND_NS
    flow = Tcp(c, SERVER, CLIENT, 8080, 8080, isn=(500_000, 900_000_000))
    flow.open()
    c.hit("name-c2", HOST, flow.send(request("www.c2.invalid")), flow)

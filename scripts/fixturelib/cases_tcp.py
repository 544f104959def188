"""What TCP does to the bytes, with HTTP requests to notice it by."""
from . import files, wire
from .cases_http import HOST, URL, connect, request, response
from .flows import BAD, CLIENT, SERVER, Tcp, case, spread

PSH_ACK = wire.PSH | wire.ACK


@case("tcp-conversation.pcap", "handshake, request, response in three segments, close: one address, one name, one URL")
def _(c):
    flow = Tcp(c, CLIENT, BAD)
    c.hit("addr", "destination.ip", 1, flow)
    flow.open()
    frame = flow.send(request("malware.test", "/payload/dropper.bin"))
    c.hit("url", URL, frame, flow)
    flow.reply(response(body=b"x" * 600), 250)
    flow.close()


@case("tcp-reopened-cut.pcap", "one direction, payload cut by the snap length: data was seen, so a second SYN with another number is another conversation")
def _(c):
    for isn in (1000, 70000):
        flow = Tcp(c, CLIENT, BAD, isn=(isn, 5000))
        c.hit("addr", "destination.ip", flow.segment(flags=wire.SYN, seq=isn), flow)
        flow.segment(flags=wire.ACK)
        flow.send(request("www.good.example"))
    c.content = files.pcap([(t, data[:54], len(data)) for t, data, _ in c.frames], snap=54)


@case("tcp-mid-stream.pcap", "no handshake: the capture starts between two requests, with the server's answer")
def _(c):
    flow = Tcp(c, CLIENT, SERVER, isn=(70000, 90000))
    flow.reply(response())
    c.hit("name", HOST, flow.send(request("www.evil.example")), flow)


@case("tcp-one-direction-client.pcap", "only the client's segments, handshake included")
def _(c):
    flow = Tcp(c)
    flow.segment(flags=wire.SYN, seq=flow.isn[0])
    flow.segment(flags=wire.ACK)
    flow.send(request("www.good.example"))
    flow.next[1] += 400
    last = flow.send(request("www.evil.example"), 40)
    c.hit("name", HOST, spread(last - 1, last), flow)


@case("tcp-one-direction-server.pcap", "only the server's segments, mid-stream: a response with a listed Location, from a listed address")
def _(c):
    flow = Tcp(c, CLIENT, BAD, isn=(70000, 90000))
    frame = flow.reply(response("302 Found", b"", ("Location: http://www.evil.example/",)))
    c.hit("addr", "destination.ip", frame, flow)
    c.hit("name", None, frame, flow)


@case("tcp-one-direction-mid-stream.pcap", "only the client's segments, no handshake, the first one cut out of a request")
def _(c):
    flow = Tcp(c, isn=(70000, 90000))
    flow.send(request("www.good.example")[12:])
    flow.next[1] += 400
    c.hit("name", HOST, flow.send(request("www.evil.example")), flow)


@case("tcp-out-of-order.pcap", "a request in five segments that arrive 1 5 3 2 4")
def _(c):
    flow = connect(c)
    data, at = request("malware.test", "/payload/dropper.bin"), flow.next[0]
    size = -(-len(data) // 5)
    for part in (0, 4, 2, 1, 3):
        frame = flow.segment(data[part * size:][:size], seq=at + part * size)
    c.hit("url", URL, frame, flow)


@case("tcp-retransmission.pcap", "every segment of a request twice, and one again after the next")
def _(c):
    flow = connect(c)
    data, at = request("www.evil.example"), flow.next[0]
    parts = [(p, data[p:p + 20]) for p in range(0, len(data), 20)]
    for position, part in enumerate(parts):
        for offset, piece in (part, part, *([parts[position - 1]] if position else [])):
            flow.segment(piece, seq=at + offset)
    c.hit("name", HOST, spread(5, len(c.frames)), flow)


@case("tcp-retransmission-larger.pcap", "a retransmission that carries more than was lost")
def _(c):
    flow = connect(c)
    data, at = request("www.evil.example"), flow.next[0]
    flow.segment(data[:30], seq=at)
    c.hit("name", HOST, flow.segment(data, seq=at), flow)


@case("tcp-overlap-delivered.pcap", "bytes already delivered sent again with another name: the first ones count")
def _(c):
    flow = connect(c)
    bad, good = request("aa.evil.example"), request("aa.good.example")
    at, cut = flow.next[0], bad.index(b"\r\nUser")
    flow.segment(bad[:cut], seq=at)
    frame = flow.segment(good, seq=at)
    c.hit("name", HOST, [frame - 1, frame], flow)


@case("tcp-overlap-delivered-other.pcap", "the same the other way round: the listed name came second, and is looked at on its own")
def _(c):
    flow = connect(c)
    bad, good = request("aa.evil.example"), request("aa.good.example")
    at, cut = flow.next[0], bad.index(b"\r\nUser")
    flow.segment(good[:cut], seq=at)
    c.hit("name", HOST, flow.segment(bad, seq=at), flow)


@case("tcp-overlap-pending.pcap", "conflicting bytes while a gap is open: which name counts is the documented policy's choice")
def _(c):
    flow = connect(c)
    bad, good = request("aa.evil.example"), request("bb.c2.invalid")
    at = flow.next[0]
    flow.segment(bad[8:], seq=at + 8)
    flow.segment(good[8:], seq=at + 8)
    flow.segment(bad[:8], seq=at)
    c.may += ["name", "name-c2"]


@case("tcp-sequence-wrap.pcap", "sequence numbers wrap inside the listed name, in both directions")
def _(c):
    data = request("www.evil.example")
    flow = Tcp(c, isn=(0xFFFFFFFF - data.index(b"evil") - 2, 0xFFFFFFFF - 30))
    flow.open()
    frames = [flow.segment(data[p:p + 24]) for p in range(0, len(data), 24)]
    c.hit("name", HOST, spread(frames[1], frames[-1]), flow)
    answer = response("302 Found", b"", ("Location: http://www.c2.invalid/",))
    c.hit("name-c2", None, flow.reply(answer, 16), flow)


@case("tcp-gap.pcap", "a lost segment that the server acknowledges, then two more requests")
def _(c):
    flow = connect(c)
    flow.send(request("www.good.example", "/1"))
    flow.reply(response())
    flow.next[0] += len(request("www.good.example", "/lost"))
    flow.reply(response())
    first = flow.send(request("www.good.example", "/3"))
    flow.reply(response())
    flow.send(request("www.evil.example", "/4"))
    flow.reply(response())
    flow.close()
    c.hit("name", HOST, spread(first, len(c.frames)), flow)


@case("tcp-gap-one-direction.pcap", "a lost segment in a flow of which only one direction is seen, then 12 kB more")
def _(c):
    flow = Tcp(c, isn=(70000, 90000))
    flow.send(request("www.good.example", "/1"))
    flow.next[0] += 300
    first = len(c.frames) + 1
    for number in range(8):
        flow.send(request("www.good.example", "/" + "a" * 1300 + str(number)))
    flow.send(request("www.evil.example"))
    c.hit("name", HOST, spread(first, len(c.frames)), flow)


@case("tcp-gap-in-body.pcap", "bytes lost inside a response body of known length, a listed Location after it")
def _(c):
    flow = connect(c)
    flow.send(request("www.good.example", "/1"))
    body = response(body=b"x" * 3000)
    flow.reply(body[:1000])
    flow.next[1] += 1000
    flow.reply(body[2000:])
    flow.send(request("www.good.example", "/2"))
    frame = flow.reply(response("302 Found", b"", ("Location: http://www.evil.example/",)))
    flow.close()
    c.hit("name", None, spread(frame, len(c.frames)), flow)


@case("tcp-fin-with-data.pcap", "the request and FIN in one segment")
def _(c):
    flow = connect(c)
    c.hit("name", HOST, flow.segment(request("www.evil.example"), wire.FIN | PSH_ACK), flow)
    flow.segment(flags=wire.FIN | wire.ACK, back=True)
    flow.segment(flags=wire.ACK)


@case("tcp-reset.pcap", "handshake, request, RST from the server; the RST's own data is not a request")
def _(c):
    flow = connect(c)
    c.hit("name", HOST, flow.send(request("www.evil.example")), flow)
    flow.segment(b"No such service", wire.RST | wire.ACK, back=True)


@case("tcp-reset-out-of-window.pcap", "a RST far outside the window between the halves of a request (an evasion)")
def _(c):
    flow = connect(c)
    data = request("www.evil.example")
    flow.segment(data[:20])
    flow.segment(flags=wire.RST, seq=flow.next[0] + 0x40000000)
    c.hit("name", HOST, flow.segment(data[20:]), flow)


@case("tcp-fin-early.pcap", "the FIN overtakes the second half of the request")
def _(c):
    flow = connect(c)
    data, at = request("www.evil.example"), flow.next[0]
    flow.segment(data[:20], seq=at)
    flow.segment(flags=wire.FIN | wire.ACK, seq=at + len(data))
    c.hit("name", HOST, flow.segment(data[20:], seq=at + 20), flow)
    flow.next[0] += len(data) + 1
    flow.segment(flags=wire.FIN | wire.ACK, back=True)
    flow.segment(flags=wire.ACK)


@case("tcp-fin-forged.pcap", "a FIN far outside the window between the halves of a request (an evasion)")
def _(c):
    flow = connect(c)
    data = request("www.evil.example")
    flow.segment(data[:20])
    flow.segment(flags=wire.FIN | wire.ACK, seq=flow.next[0] + 0x40000000)
    c.hit("name", HOST, flow.segment(data[20:]), flow)


@case("tcp-syn-data.pcap", "a request in the SYN (TCP Fast Open)")
def _(c):
    flow = Tcp(c)
    data = request("www.evil.example")
    first = flow.segment(data, wire.SYN, seq=flow.isn[0], options=b"\x22\x0a" + bytes(8))
    flow.next[0] += len(data)
    flow.segment(flags=wire.SYN | wire.ACK, seq=flow.isn[1], back=True)
    last = flow.segment(flags=wire.ACK)
    c.hit("name", HOST, spread(first, last), flow)


@case("tcp-port-reuse.pcap", "two connections on the same ports, FIN and new SYN between: two flows, two alerts an address")
def _(c):
    for isn in ((1000, 5000), (900_000_000, 7_000_000)):
        flow = Tcp(c, CLIENT, BAD, isn=isn)
        c.hit("addr", "destination.ip", len(c.frames) + 1, flow)
        flow.open()
        c.hit("name", HOST, flow.send(request("www.evil.example")), flow)
        flow.close()
        c.now += 5 * 10**9


@case("tcp-keep-alive-probe.pcap", "keep-alive probes (one old byte) between two halves of a request")
def _(c):
    flow = connect(c)
    data = request("www.evil.example")
    flow.segment(data[:25])
    flow.segment(b"\0", wire.ACK, seq=flow.next[0] - 1)
    flow.segment(flags=wire.ACK, back=True)
    c.hit("name", HOST, flow.segment(data[25:]), flow)


@case("tcp-bad-checksum.pcap", "a request whose checksums are zero, as offloading leaves them: it still counts")
def _(c):
    flow = connect(c)
    flow.send(request("www.evil.example"))
    time, frame, length = c.frames[-1]
    at = 14 + 20 + 16
    c.frames[-1] = time, frame[:at] + b"\0\0" + frame[at + 2:], length
    c.hit("name", HOST, len(c.frames), flow)

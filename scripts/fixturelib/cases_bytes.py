"""Byte signatures, over TCP and UDP, whole and split."""
from .flows import CLIENT, SERVER, Tcp, Udp, case
from .indicators import SIGNATURE


def connect(capture, sport=49152):
    flow = Tcp(capture, CLIENT, SERVER, sport, 7777)
    flow.open()
    return flow


@case("bytes-one-segment.pcap", "byte signature inside one segment, each direction; all but its last byte in a third flow")
def _(c):
    flow = connect(c)
    c.hit("bytes", None, flow.send(b"\1\2\3\4" + SIGNATURE + b"\5\6"), flow)
    flow = connect(c, 49153)
    c.hit("bytes", None, flow.reply(b"banner " + SIGNATURE), flow)
    connect(c, 49154).send(SIGNATURE[:-1] + b"\5\6")


@case("bytes-two-segments.pcap", "byte signature over two segments; the same halves with a byte between are no match")
def _(c):
    flow = connect(c)
    flow.send(b"....." + SIGNATURE[:9])
    c.hit("bytes", None, flow.send(SIGNATURE[9:] + b"....."), flow)
    flow = connect(c, 49153)
    flow.send(b"....." + SIGNATURE[:9])
    flow.send(b"." + SIGNATURE[9:])


@case("bytes-byte-a-segment.pcap", "byte signature in segments of one byte")
def _(c):
    flow = connect(c)
    c.hit("bytes", None, flow.send(SIGNATURE, 1), flow)


@case("bytes-out-of-order.pcap", "byte signature over three segments that arrive 1 3 2; in arrival order it is not there")
def _(c):
    flow = connect(c)
    at, data = flow.next[0], b"...." + SIGNATURE
    flow.segment(data[:10], seq=at)
    flow.segment(data[17:], seq=at + 17)
    c.hit("bytes", None, flow.segment(data[10:17], seq=at + 10), flow)


@case("bytes-not-across-gap.pcap", "the halves of a byte signature on both sides of a lost segment: no match; nor across directions or flows")
def _(c):
    flow = connect(c)
    flow.send(b"....." + SIGNATURE[:9])
    flow.next[0] += 100
    flow.send(SIGNATURE[9:] + b".....")
    flow.close()
    flow = connect(c, 49153)
    flow.send(SIGNATURE[:9])
    flow.reply(SIGNATURE[9:])
    connect(c, 49154).send(SIGNATURE[9:])


@case("bytes-udp.pcap", "byte signature in a datagram; over two datagrams it is no match")
def _(c):
    flow = Udp(c, CLIENT, SERVER, 40000, 7777)
    flow.send(b"hello")
    c.hit("bytes", None, flow.send(b"x" * 30 + SIGNATURE), flow)
    flow = Udp(c, CLIENT, SERVER, 40001, 7777)
    flow.send(SIGNATURE[:9])
    flow.send(SIGNATURE[9:])


@case("bytes-transport.pcap", "a signature limited to UDP, over UDP and over TCP")
def _(c):
    flow = Udp(c, CLIENT, SERVER, 40000, 7777)
    c.hit("bytes-udp", None, flow.send(b"PICKET-OVER-UDP"), flow)
    connect(c).send(b"PICKET-OVER-UDP")


@case("bytes-nocase.pcap", "a signature in any case, split; a case-sensitive one in the wrong case")
def _(c):
    flow = connect(c)
    flow.send(b"....PiCkEt-NoCa")
    c.hit("bytes-nocase", None, flow.send(b"SE-MARKER"), flow)
    connect(c, 49153).send(SIGNATURE.lower())


@case("bytes-offset-depth.pcap", "a signature with offset 4 and depth 14: at 4, then at 3 and at 5")
def _(c):
    for port, lead in enumerate((b"1234", b"123", b"12345"), 49152):
        flow = connect(c, port)
        frame = flow.send(lead + b"PICKET-AT-FOUR....")
        if len(lead) == 4:
            c.hit("bytes-depth", None, frame, flow)
    flow = connect(c, 49160)
    flow.send(b"1234PICKET")
    c.hit("bytes-depth", None, flow.send(b"-AT-FOUR"), flow)


@case("bytes-second-message.pcap", "a signature in an HTTP body, after the headers were parsed")
def _(c):
    flow = connect(c)
    flow.send(b"GET /file HTTP/1.1\r\nHost: www.good.example\r\n\r\n")
    body = b"x" * 500 + SIGNATURE + b"x" * 500
    data = f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body
    flow.reply(data[:560])
    flow.reply(data[560:])
    at = data.index(SIGNATURE)
    c.hit("bytes", None, len(c.frames) if at + len(SIGNATURE) > 560 else len(c.frames) - 1, flow)

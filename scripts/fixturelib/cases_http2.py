"""HTTP/2 in the clear."""
from . import http2 as h2
from .cases_http import AGENT, BOT, HOST, URL, request
from .flows import CLIENT, SERVER, Tcp, case, spread


def connect(capture, sport=49152, dport=8080):
    flow = Tcp(capture, CLIENT, SERVER, sport, dport)
    flow.open()
    return flow


def begin(capture, sport=49152):
    """With prior knowledge."""
    flow = connect(capture, sport)
    flow.send(h2.PREFACE + h2.settings((3, 100), (4, 65535)))
    flow.reply(h2.settings((3, 128)) + h2.ACK)
    return flow


def ask(authority, path="/", agent="Mozilla/5.0", scheme=h2.HTTP, extra=b""):
    return h2.GET + scheme + h2.literal(h2.PATH, path) + h2.literal(h2.AUTHORITY, authority, True) + h2.literal(h2.AGENT, agent, True) + extra


def headers(block, stream=1, flags=h2.END_HEADERS | h2.END_STREAM):
    return h2.frame(h2.HEADERS, flags, stream, block)


@case("http2-request.pcap", "HTTP/2 with prior knowledge: a listed URL, host and agent; a response; near misses")
def _(c):
    flow = begin(c)
    c.hit("url", URL, flow.send(headers(ask("malware.test", "/payload/dropper.bin"))), flow)
    flow.reply(headers(h2.OK + h2.literal("content-type", "text/plain", True), 1, h2.END_HEADERS) + h2.frame(h2.DATA, 1, 1, b"evil.example" * 9))
    frame = flow.send(h2.ACK + headers(ask("www.evil.example", agent=BOT, scheme=h2.HTTPS), 3))
    c.hit("name", HOST, frame, flow)
    c.hit("agent", AGENT, frame, flow)
    for port, (host, path) in enumerate((("notevil.example", "/evil.example"), ("malware.test", "/payload/dropper.bin2")), 49153):
        begin(c, port).send(headers(ask(host, path)))


@case("http2-h2c.pcap", "an upgrade from HTTP/1.1; the listed name comes in HTTP/2")
def _(c):
    flow = connect(c, dport=80)
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    flow.send(request("www.good.example", extra=upgrade))
    flow.reply(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + h2.settings((3, 100)))
    flow.send(h2.PREFACE + h2.settings((3, 100)) + h2.ACK)
    flow.reply(headers(h2.OK, 1, h2.END_HEADERS) + h2.frame(h2.DATA, 1, 1, b"x" * 500))
    c.hit("name", HOST, flow.send(headers(ask("www.evil.example"), 3)), flow)


@case("http2-table.pcap", "coded strings; a listed URL whose host is the number of a table entry that other fields moved")
def _(c):
    flow = begin(c)
    host = h2.literal(h2.AUTHORITY, "malware.test", True, h2.coded("malware.test"))
    flow.send(headers(h2.GET + h2.HTTP + h2.ROOT + host + h2.literal("x-one", "1", True) + h2.literal("x-two", "2" * 200, True)))
    path = h2.literal(h2.PATH, "/payload/dropper.bin", True, h2.coded("/payload/dropper.bin"))
    c.hit("url", URL, flow.send(headers(h2.GET + h2.HTTP + path + h2.entry(3), 3)), flow)


@case("http2-continuation.pcap", "a padded block with priority over three frames and small segments; one that is never ended")
def _(c):
    flow = begin(c)
    block = ask("www.evil.example", "/" + "a" * 200)
    first = h2.frame(h2.HEADERS, h2.PADDED | h2.WITH_PRIORITY, 1, b"\x05" + bytes(4) + b"\x10" + block[:40] + bytes(5))
    rest = h2.frame(h2.CONTINUATION, 0, 1, block[40:200]) + h2.frame(h2.CONTINUATION, h2.END_HEADERS, 1, block[200:])
    c.hit("name", HOST, flow.send(first + rest, 37), flow)
    flow = begin(c, 49153)
    flow.send(h2.frame(h2.HEADERS, 0, 1, block))
    flow.send(h2.frame(h2.DATA, 0, 1, b"x" * 40))


@case("http2-response.pcap", "a redirect to a listed name, and a push that promises it")
def _(c):
    flow = begin(c)
    flow.send(headers(ask("www.good.example")))
    redirect = h2.literal(h2.STATUS, "302") + h2.literal(h2.LOCATION, "https://www.evil.example/next", True)
    c.hit("name", "http.response.headers.location", flow.reply(headers(redirect)), flow)
    flow = begin(c, 49153)
    flow.send(headers(ask("www.good.example")))
    push = h2.frame(h2.PUSH_PROMISE, h2.END_HEADERS, 1, (2).to_bytes(4, "big") + ask("www.evil.example", "/pushed"))
    c.hit("name", HOST, flow.reply(push), flow)


@case("http2-split.pcap", "a request in segments of one byte")
def _(c):
    flow = begin(c)
    last = flow.send(headers(ask("www.evil.example", "/a")), 1)
    c.hit("name", HOST, spread(last, last), flow)


@case("http2-gap.pcap", "a lost segment: reading resumes at the next frame, and leaves out what the table held")
def _(c):
    flow = begin(c)
    flow.send(headers(ask("www.good.example")))
    flow.next[0] += 100
    c.hit("name", HOST, flow.send(headers(h2.GET + h2.HTTP + h2.ROOT + h2.entry(0) + h2.literal(h2.AUTHORITY, "www.evil.example"), 5)), flow)


@case("http2-garbage.pcap", "frames and blocks that lie: lengths, padding, numbers past the table, a code that is none")
def _(c):
    for port, bad in enumerate((
        headers(b"\x82\x86\xff\xff\xff\xff\xff\xff"), headers(b"\x82\xc5"), headers(h2.GET + b"\x41\x8f" + b"\xff" * 15),
        h2.frame(h2.HEADERS, h2.END_HEADERS | h2.PADDED, 1, b"\xff" + ask("www.evil.example")),
        b"\xff\xff\xff\xee\xff\x7f\xff\xff\xff" + ask("www.evil.example"),
    ), 49152):
        flow = begin(c, port)
        flow.send(bad)
        flow.send(b"GET / HTTP/1.1\r\n\r\n")

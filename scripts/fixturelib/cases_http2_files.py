"""Files that HTTP/2 in the clear carries: digests, names, decoded content, of several streams at once."""
from . import codings
from . import http2 as h2
from .cases_files import CONTENT, NAME, is_file
from .cases_http import request
from .cases_http2 import ask, begin, connect, headers
from .flows import case
from .indicators import FILE, SIGNATURE

ENCODING, TYPE, DISPOSITION, RANGE = 26, 31, 25, 30
PUT = h2.literal(h2.METHOD, "PUT")
PARTIAL = bytes([0x80 | 10])


def reply(stream, *fields, end=False, status=h2.OK):
    return headers(status + b"".join(fields), stream, h2.END_HEADERS | h2.END_STREAM * end)


def data(stream, body, end=False):
    return h2.frame(h2.DATA, h2.END_STREAM * end, stream, body)


def padded(stream, body, padding, end=False):
    return h2.frame(h2.DATA, h2.PADDED | h2.END_STREAM * end, stream, bytes([padding]) + body + bytes(padding))


def fetch(flow, stream, path="/pub/file.bin"):
    return flow.send(headers(ask("www.good.example", path), stream))


@case("http2-file.pcap", "a listed file in three DATA frames, one padded, in segments of 90 bytes; one that ends with an empty frame; one that ends with trailers; a changed one")
def _(c):
    flow = begin(c)
    fetch(flow, 1, "/pub/Evil-Dropper.exe")
    c.hit("file-name", NAME, flow.reply(reply(1)), flow)
    flow.reply(data(1, FILE[:40]) + padded(1, FILE[40:100], 9) + data(1, b""), 90)
    is_file(c, flow.reply(data(1, FILE[100:], True)), flow)
    for port, end in ((49153, data(1, b"", True)), (49154, headers(h2.literal("x-check", "ok"), 1))):
        flow = begin(c, port)
        fetch(flow, 1)
        flow.reply(reply(1) + data(1, FILE))
        is_file(c, flow.reply(end), flow)
    flow = begin(c, 49155)
    fetch(flow, 1)
    flow.reply(reply(1) + data(1, FILE[:-1] + b"?", True))


@case("http2-file-parallel.pcap", "a listed file on each of two streams that take turns, with another one between; a byte signature in pieces on streams that take turns")
def _(c):
    flow = begin(c)
    for stream in (1, 3, 5):
        fetch(flow, stream)
    flow.reply(reply(1) + reply(3) + reply(5))
    flow.reply(data(1, FILE[:100]) + data(3, b"another file") + data(5, FILE[:7]) + data(1, FILE[100:150]) + data(5, FILE[7:]))
    flow.reply(data(3, b"?", True))
    is_file(c, flow.reply(data(1, FILE[150:], True)), flow)
    flow.reply(data(5, b"", True))
    # Three streams at once, the signature in halves on the second and on the third; and halves of it on two streams, which are none.
    flow = begin(c, 49153)
    for stream in (1, 3, 5):
        fetch(flow, stream)
    first, rest = SIGNATURE[:5], SIGNATURE[5:]
    flow.reply(reply(1) + reply(3) + reply(5) + data(1, b"." + first) + data(3, b".." + first) + data(5, b"..." + first))
    flow.reply(data(1, b"x" + rest))
    c.hit("bytes", CONTENT, flow.reply(data(3, rest)), flow)
    flow.reply(data(5, rest))
    flow = begin(c, 49154)
    for stream in (1, 3):
        fetch(flow, stream)
    flow.reply(reply(1) + reply(3) + data(1, first))
    flow.reply(data(3, rest) + data(1, b"x"))


@case("http2-file-codings.pcap", "a listed file in each content coding; a signature in coded content; damage, coded content without its end, a range, a reset: no verdict")
def _(c):
    gzip = codings.gzip(FILE)
    for port, (name, coded) in enumerate((("gzip", gzip), ("deflate", codings.deflated(FILE)), ("br", codings.brotli(FILE)), ("zstd", codings.zstd(FILE))), 49152):
        flow = begin(c, port)
        fetch(flow, 1)
        flow.reply(reply(1, h2.literal(ENCODING, name, True)) + data(1, coded[:60]))
        is_file(c, flow.reply(data(1, coded[60:], True)), flow)
    flow = begin(c, 49156)
    fetch(flow, 1)
    flow.reply(reply(1, h2.literal(ENCODING, "gzip")))
    c.hit("bytes", CONTENT, flow.reply(data(1, codings.gzip(b"before " + SIGNATURE + b" behind"), True)), flow)
    for port, rest in enumerate((
        reply(1, h2.literal(ENCODING, "gzip")) + data(1, b"\x55" * 30 + gzip, True),
        reply(1, h2.literal(ENCODING, "gzip")) + data(1, codings.gzip(FILE)[:-9], True),
        reply(1, h2.literal(RANGE, "bytes 0-99/900"), status=PARTIAL) + data(1, FILE, True),
        reply(1) + data(1, FILE[:200]) + h2.frame(h2.RST_STREAM, 0, 1, bytes(4)) + data(1, FILE[200:], True),
    ), 49157):
        flow = begin(c, port)
        fetch(flow, 1)
        flow.reply(rest)


@case("http2-file-upload.pcap", "a listed file put, under a listed name; a form with it")
def _(c):
    flow = begin(c)
    c.hit("file-name", NAME, flow.send(headers(PUT + h2.HTTP + h2.literal(h2.PATH, "/in/Evil-Dropper.exe") + h2.literal(h2.AUTHORITY, "www.good.example"), 1, h2.END_HEADERS)), flow)
    is_file(c, flow.send(data(1, FILE[:50]) + data(1, FILE[50:], True)), flow)
    flow = begin(c, 49153)
    post = bytes([0x83]) + h2.HTTP + h2.ROOT + h2.literal(h2.AUTHORITY, "www.good.example") + h2.literal(TYPE, "multipart/form-data; boundary=picket")
    part = b"--picket\r\nContent-Disposition: form-data; name=f; filename=\"a.bin\"\r\n\r\n" + FILE + b"\r\n--picket--\r\n"
    flow.send(headers(post, 1, h2.END_HEADERS) + data(1, part[:300]))
    is_file(c, flow.send(data(1, part[300:], True)), flow)


@case("http2-file-h2c.pcap", "an upgrade from HTTP/1.1: the response on stream 1 is a listed file under a listed name")
def _(c):
    flow = connect(c, dport=80)
    upgrade = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    flow.send(request("www.good.example", extra=upgrade))
    flow.reply(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n" + h2.settings((3, 100)))
    flow.send(h2.PREFACE + h2.settings((3, 100)) + h2.ACK)
    c.hit("file-name", NAME, flow.reply(reply(1, h2.literal(DISPOSITION, "attachment; filename=evil-dropper.exe"))), flow)
    is_file(c, flow.reply(data(1, FILE, True)), flow)


@case("http2-file-gap.pcap", "a hole within a body: no verdict on it; the table of headers stands, and the next body is read")
def _(c):
    flow = begin(c)
    fetch(flow, 1)
    flow.reply(reply(1, h2.literal("x-a", "b", True), h2.literal(ENCODING, "identity", True)))
    frame = data(1, FILE, True)
    flow.reply(frame[:100])
    flow.next[1] += 50
    flow.reply(frame[150:])
    fetch(flow, 3)
    # The entry of the table says what the content's coding is.
    flow.reply(reply(3, h2.entry(0)) + data(3, FILE[:20]))
    is_file(c, flow.reply(data(3, FILE[20:], True)), flow)

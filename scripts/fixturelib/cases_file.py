"""File formats, compression and damage."""
import zlib

from . import dns, files, wire
from .cases_http import HOST, connect, request, response
from .flows import CLIENT, RESOLVER, START_NS, STEP_NS, Capture, Tcp, Udp, case

SECOND = 10**9


def query_packet(port=40000, name="www.evil.example", ends=(CLIENT, RESOLVER)):
    return wire.ip(*ends, wire.UDP, wire.udp(*ends, port, 53, dns.query(name)))


def queries(c, count=3, file=0):
    """`count` queries for a listed name, each in a flow of its own."""
    for port in range(40000, 40000 + count):
        flow = Udp(c, CLIENT, RESOLVER, port, 53)
        c.hit("name", "dns.question.name", flow.send(dns.query("www.evil.example")), flow, file)
    return c.frames


def classic(name, behaviour, **how):
    def build(c):
        queries(c)
        c.content = files.pcap(c.frames, **how)
    case(f"file-{name}.pcap", behaviour)(build)


classic("micro-little", "pcap, microseconds, little-endian")
classic("micro-big", "pcap, microseconds, big-endian", order=">")
classic("nano-little", "pcap, nanoseconds, little-endian", nano=True)
classic("nano-big", "pcap, nanoseconds, big-endian", nano=True, order=">")


@case("file-fcs-bits.pcap", "pcap whose link type field says that frames end with a frame check sequence")
def _(c):
    frames = [(t, data + zlib.crc32(data).to_bytes(4, "little")) for t, data, _ in queries(c)]
    c.content = files.pcap(frames, link=1 | 0x24000000)


def ng(name, behaviour):
    """A pcapng case: the function gets the capture and an emit(block) with the frames counted by itself."""
    return case(f"file-{name}.pcapng", behaviour)


def expect(c, frame, port=40000, ends=(CLIENT, RESOLVER)):
    c.hit("name", "dns.question.name", frame, Udp(c, *ends, port, 53))


@ng("pcapng", "pcapng, one section, one interface, options everywhere, an unknown and a custom block, statistics")
def _(c):
    comment = (1, b"made by scripts/make_fixtures.py")
    frame = wire.ethernet(query_packet())
    c.content = b"".join([
        files.section(entries=[comment, (3, b"Linux"), (4, b"picket fixtures")]),
        files.interface(entries=[(2, b"eth0"), (9, b"\x09"), (1, b"listed names")]),
        files.block(0x0BAD, (0x7ED9).to_bytes(4, "little") + b"custom data"),
        files.enhanced(0, START_NS, frame, entries=[(2, b"\0\0\0\0"), comment]),
        files.block(0x7FFFFFF0, b"unknown block"),
        files.block(4, b"\0\0\0\0"),
        files.block(5, b"\0\0\0\0" + bytes(8)),
        files.enhanced(0, START_NS + 5, wire.ethernet(query_packet(40001))),
    ])
    expect(c, 1)
    expect(c, 2, 40001)


@ng("big-endian", "pcapng, big-endian")
def _(c):
    c.content = files.section(">") + files.interface(order=">") + files.enhanced(0, files.tick(START_NS), wire.ethernet(query_packet()), ">")
    expect(c, 1)


@ng("two-sections", "two sections of opposite byte order and other link types; frame numbers run on")
def _(c):
    c.content = files.section() + files.interface() + files.enhanced(0, files.tick(START_NS), wire.ethernet(query_packet()))
    c.content += files.section(">") + files.interface(101, ">") + files.enhanced(0, files.tick(START_NS + SECOND), query_packet(40001), ">")
    expect(c, 1)
    expect(c, 2, 40001)


@ng("mixed-links", "three interfaces with three link types, frames interleaved")
def _(c):
    links = [(1, wire.ethernet), (113, wire.sll), (101, bytes)]
    c.content = files.section() + b"".join(files.interface(number) for number, _ in links)
    for frame, interface in enumerate((2, 0, 1, 0, 2), 1):
        packet = links[interface][1](query_packet(40000 + frame))
        c.content += files.enhanced(interface, files.tick(START_NS + frame * STEP_NS), packet)
        expect(c, frame, 40000 + frame)


@ng("resolution", "if_tsresol of 10^-9, 10^-3, 2^-10 and if_tsoffset: all frames at the same second")
def _(c):
    shapes = [(b"\x09", 10**9, 0), (b"\x03", 10**3, 0), (b"\x8a", 1024, 0), (b"\x06", 10**6, 1_600_000_000)]
    c.content = files.section()
    for resolution, _, offset in shapes:
        entries = [(9, resolution)] + ([(14, offset.to_bytes(8, "little"))] if offset else [])
        c.content += files.interface(entries=entries)
    for number, (_, per_second, offset) in enumerate(shapes):
        ticks = files.tick(START_NS, per_second, offset)
        c.content += files.enhanced(number, ticks, wire.ethernet(query_packet(40000 + number)))
        expect(c, number + 1, 40000 + number)
    c.notes["timestamp"] = "2023-11-14T22:13:20.000000000Z"


@ng("simple-block", "Simple Packet Blocks: no time, interface 0, cut at its snap length")
def _(c):
    frame = wire.ethernet(query_packet())
    long = wire.ethernet(query_packet(40001)) + bytes(40)
    c.content = files.section() + files.interface(snap=len(frame)) + files.simple(frame)
    c.content += files.simple(long[:len(frame)], wire=len(long))
    expect(c, 1)
    expect(c, 2, 40001)


@ng("obsolete-block", "obsolete Packet Blocks, with drops counted and not")
def _(c):
    c.content = files.section() + files.interface() + files.obsolete(0, files.tick(START_NS), wire.ethernet(query_packet()))
    c.content += files.obsolete(0, files.tick(START_NS + SECOND), wire.ethernet(query_packet(40001)), drops=3)
    expect(c, 1)
    expect(c, 2, 40001)


@ng("unknown-interface", "a frame of an interface that was never described, then a good one")
def _(c):
    frame = files.enhanced(7, files.tick(START_NS), wire.ethernet(query_packet()))
    c.content = files.section() + files.interface() + frame + files.enhanced(0, files.tick(START_NS), wire.ethernet(query_packet(40001)))
    c.hit("name", "dns.question.name", [1, 2], Udp(c, CLIENT, RESOLVER, 40001, 53))
    c.may.append("name")


def compressed(ending, behaviour, squeeze):
    def build(c):
        queries(c)
        c.content = squeeze(files.pcap(c.frames))
    case(f"packed-{ending}.pcap.{ending}", behaviour)(build)


compressed("gz", "gzip", files.gz)
compressed("xz", "xz", files.xz)
compressed("zst", "Zstandard, raw blocks", files.zst)
compressed("lz4", "LZ4 frame, stored blocks, checksummed", files.lz4)


@case("packed-misnamed.pcap", "gzip under a plain name: content decides")
def _(c):
    queries(c)
    c.content = files.gz(files.pcap(c.frames))


@case("packed-members.pcap.gz", "two gzip members, the cut inside a frame")
def _(c):
    data = files.pcap(queries(c))
    c.content = files.gz(data[:150]) + files.gz(data[150:])


@case("damage-gzip-cut.pcap.gz", "gzip cut short")
def _(c):
    flow = connect(c)
    for number in range(40):
        flow.send(request("www.good.example", f"/{number * 7919:x}"))
    c.content = files.gz(files.pcap(c.frames))[:-400]
    c.notes["trouble"] = True


@case("damage-truncated-record.pcap", "the last record's bytes end early; the frames before it count")
def _(c):
    data = files.pcap(queries(c))
    c.content = data[:-10]
    c.expected.pop()
    c.notes["trouble"] = True


@case("damage-truncated-header.pcap", "the last record's header ends early")
def _(c):
    data = files.pcap(queries(c))
    c.content = data[:-(len(c.frames[-1][1]) + 7)]
    c.expected.pop()
    c.notes["trouble"] = True


@case("damage-huge-record.pcap", "a record that claims 3 GB")
def _(c):
    data = bytearray(files.pcap(queries(c)))
    at = len(data) - len(c.frames[-1][1]) - 8
    data[at:at + 4] = (3 << 30).to_bytes(4, "little")
    c.content = bytes(data)
    c.expected.pop()
    c.notes["trouble"] = True


@case("damage-corrupt-block.pcapng", "a block whose length lies, after one good frame")
def _(c):
    bad = bytearray(files.enhanced(0, files.tick(START_NS), wire.ethernet(query_packet(40001))))
    bad[4:8] = (13).to_bytes(4, "little")
    c.content = files.section() + files.interface() + files.enhanced(0, files.tick(START_NS), wire.ethernet(query_packet())) + bytes(bad)
    expect(c, 1)
    c.notes["trouble"] = True


@case("damage-truncated-block.pcapng", "the last block ends early")
def _(c):
    frames = [files.enhanced(0, files.tick(START_NS), wire.ethernet(query_packet(40000 + n))) for n in range(2)]
    c.content = files.section() + files.interface() + frames[0] + frames[1][:-20]
    expect(c, 1)
    c.notes["trouble"] = True


@case("damage-captured-length.pcapng", "a block whose captured length passes its end")
def _(c):
    bad = bytearray(files.enhanced(0, files.tick(START_NS), wire.ethernet(query_packet(40001))))
    bad[20:24] = (9999).to_bytes(4, "little")
    c.content = files.section() + files.interface() + files.enhanced(0, files.tick(START_NS), wire.ethernet(query_packet())) + bytes(bad)
    expect(c, 1)
    c.notes["trouble"] = True


@case("damage-zero-length.pcap", "a frame of no bytes between two others")
def _(c):
    queries(c, 1)
    c.add_frame(b"")
    flow = Udp(c, CLIENT, RESOLVER, 40009, 53)
    c.hit("name", "dns.question.name", flow.send(dns.query("www.evil.example")), flow)


@case("damage-snap-length.pcap", "every frame cut at 60 bytes: addresses and ports remain, names do not")
def _(c):
    flow = Tcp(c, CLIENT, "203.0.113.66")
    c.hit("addr", "destination.ip", 1, flow)
    flow.open()
    flow.send(request("www.evil.example"))
    flow.reply(response(body=b"x" * 100))
    Udp(c, CLIENT, RESOLVER, 40000, 53).send(dns.query("www.evil.example"))
    c.content = files.pcap([(t, data[:60], len(data)) for t, data, _ in c.frames], snap=60)


@case("damage-headers-cut.pcap", "one frame cut inside each header: Ethernet, IPv4, UDP, TCP")
def _(c):
    flow = Udp(c, CLIENT, RESOLVER, 40000, 53)
    flow.send(dns.query("www.evil.example"))
    Tcp(c).segment(b"GET / HTTP/1.1\r\n")
    frames = c.frames
    cuts = [(frames[0], cut) for cut in (5, 13, 14, 20, 33, 34, 38, 41)] + [(frames[1], cut) for cut in (36, 50, 53)]
    c.content = files.pcap([(t, data[:cut], len(data)) for (t, data, _), cut in cuts])


@case("damage-not-a-capture.pcap", "a text file: nothing can be read")
def _(c):
    c.content = b"This is a text file, not a capture.\nwww.evil.example\n"
    c.notes["trouble"] = c.notes["unreadable"] = True


@case("damage-empty.pcap", "a file of no bytes")
def _(c):
    c.content = b""
    c.notes["trouble"] = c.notes["unreadable"] = True


@case("damage-half-header.pcap", "half a file header")
def _(c):
    c.content = files.pcap([])[:11]
    c.notes["trouble"] = c.notes["unreadable"] = True


@case("file-header-only.pcap", "a file header and no frame: valid, nothing to say")
def _(c):
    c.content = files.pcap([])


def rotated():
    """One HTTP flow over two files: the listed request begins in the first and ends in the second."""
    c = Capture()
    flow = connect(c)
    data = request("malware.test", "/payload/dropper.bin")
    flow.segment(data[:30])
    cut = len(c.frames)
    frame = flow.segment(data[30:]) - cut
    flow.reply(response())
    flow.send(request("www.evil.example"))
    return c, cut, flow, frame


@case("rotated.1.pcap", "first of two files that are one timeline: a request begins")
def _(c):
    whole, cut, _, _ = rotated()
    c.content = files.pcap(whole.frames[:cut])


@case("rotated.2.pcap", "second of them: the request ends, another follows")
def _(c):
    whole, cut, flow, frame = rotated()
    c.content = files.pcap(whole.frames[cut:])
    c.hit("url", "url.full", frame, flow, 1)
    c.hit("name", HOST, frame + 2, flow, 1)

"""Frames out of capture files (pcap, pcapng, gzip of them), and captures of frames for tcpreplay."""
import collections
import gzip
import struct

ETHERNET = 1
# What a veth carries, with its header; tcpreplay takes no more.
MAX_FRAME_BYTES = 65_535
MIN_FRAME_BYTES = 15

# Reasons why a frame is left out.
SKIPS = ("no capture that is read here", "link type", "cut by the snap length", "longer than 65,535 bytes", "shorter than its header")


def read(path):
    """(link type, bytes captured, bytes on the wire) of each frame; stops where the file breaks off."""
    data = path.read_bytes()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError):
            return
    magic = data[:4]
    if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d"):
        yield from read_pcap(data, "<" if magic[3] in (0xA1,) else ">")
    elif magic == b"\x0a\x0d\x0d\x0a":
        yield from read_pcapng(data)


def read_pcap(data, order):
    link = struct.unpack_from(order + "I", data, 20)[0] & 0x0FFFFFFF if len(data) >= 24 else 0
    at = 24
    while at + 16 <= len(data):
        captured, wire = struct.unpack_from(order + "II", data, at + 8)
        if at + 16 + captured > len(data):
            return
        yield link, data[at + 16:at + 16 + captured], wire
        at += 16 + captured


def read_pcapng(data):
    at, order, links = 0, "<", []
    while at + 12 <= len(data):
        kind = struct.unpack_from(order + "I", data, at)[0]
        if data[at:at + 4] == b"\x0a\x0d\x0d\x0a":
            order = "<" if data[at + 8:at + 12] == b"\x4d\x3c\x2b\x1a" else ">"
            links = []
        length = struct.unpack_from(order + "I", data, at + 4)[0]
        if length < 12 or length % 4 or at + length > len(data):
            return
        body = data[at + 8:at + length - 4]
        if kind == 1 and len(body) >= 8:
            links.append(struct.unpack_from(order + "HHI", body)[::2])
        elif kind == 6 and len(body) >= 20:
            interface, _, _, captured, wire = struct.unpack_from(order + "IIIII", body)
            if interface < len(links) and 20 + captured <= len(body):
                yield links[interface][0], body[20:20 + captured], wire
        elif kind == 3 and len(body) >= 4 and links:
            wire = struct.unpack_from(order + "I", body)[0]
            captured = min(wire, links[0][1] or wire, len(body) - 4)
            yield links[0][0], body[4:4 + captured], wire
        at += length


def sendable(paths):
    """The frames of the files that a veth carries as they are, and how many were left out and why."""
    frames, skipped = [], collections.Counter()
    for path in paths:
        none = True
        for link, frame, wire in read(path):
            none = False
            why = None
            if link != ETHERNET:
                why = "link type"
            elif wire > len(frame):
                why = "cut by the snap length"
            elif len(frame) > MAX_FRAME_BYTES:
                why = "longer than 65,535 bytes"
            elif len(frame) < MIN_FRAME_BYTES:
                why = "shorter than its header"
            if why:
                skipped[why] += 1
            else:
                frames.append(frame)
        skipped["no capture that is read here (files)"] += none
    return frames, +skipped


def is_piece(frame):
    """Whether it is a piece of an IP datagram, behind VLAN tags or not: the kernel puts those of IPv4 together for a fanout by flow."""
    at = 12
    while frame[at:at + 2] in (b"\x81\x00", b"\x88\xa8") and at < 40:
        at += 4
    kind, ip = frame[at:at + 2], at + 2
    if kind == b"\x08\x00" and len(frame) >= ip + 20:
        return struct.unpack_from(">H", frame, ip + 6)[0] & 0x3FFF != 0
    if kind == b"\x86\xdd" and len(frame) >= ip + 40:
        following, at = frame[ip + 6], ip + 40
        while following in (0, 43, 60) and at + 8 <= len(frame):
            following, at = frame[at], at + (frame[at + 1] + 1) * 8
        return following == 44
    return False


def write(path, frames, per_second):
    """A capture of these frames, as many a second."""
    with path.open("wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, ETHERNET))
        for number, frame in enumerate(frames):
            ns = 1_700_000_000_000_000_000 + number * 1_000_000_000 // per_second
            out.write(struct.pack("<IIII", ns // 10**9, ns % 10**9, len(frame), len(frame)))
            out.write(frame)


def first(source, target, count, per_second):
    """The first frames of a large pcap that a veth carries, as many a second: what times out between them depends on it. How many there are."""
    with source.open("rb") as data, target.open("wb") as out:
        head = data.read(24)
        out.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, 262_144, ETHERNET))
        order, frames = "<" if head[3] == 0xA1 else ">", 0
        while frames < count:
            record = data.read(16)
            if len(record) < 16:
                break
            length = struct.unpack_from(order + "I", record, 8)[0]
            frame = data.read(length)
            if MIN_FRAME_BYTES <= length <= MAX_FRAME_BYTES and len(frame) == length:
                ns = 1_700_000_000_000_000_000 + frames * 1_000_000_000 // per_second
                wire = struct.unpack_from(order + "I", record, 12)[0]
                out.write(struct.pack("<IIII", ns // 10**9, ns % 10**9, length, wire))
                out.write(frame)
                frames += 1
    return frames

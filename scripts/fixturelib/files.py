"""Capture files and their compression. Times are nanoseconds since the epoch."""
import gzip
import lzma
import struct

ETHERNET = 1


def pcap(frames, link=ETHERNET, order="<", nano=False, snap=65535):
    """frames: (ns, bytes) or (ns, bytes, wire length)."""
    out = struct.pack(order + "IHHiIII", 0xA1B23C4D if nano else 0xA1B2C3D4, 2, 4, 0, 0, snap, link)
    for frame in frames:
        ns, data, wire = (*frame, len(frame[1]))[:3]
        part = ns % 10**9 if nano else ns % 10**9 // 1000
        out += struct.pack(order + "IIII", ns // 10**9, part, len(data), wire) + data
    return out


def pad(data):
    return data + b"\0" * (-len(data) % 4)


def block(kind, body, order="<"):
    body = pad(body)
    length = 12 + len(body)
    return struct.pack(order + "II", kind, length) + body + struct.pack(order + "I", length)


def options(entries, order="<"):
    out = b"".join(struct.pack(order + "HH", code, len(value)) + pad(value) for code, value in entries)
    return out + struct.pack(order + "HH", 0, 0) if entries else b""


def section(order="<", entries=()):
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1) + options(entries, order), order)


def interface(link=ETHERNET, order="<", snap=65535, entries=()):
    return block(1, struct.pack(order + "HHI", link, 0, snap) + options(entries, order), order)


def tick(ns, per_second=10**6, offset_s=0):
    return (ns - offset_s * 10**9) * per_second // 10**9


def enhanced(number, ticks, data, order="<", wire=None, entries=()):
    head = struct.pack(order + "IIIII", number, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data) if wire is None else wire)
    return block(6, head + pad(data) + options(entries, order), order)


def simple(data, order="<", wire=None):
    return block(3, struct.pack(order + "I", len(data) if wire is None else wire) + pad(data), order)


def obsolete(number, ticks, data, order="<", drops=0xFFFF):
    head = struct.pack(order + "HHIIII", number, drops, ticks >> 32, ticks & 0xFFFFFFFF, len(data), len(data))
    return block(2, head + pad(data), order)


def gz(data):
    return gzip.compress(data, 6, mtime=0)


def xz(data):
    return lzma.compress(data, lzma.FORMAT_XZ, check=lzma.CHECK_CRC32, preset=6)


def zst(data):
    """A Zstandard frame (RFC 8878) of raw blocks: single segment, 8-byte content size, no checksum."""
    out = struct.pack("<IBQ", 0xFD2FB528, 0b1110_0000, len(data))
    pieces = [data[at:at + 65536] for at in range(0, len(data), 65536)] or [b""]
    for position, piece in enumerate(pieces):
        last = position == len(pieces) - 1
        out += struct.pack("<I", len(piece) << 3 | last)[:3] + piece
    return out


def lz4(data):
    """An LZ4 frame of stored blocks: version 1, independent blocks, content checksum, 64 KiB blocks."""
    descriptor = bytes([0b0110_0100, 4 << 4])
    out = struct.pack("<I", 0x184D2204) + descriptor + bytes([xxh32(descriptor) >> 8 & 0xFF])
    for at in range(0, len(data), 65536):
        piece = data[at:at + 65536]
        out += struct.pack("<I", len(piece) | 1 << 31) + piece
    return out + struct.pack("<II", 0, xxh32(data))


def xxh32(data, seed=0):
    """xxHash-32, written from its specification."""
    p1, p2, p3, p4, p5 = 2654435761, 2246822519, 3266489917, 668265263, 374761393
    mask = 0xFFFFFFFF

    def rotl(value, by):
        return (value << by | value >> 32 - by) & mask

    at = 0
    if len(data) >= 16:
        lanes = [(seed + p1 + p2) & mask, (seed + p2) & mask, seed, (seed - p1) & mask]
        while at + 16 <= len(data):
            for lane, word in enumerate(struct.unpack_from("<4I", data, at)):
                lanes[lane] = rotl((lanes[lane] + word * p2) & mask, 13) * p1 & mask
            at += 16
        total = sum(rotl(value, by) for value, by in zip(lanes, (1, 7, 12, 18))) & mask
    else:
        total = (seed + p5) & mask
    total = (total + len(data)) & mask
    while at + 4 <= len(data):
        total = rotl((total + struct.unpack_from("<I", data, at)[0] * p3) & mask, 17) * p4 & mask
        at += 4
    for byte in data[at:]:
        total = rotl((total + byte * p5) & mask, 11) * p1 & mask
    total = (total ^ total >> 15) * p2 & mask
    total = (total ^ total >> 13) * p3 & mask
    return total ^ total >> 16

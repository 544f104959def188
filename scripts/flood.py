#!/usr/bin/env python3
"""flood.py OUT.pcap [FLOWS]: a SYN flood, one 60-byte frame a flow (4 million by default: 304 MB), the same bytes each run.

Sources are spread over 198.18.0.0/15 (the range for benchmarks, RFC 2544) and all ports; the target is 203.0.113.80:80. Checksums are right.
"""
import struct
import sys

CHUNK = 1 << 16


def template():
    ethernet = bytes.fromhex("020000000002 020000000001 0800")
    ip = struct.pack("!BBHHHBBH", 0x45, 0, 40, 0, 0x4000, 64, 6, 0) + b"\0\0\0\0" + bytes([203, 0, 113, 80])
    tcp = struct.pack("!HHIIBBHHH", 0, 80, 0, 0, 0x50, 2, 64240, 0, 0)
    return ethernet + ip + tcp + bytes(6)


def word_sum(data):
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def folded(total):
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frames(flows):
    """Records of the flood, in chunks of bytes. Flow n has its own (source, port): a bijection of 32 bits, so none repeats."""
    frame = template()
    ip_sum = word_sum(frame[14:34])
    tcp_sum = word_sum(frame[34:54]) + word_sum(frame[30:34]) + 6 + 20
    record = struct.Struct("<IIII")
    out = []
    for n in range(flows):
        mixed = n * 2654435761 & 0xFFFFFFFF
        low, high, port = mixed & 0xFFFF, 0xC612 | (mixed >> 16 & 1), mixed >> 17 | (n & 1) << 15
        seq = mixed ^ 0x5BD1E995
        source = high << 16 | low
        ip_check = folded(ip_sum + high + low)
        tcp_check = folded(tcp_sum + high + low + port + (seq >> 16) + (seq & 0xFFFF))
        at = 1_700_000_000_000_000 + n
        out.append(record.pack(at // 1_000_000, at % 1_000_000, 60, 60))
        out.append(frame[:24] + struct.pack("!HI", ip_check, source) + frame[30:34])
        out.append(struct.pack("!HHI", port, 80, seq) + frame[42:50] + struct.pack("!H", tcp_check) + frame[52:])
        if len(out) >= CHUNK:
            yield b"".join(out)
            out.clear()
    yield b"".join(out)


def write(path, flows):
    with open(path, "wb") as out:
        out.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
        for chunk in frames(flows):
            out.write(chunk)


if __name__ == "__main__":
    if len(sys.argv) not in (2, 3) or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    write(sys.argv[1], int(sys.argv[2]) if len(sys.argv) == 3 else 4_000_000)

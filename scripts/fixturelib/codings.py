"""Content codings written by hand, so that the bytes are the same with every library version."""
import struct
import zlib


class Bits:
    """Bits from the lowest up, as deflate packs them."""

    def __init__(self):
        self.value, self.count = 0, 0

    def put(self, value, width):
        self.value |= value << self.count
        self.count += width

    def put_code(self, code, width):
        """A Huffman code: its highest bit first."""
        self.put(int(f"{code:0{width}b}"[::-1], 2), width)

    def bytes(self):
        return self.value.to_bytes((self.count + 7) // 8, "little")


def deflate(data, zeros=0):
    """Fixed Huffman codes (RFC 1951, 3.2.6), literals only; then `zeros` times 258 zero bytes as copies of the last byte."""
    bits = Bits()
    bits.put(1, 1)
    bits.put(1, 2)
    for byte in data:
        if byte < 144:
            bits.put_code(0x30 + byte, 8)
        else:
            bits.put_code(0x190 + byte - 144, 9)
    for _ in range(zeros):
        bits.put_code(0xC5, 8)
        bits.put_code(0, 5)
    bits.put_code(0, 7)
    return bits.bytes()


def gzip(data, zeros=0):
    plain = data + bytes(258 * zeros)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + deflate(data, zeros) + struct.pack("<II", zlib.crc32(plain), len(plain))


def deflated(data):
    """What HTTP calls `deflate`: zlib."""
    return b"\x78\x01" + deflate(data) + struct.pack(">I", zlib.adler32(data))


def brotli(data):
    """One meta-block of bytes as they are, and an empty last one (RFC 7932, 9.2)."""
    return (len(data) - 1 << 4 | 1 << 20).to_bytes(3, "little") + data + b"\x03"


def zstd(data):
    """One frame with one raw block (RFC 8878, 3.1.1)."""
    return b"\x28\xb5\x2f\xfd\x60" + struct.pack("<H", len(data) - 256) + (len(data) << 3 | 1).to_bytes(3, "little") + data

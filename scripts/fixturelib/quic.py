"""QUIC packets as a client and a server send them (RFC 9000, 9001, 9369)."""
from . import aead

V1, V2, DRAFT_29, MVFST, T051 = 1, 0x6B3343CF, 0xFF00001D, 0xFACEB002, 0x54303531
SALTS = {
    V1: "38762cf7f55934b34d179ae6a4c80cadccbb7f0a",
    V2: "0dede3def700a6db819381be6e269dcbf9bd2ed9",
    DRAFT_29: "afbfec289993d24c9e9786f19c6111e04390a899",
    MVFST: "c3eef712c72ebb5a11a7d2432bb46365bef9f502",
    T051: "7a4edef4e7ccee5fa4506c19124fc8ccda6e033d",
}
INITIAL, ZERO_RTT, HANDSHAKE, RETRY = range(4)
CLIENT_ID, SERVER_ID = b"client", b"server's"
ORIGINAL = bytes.fromhex("8394c8f03e515708")


def varint(value):
    """In four bytes, whatever it is."""
    return (0x80000000 | value).to_bytes(4, "big")


def long_header(kind, version, to, source):
    kind = (kind + 1) % 4 if version == V2 else kind
    return bytes([0xC0 | kind << 4]) + version.to_bytes(4, "big") + bytes([len(to)]) + to + bytes([len(source)]) + source


def keys(version, ident, side):
    prefix = "quicv2" if version == V2 else "quic"
    secret = aead.expand_label(aead.extract(bytes.fromhex(SALTS[version]), ident), f"{side} in", 32)
    return [aead.expand_label(secret, f"{prefix} {name}", size) for name, size in (("key", 16), ("iv", 12), ("hp", 16))]


def protect(keyring, header, number, frames):
    """`header` up to the packet number, which takes four bytes."""
    key, iv, protection = keyring
    head = bytes([header[0] | 3]) + header[1:] + number.to_bytes(4, "big")
    sealed = aead.seal(key, aead.xor(iv, number.to_bytes(12, "big")), frames, head)
    mask = aead.block(protection, sealed[:16])
    return bytes([head[0] ^ mask[0] & 15]) + head[1:-4] + aead.xor(head[-4:], mask[1:5]) + sealed


def initial(frames, version=V1, to=ORIGINAL, ident=ORIGINAL, number=0, token=b"", source=CLIENT_ID, side="client", size=1200):
    """An Initial packet, its frames padded so that it has `size` bytes. `ident`: what the keys come from."""
    header = long_header(INITIAL, version, to, source) + varint(len(token)) + token
    frames += bytes(max(size - len(header) - 4 - 4 - 16 - len(frames), 4 - len(frames), 0))
    return protect(keys(version, ident, side), header + varint(4 + len(frames) + 16), number, frames)


def opaque(kind, version=V1, to=ORIGINAL, source=CLIENT_ID, size=60):
    """A packet with a long header and a length that nobody here can open."""
    return long_header(kind, version, to, source) + varint(size) + bytes(0xA5 ^ i & 0x7F for i in range(size))


def short(size=80):
    return b"\x55" + bytes(i * 37 % 256 for i in range(size))


def crypto(stream, start, end, google=False):
    return (b"\x08" if google else b"\x06") + varint(start) + varint(end - start) + stream[start:end]


# RFC 9001 appendix A.2: header protected, and the tag, which covers every byte.
_FRAMES = bytes.fromhex(
    "060040f1010000ed0303ebf8fa56f12939b9584a3896472ec40bb863cfd3e86804fe3a47f06a2b69484c00000413011302010000c000000010000e00000b6578"
    "616d706c652e636f6dff01000100000a00080006001d0017001800100007000504616c706e000500050100000000003300260024001d00209370b2c9caa47fba"
    "baf4559fedba753de171fa71f50f1ce15d43e994ec74d748002b0003020304000d0010000e0403050306030203080408050806002d00020101001c0002400100"
    "3900320408ffffffffffffffff05048000ffff07048000ffff0801100104800075300901100f088394c8f03e51570806048000ffff")
_PACKET = protect(keys(V1, ORIGINAL, "client"), bytes.fromhex("c000000001088394c8f03e5157080000449e"), 2, _FRAMES.ljust(1162, b"\0"))
assert _PACKET[:32].hex() == "c000000001088394c8f03e5157080000449e7b9aec34d1b1c98dd7689fb8ec11" and _PACKET[-16:].hex() == "e221af44860018ab0856972e194cd934"

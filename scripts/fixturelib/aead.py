"""AES-128, GCM and HKDF-SHA256 (FIPS 197, SP 800-38D, RFC 5869), to make QUIC packets with. Slow and for known plaintext only."""
import hashlib
import hmac


def _sbox():
    """FIPS 197 section 5.1.1: the inverse in GF(2^8), then the affine map."""
    box, p, q = [0] * 256, 1, 1
    while True:
        p = p ^ (p << 1) & 0xFF ^ (0x1B if p & 0x80 else 0)
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 0xFF
        q ^= 0x09 if q & 0x80 else 0
        box[p] = q ^ _rotate(q, 1) ^ _rotate(q, 2) ^ _rotate(q, 3) ^ _rotate(q, 4) ^ 0x63
        if p == 1:
            box[0] = 0x63
            return box


def _rotate(byte, bits):
    return (byte << bits | byte >> (8 - bits)) & 0xFF


SBOX = _sbox()


def _double(byte):
    return (byte << 1) & 0xFF ^ (0x1B if byte & 0x80 else 0)


def _round_keys(key):
    words = [key[at:at + 4] for at in range(0, 16, 4)]
    constant = 1
    for number in range(4, 44):
        word = words[-1]
        if number % 4 == 0:
            word = bytes(SBOX[byte] for byte in word[1:] + word[:1])
            word = bytes([word[0] ^ constant]) + word[1:]
            constant = _double(constant)
        words.append(xor(words[number - 4], word))
    return [b"".join(words[at:at + 4]) for at in range(0, 44, 4)]


def xor(a, b):
    return bytes(x ^ y for x, y in zip(a, b))


def block(key, data):
    """One block, enciphered."""
    keys = _round_keys(key)
    state = xor(data, keys[0])
    for number in range(1, 11):
        state = [SBOX[state[(at + 4 * (at % 4)) % 16]] for at in range(16)]
        if number < 10:
            mixed = []
            for column in range(0, 16, 4):
                part = state[column:column + 4]
                total = part[0] ^ part[1] ^ part[2] ^ part[3]
                mixed += [part[i] ^ total ^ _double(part[i] ^ part[(i + 1) % 4]) for i in range(4)]
            state = mixed
        state = xor(state, keys[number])
    return bytes(state)


def _ghash(subkey, data):
    h, y = int.from_bytes(subkey, "big"), 0
    for at in range(0, len(data), 16):
        y ^= int.from_bytes(data[at:at + 16], "big")
        product, v = 0, h
        for bit in range(127, -1, -1):
            if y >> bit & 1:
                product ^= v
            v = v >> 1 ^ (0xE1 << 120 if v & 1 else 0)
        y = product
    return y.to_bytes(16, "big")


def _padded(data):
    return data + bytes(-len(data) % 16)


def seal(key, nonce, data, header):
    """AEAD_AES_128_GCM: the sealed bytes and the tag."""
    stream = b"".join(block(key, nonce + (2 + number).to_bytes(4, "big")) for number in range(len(data) // 16 + 1))
    sealed = xor(data, stream)
    lengths = (8 * len(header)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
    total = _ghash(block(key, bytes(16)), _padded(header) + _padded(sealed) + lengths)
    return sealed + xor(total, block(key, nonce + b"\0\0\0\1"))


def extract(salt, secret):
    return hmac.new(salt, secret, hashlib.sha256).digest()


def expand_label(secret, label, length):
    """HKDF-Expand-Label of TLS 1.3 without context, up to 32 bytes."""
    name = b"tls13 " + label.encode()
    info = length.to_bytes(2, "big") + bytes([len(name)]) + name + b"\0"
    return hmac.new(secret, info + b"\1", hashlib.sha256).digest()[:length]


# FIPS 197 appendix B; SP 800-38D's test case 4 in its first bytes is covered by RFC 9001's packet (quic.py).
assert block(bytes.fromhex("2b7e151628aed2a6abf7158809cf4f3c"), bytes.fromhex("3243f6a8885a308d313198a2e0370734")).hex() == "3925841d02dc09fbdc118597196a0b32"

"""TLS and DTLS hellos and Certificate messages (RFC 8446, 5246, 6347), and JA3, JA3S and JA4 of the hellos."""
import hashlib
import struct

GREASE = {0x0A0A + 0x1010 * n for n in range(16)}
ALPN, SNI, GROUPS, FORMATS, SIGNATURES, VERSIONS, KEY_SHARE = 16, 0, 10, 11, 13, 43, 51

COMMON = [0x1301, 0x1302, 0x1303, 0xC02B, 0xC02F, 0xC02C, 0xC030]
BAD = [0x1301, 0x1303, 0xC02B, 0xCCA9, 0xC013, 0x009C]


def vector(data, width=2):
    return len(data).to_bytes(width, "big") + data


def words(values):
    return b"".join(struct.pack("!H", value) for value in values)


class Hello:
    """What a ClientHello offers. `share` is the size of its key share in bytes (1,216 for X25519MLKEM768)."""

    def __init__(self, sni=None, ciphers=COMMON, alpn=("h2", "http/1.1"), groups=(29, 23, 24), share=32, grease=True, dtls=False, more=()):
        self.sni, self.ciphers, self.alpn, self.dtls = sni, list(ciphers), list(alpn), dtls
        self.groups = [4588, *groups] if share > 1000 else list(groups)
        self.share, self.grease = share, grease
        self.more = list(more)
        self.signatures = [0x0403, 0x0804, 0x0401, 0x0503]
        self.version = 0xFEFD if dtls else 0x0303
        self.versions = [0xFEFD] if dtls else [0x0304, 0x0303]

    def extensions(self):
        out = []
        if self.grease:
            out.append((0x2A2A, b""))
        if self.sni is not None:
            out.append((SNI, vector(b"\0" + vector(self.sni.encode()))))
        out.append((GROUPS, vector(words(self.groups))))
        out.append((FORMATS, b"\x01\x00"))
        if self.alpn:
            out.append((ALPN, vector(b"".join(vector(name.encode(), 1) for name in self.alpn))))
        out.append((SIGNATURES, vector(words(self.signatures))))
        out.append((VERSIONS, vector(words(self.versions), 1)))
        if not self.dtls:
            out.append((KEY_SHARE, vector(struct.pack("!H", self.groups[0]) + vector(bytes(i % 251 for i in range(self.share))))))
        return out + self.more

    def body(self):
        suites = ([0x4A4A] if self.grease else []) + self.ciphers
        extensions = b"".join(struct.pack("!H", kind) + vector(data) for kind, data in self.extensions())
        cookie = b"\0" if self.dtls else b""
        return struct.pack("!H", self.version) + bytes(range(32)) + b"\0" + cookie + vector(words(suites)) + b"\x01\0" + vector(extensions)

    def handshake(self):
        body = self.body()
        if self.dtls:
            return b"\x01" + len(body).to_bytes(3, "big") + b"\0\0" + b"\0\0\0" + len(body).to_bytes(3, "big") + body
        return b"\x01" + len(body).to_bytes(3, "big") + body

    def records(self, size=16384):
        """TLS records that carry `size` bytes of the handshake each; or the one DTLS record."""
        data = self.handshake()
        if self.dtls:
            return struct.pack("!BHHIH", 22, 0xFEFF, 0, 0, 0)[:11] + vector(data)
        return b"".join(b"\x16\x03\x01" + vector(data[at:at + size]) for at in range(0, len(data), size))

    def ja3(self):
        kinds = [kind for kind, _ in self.extensions() if kind not in GREASE]
        parts = [[self.version], self.ciphers, kinds, self.groups, [0]]
        return hashlib.md5(",".join("-".join(map(str, part)) for part in parts).encode()).hexdigest()

    def ja4(self, carrier=None):
        kinds = [kind for kind, _ in self.extensions() if kind not in GREASE]
        version = {0x0304: "13", 0x0303: "12", 0xFEFD: "d2"}[self.versions[0]]
        first = self.alpn[0][0] + self.alpn[0][-1] if self.alpn else "00"
        head = f"{carrier or ('d' if self.dtls else 't')}{version}{'i' if self.sni is None else 'd'}{len(self.ciphers):02}{len(kinds):02}{first}"
        ciphers = ",".join(sorted(f"{value:04x}" for value in self.ciphers))
        others = ",".join(sorted(f"{value:04x}" for value in kinds if value not in (SNI, ALPN)))
        signed = others + "_" + ",".join(f"{value:04x}" for value in self.signatures)
        return "_".join([head, *(hashlib.sha256(text.encode()).hexdigest()[:12] for text in (ciphers, signed))])



class ServerHello:
    """What a server chooses; of TLS 1.3 if `modern`."""

    def __init__(self, cipher=0xC02F, modern=False, extensions=((65281, b"\0"), (FORMATS, b"\1\0")), dtls=False):
        self.version = 0xFEFD if dtls else 0x0303
        self.cipher = 0x1301 if modern else cipher
        self.extensions = [(VERSIONS, b"\3\4"), (KEY_SHARE, b"\0\x1d" + vector(bytes(32)))] if modern else list(extensions)

    def message(self):
        block = b"".join(struct.pack("!H", kind) + vector(data) for kind, data in self.extensions)
        head = struct.pack("!H", self.version) + bytes(range(100, 132)) + vector(bytes(32), 1)
        return 2, head + struct.pack("!HB", self.cipher, 0) + vector(block)

    def ja3s(self):
        kinds = "-".join(str(kind) for kind, _ in self.extensions)
        return hashlib.md5(f"{self.version},{self.cipher},{kinds}".encode()).hexdigest()


def certificates(*chain):
    """A Certificate message."""
    return 11, vector(b"".join(vector(one.der(), 3) for one in chain), 3)


def flight(*chain, hello=None):
    """A server's first flight up to TLS 1.2."""
    return [(hello or ServerHello()).message(), certificates(*chain), (12, bytes(80)), (14, b"")]


def records(messages, size=16384):
    """Handshake messages in records of up to `size` bytes, as many messages in each as fit."""
    data = b"".join(bytes([kind]) + vector(body, 3) for kind, body in messages)
    return b"".join(b"\x16\x03\x03" + vector(data[at:at + size]) for at in range(0, len(data), size))


def datagrams(messages, size=400):
    """DTLS records, each with a fragment of up to `size` bytes."""
    out = []
    for sequence, (kind, body) in enumerate(messages):
        for at in range(0, max(len(body), 1), size):
            piece = body[at:at + size]
            head = bytes([kind]) + len(body).to_bytes(3, "big") + struct.pack("!H", sequence) + at.to_bytes(3, "big")
            record = struct.pack("!BHH", 22, 0xFEFD, 0) + len(out).to_bytes(6, "big")
            out.append(record + vector(head + vector(piece, 3)))
    return out


EVIL_SERVER = ServerHello(0x009C, extensions=((65281, b"\0"), (35, b"")))
EVIL = Hello("www.good.example", BAD)

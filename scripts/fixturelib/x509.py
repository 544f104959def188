"""X.509 certificates (RFC 5280) that nobody signed: enough to be told apart and read."""
import hashlib


def der(tag, *values):
    value = b"".join(values)
    if len(value) < 128:
        length = bytes([len(value)])
    else:
        count = (len(value).bit_length() + 7) // 8
        length = bytes([0x80 | count]) + len(value).to_bytes(count, "big")
    return bytes([tag]) + length + value


def oid(dotted):
    first, second, *rest = map(int, dotted.split("."))
    out = bytearray([first * 40 + second])
    for number in rest:
        digits = [number & 127]
        while number := number >> 7:
            digits.append(128 | number & 127)
        out += bytes(reversed(digits))
    return der(6, bytes(out))


KEYS = {"C": "2.5.4.6", "O": "2.5.4.10", "CN": "2.5.4.3", "ST": "2.5.4.8"}
SEQUENCE, SET, INTEGER, UTF8, OCTETS, BITS, TIME = 0x30, 0x31, 2, 12, 4, 3, 23


def name(parts):
    return der(SEQUENCE, *(der(SET, der(SEQUENCE, oid(KEYS[key]), der(UTF8, text.encode()))) for key, text in parts))


class Certificate:
    """`subject` and `issuer` are lists of (key, text); `names` DNS names, `addresses` packed ones."""

    def __init__(self, subject, issuer=(("CN", "Good CA"),), serial=0x1234, names=(), addresses=(), padding=200):
        self.subject, self.issuer, self.serial = list(subject), list(issuer), serial
        self.names, self.addresses, self.padding = names, addresses, padding

    def der(self):
        rsa = der(SEQUENCE, oid("1.2.840.113549.1.1.11"))
        key = der(SEQUENCE, der(SEQUENCE, oid("1.2.840.113549.1.1.1")), der(BITS, b"\0", bytes(i % 251 for i in range(self.padding))))
        general = [der(0x82, text.encode()) for text in self.names] + [der(0x87, packed) for packed in self.addresses]
        extensions = b""
        if general:
            alternative = der(SEQUENCE, oid("2.5.29.17"), der(OCTETS, der(SEQUENCE, *general)))
            extensions = der(0xA3, der(SEQUENCE, alternative))
        serial = self.serial.to_bytes(self.serial.bit_length() // 8 + 1, "big")
        validity = der(SEQUENCE, der(TIME, b"230101000000Z"), der(TIME, b"330101000000Z"))
        tbs = der(SEQUENCE, der(0xA0, der(INTEGER, b"\2")), der(INTEGER, serial), rsa, name(self.issuer), validity, name(self.subject), key, extensions)
        return der(SEQUENCE, tbs, rsa, der(BITS, b"\0" + b"\x5a" * 64))

    def sha1(self):
        return hashlib.sha1(self.der()).hexdigest()

    def sha256(self):
        return hashlib.sha256(self.der()).hexdigest()


EVIL = Certificate([("C", "US"), ("CN", "www.good.example")], names=["www.good.example"])
EVIL_CA = Certificate([("CN", "Good CA 2")], [("CN", "Good Root")], serial=7)
GOOD = Certificate([("CN", "www.good.example")], names=["www.good.example"], serial=0x1235)
EVIL_SUBJECT = [("C", "US"), ("O", "Evil, Inc."), ("CN", "good.example")]
EVIL_ISSUER = [("C", "US"), ("CN", "Evil CA")]
EVIL_SERIAL = 0x00ABCDEF0123

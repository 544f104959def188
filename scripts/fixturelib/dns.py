"""DNS messages (RFC 1035, 9460), names uncompressed unless asked."""
import struct

from . import wire

A, NS, CNAME, PTR, MX, AAAA, SRV, HTTPS = 1, 2, 5, 12, 15, 28, 33, 65


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".") if label) + b"\0"


def pointer(offset):
    return struct.pack("!H", 0xC000 | offset)


def query(text, kind=A, ident=0x1234, flags=0x0100):
    return struct.pack("!HHHHHH", ident, flags, 1, 0, 0, 0) + name(text) + struct.pack("!HH", kind, 1)


def record(owner, kind, data, ttl=60, klass=1):
    owner = name(owner) if isinstance(owner, str) else owner
    return owner + struct.pack("!HHIH", kind, klass, ttl, len(data)) + data


def response(text, answers, kind=A, ident=0x1234, authority=(), additional=()):
    head = struct.pack("!HHHHHH", ident, 0x8180, 1, len(answers), len(authority), len(additional))
    return head + name(text) + struct.pack("!HH", kind, 1) + b"".join([*answers, *authority, *additional])


def address(text):
    return wire.packed(text)


def mx(target, preference=10):
    return struct.pack("!H", preference) + name(target)


def srv(target, port=443):
    return struct.pack("!HHH", 0, 0, port) + name(target)


def https(target, hint4=None):
    params = struct.pack("!HH", 1, 3) + b"\x02h2"
    if hint4:
        params += struct.pack("!HH", 4, 4) + wire.packed(hint4)
    return struct.pack("!H", 1) + name(target) + params


def framed(message):
    """As TCP carries it."""
    return struct.pack("!H", len(message)) + message

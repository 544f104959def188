"""What lies beside a packet in its frame: samples, quotations, compressed payloads, OpenFlow's messages. Everything returns bytes."""
import struct

from . import codings, wire


def ipcomp(payload, protocol, index=0x1234, deflated=None):
    return struct.pack("!BBH", protocol, 0, index) + (codings.deflate(payload) if deflated is None else deflated)


def sflow(*samples, version=5, count=None):
    head = struct.pack("!II4sIII", version, 1, wire.packed("192.0.2.200"), 0, 1, 1000)
    return head + struct.pack("!I", len(samples) if count is None else count) + b"".join(samples)


def sampled(kind, body):
    return struct.pack("!II", kind, len(body)) + body


def raw_header(frame, protocol=1, wire_bytes=None, length=None):
    """A record: the first bytes of a packet, padded to a multiple of four."""
    body = struct.pack("!IIII", protocol, (len(frame) if wire_bytes is None else wire_bytes), 4, len(frame) if length is None else length)
    return sampled(1, body + frame + bytes(-len(frame) % 4))


def flow_sample(*records, expanded=False):
    return sampled(3 if expanded else 1, bytes(40 if expanded else 28) + struct.pack("!I", len(records)) + b"".join(records))


def nhrp(quoted, kind=8, extensions=b"\x80\x04\0\0\x80\0\0\0", quoted_bytes=None):
    """`quoted`: what a traffic indication quotes."""
    body = struct.pack("!BBHHH", 4, 4, 0, 0, 0) + b"".join(map(wire.packed, ("192.0.2.200", "192.0.2.201", "192.0.2.202"))) + quoted
    at = 20 + (len(body) if quoted_bytes is None else quoted_bytes)
    fixed = struct.pack("!HH5sBHHHBBBB", 1, 0x0800, bytes(5), 255, 20 + len(body) + len(extensions), 0, at if extensions else 0, 1, kind, 4, 0)
    return fixed + body + extensions


def openflow(kind, body, version=4, length=None):
    return struct.pack("!BBHI", version, kind, 8 + len(body) if length is None else length, 7) + body


HELLO = openflow(0, b"\0\1\0\x08\0\0\0\x10")


def packet_in(frame, version=4):
    if version == 1:
        return openflow(10, struct.pack("!IHHBB", 0xFFFFFFFF, len(frame), 1, 0, 0) + frame, 1)
    match = struct.pack("!HHIIHxx", 1, 12, 0x80000004, 1, 0)[:16]
    return openflow(10, struct.pack("!IHBBQ", 0xFFFFFFFF, len(frame), 0, 0, 0) + match + b"\0\0" + frame, version)


def packet_out(frame, version=4):
    action = struct.pack("!HHIH6x", 0, 16, 0xFFFFFFFD, 64)
    if version == 1:
        return openflow(13, struct.pack("!IHH", 0xFFFFFFFF, 1, 8) + bytes(8) + frame, 1)
    return openflow(13, struct.pack("!IIH6x", 0xFFFFFFFF, 1, len(action)) + action + frame, version)


def aggregate(*packets):
    """An 802.11 A-MSDU: frames of LLC, each but the last padded to a multiple of four."""
    parts = [wire.SERVER_MAC + wire.CLIENT_MAC + len(body).to_bytes(2, "big") + body for body in packets]
    return b"".join(part + bytes(-len(part) % 4) for part in parts[:-1]) + parts[-1]


def backbones(frame, count, service=1):
    """802.1ah: `count` frames in each other around `frame`."""
    for _ in range(count):
        frame = wire.SERVER_MAC + wire.CLIENT_MAC + b"\x88\xe7" + service.to_bytes(4, "big") + frame
    return frame

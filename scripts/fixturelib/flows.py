"""Captures in the making: frames with times, flows that add to them, and what a sensor must say of each."""
import base64
import hashlib
import struct

from . import files, wire

CLIENT, SERVER, OUTSIDE = "192.0.2.10", "203.0.113.80", "198.51.100.200"
RESOLVER = "192.0.2.53"
CLIENT6, SERVER6, BAD6 = "2001:db8::10", "2001:db8::80", "2001:db8:bad::66"
BAD, NET, PORTED = "203.0.113.66", "198.51.100.66", "192.0.2.77"

START_NS = 1_700_000_000_000_000_000
STEP_NS = 1_234_567

CASES = {}


def case(name, behaviour):
    """Registers a function that fills a Capture (or returns file bytes) under a file name."""
    def register(build):
        assert name not in CASES, name
        CASES[name] = (behaviour, build)
        return build
    return register


def spread(first, last):
    """Any frame from the one that ends the value to the one that ends its message: when to speak is the parser's choice."""
    return list(range(first, last + 1))


class Capture:
    """Frames, and the alerts they must and may raise. Frame numbers are 1-based."""

    def __init__(self):
        self.frames, self.expected, self.may, self.notes = [], [], [], {}
        self.link, self.link_type, self.now = wire.ethernet, files.ETHERNET, START_NS
        self.content = None

    def add(self, packet):
        """An IP packet in the capture's link layer; its frame number."""
        return self.add_frame(self.link(packet))

    def add_frame(self, frame, wire_length=None):
        self.frames.append((self.now, frame, len(frame) if wire_length is None else wire_length))
        self.now += STEP_NS
        return len(self.frames)

    def hit(self, indicator, field, frame, flow=None, file=0, says=None):
        """An alert that must be there. `field`: a path, several that would do, or None for any; `frame`: same. `says`: further paths
        and what they must hold, None if they must not be there."""
        fields = [field] if isinstance(field, str) else field
        frames = [frame] if isinstance(frame, int) else frame
        entry = {"id": indicator, "fields": fields, "frames": frames, "file": file}
        if says is not None:
            entry["says"] = says
        if flow is not None:
            entry["community_id"] = flow.community_id()
            if flow.originator:
                entry["source"] = flow.originator
        self.expected.append(entry)

    def bytes(self):
        return files.pcap(self.frames, self.link_type) if self.content is None else self.content


def community_id(source, destination, protocol, ports):
    """Community ID v1, seed 0. `ports` is None for protocols without."""
    a, b = wire.packed(source), wire.packed(destination)
    one_way = ports is not None and protocol in (wire.ICMP, wire.ICMP6) and ports[0] not in (0, 8, 128, 129)
    ends = (a, ports[0] if ports else 0), (b, ports[1] if ports else 0)
    if not one_way and ends[0] > ends[1]:
        ends = ends[::-1]
    text = struct.pack("!H", 0) + ends[0][0] + ends[1][0] + bytes([protocol, 0])
    if ports is not None:
        text += struct.pack("!HH", ends[0][1], ends[1][1])
    return "1:" + base64.b64encode(hashlib.sha1(text).digest()).decode()


class Udp:
    def __init__(self, capture, source, destination, sport, dport, extensions=()):
        self.capture, self.ends, self.ports = capture, (source, destination), (sport, dport)
        self.extensions, self.originator = extensions, source

    def send(self, data, back=False):
        (a, b), (p, q) = (x[::-1] if back else x for x in (self.ends, self.ports))
        return self.capture.add(wire.ip(a, b, wire.UDP, wire.udp(a, b, p, q, data), extensions=self.extensions))

    def community_id(self):
        return community_id(*self.ends, wire.UDP, self.ports)


class Plain:
    """A protocol without ports, or ICMP."""

    def __init__(self, capture, source, destination, protocol, ports=None):
        self.capture, self.ends, self.protocol, self.ports = capture, (source, destination), protocol, ports
        self.originator = source

    def send(self, payload, back=False):
        a, b = self.ends[::-1] if back else self.ends
        return self.capture.add(wire.ip(a, b, self.protocol, payload))

    def community_id(self):
        return community_id(*self.ends, self.protocol, self.ports)


class Tcp:
    """A connection. Every method returns the number of the (last) frame it added."""

    def __init__(self, capture, client=CLIENT, server=SERVER, sport=49152, dport=80, isn=(1000, 5000), extensions=()):
        self.capture, self.ends, self.ports, self.extensions = capture, (client, server), (sport, dport), extensions
        self.isn = isn
        self.next = [isn[0] + 1, isn[1] + 1]
        self.originator = client

    def community_id(self):
        return community_id(*self.ends, wire.TCP, self.ports)

    def segment(self, data=b"", flags=wire.PSH | wire.ACK, back=False, seq=None, ack=None, options=b"", window=64240, move=True, urgent=0):
        """One segment; `seq` and `ack` are absolute and default to what comes next (`move`: and then advance)."""
        side = 1 if back else 0
        (a, b), (p, q) = (x[::-1] if back else x for x in (self.ends, self.ports))
        at = self.next[side] if seq is None else seq
        acked = self.next[1 - side] if ack is None else ack
        packet = wire.tcp(a, b, p, q, at, acked if flags & wire.ACK else 0, flags, data, options, window, urgent)
        if move and seq is None:
            self.next[side] += len(data) + bool(flags & wire.FIN)
        return self.capture.add(wire.ip(a, b, wire.TCP, packet, extensions=self.extensions))

    def open(self):
        mss = b"\x02\x04\x05\xb4"
        self.segment(flags=wire.SYN, seq=self.isn[0], options=mss)
        self.segment(flags=wire.SYN | wire.ACK, seq=self.isn[1], back=True, options=mss)
        return self.segment(flags=wire.ACK)

    def send(self, data, size=None, back=False):
        """`data` in segments of `size` bytes."""
        step = size or max(len(data), 1)
        for at in range(0, len(data), step):
            last = self.segment(data[at:at + step], back=back)
        return last

    def reply(self, data, size=None):
        return self.send(data, size, back=True)

    def close(self):
        self.segment(flags=wire.FIN | wire.ACK)
        self.segment(flags=wire.FIN | wire.ACK, back=True)
        return self.segment(flags=wire.ACK)

"""Headers of tunnels, and IP fragments. Everything takes and returns bytes."""
import struct

from . import wire


def gre(packet, protocol=None, key=None, sequence=None, checksum=False):
    flags = 0x8000 * checksum | 0x2000 * (key is not None) | 0x1000 * (sequence is not None)
    out = struct.pack("!HH", flags, wire.ethertype(packet) if protocol is None else protocol)
    out += bytes(4) if checksum else b""
    out += struct.pack("!I", key) if key is not None else b""
    out += struct.pack("!I", sequence) if sequence is not None else b""
    if checksum:
        out = out[:4] + struct.pack("!H", wire.checksum(out + packet)) + out[6:]
    return out + packet


def pptp(packet, sequence=1, call=7):
    body = b"\xff\x03" + wire.ppp_protocol(packet) + packet
    return struct.pack("!HHHHI", 0x3001, 0x880B, len(body), call, sequence) + body


def erspan_1(packet):
    return gre(wire.ethernet(packet), 0x88BE)


def erspan_2(packet, session=5):
    return gre(struct.pack("!HHI", 0x1000, session, 0) + wire.ethernet(packet), 0x88BE, sequence=1)


def erspan_3(packet, session=5, more=False, is_ip=False):
    last = (2 if is_ip else 0) << 10 | more
    head = struct.pack("!HHIHH", 0x2000, session, 12345, 0, last) + (bytes(8) if more else b"")
    return gre(head + (packet if is_ip else wire.ethernet(packet)), 0x22EB, sequence=1)


def vxlan(frame, vni=100, flags=0x08, policy=0):
    return struct.pack("!BBHI", flags, 0, policy, vni << 8) + frame


def vxlan_gpe(packet, protocol, vni=100):
    return struct.pack("!BBBBI", 0x0C, 0, 0, protocol, vni << 8) + packet


def geneve(packet, protocol=0x6558, vni=100, options=()):
    chain = b"".join(struct.pack("!HBB", klass, kind, len(data) // 4) + data for klass, kind, data in options)
    return struct.pack("!BBHI", len(chain) // 4, 0, protocol, vni << 8) + chain + packet


def gtp_u(packet, teid=1, sequence=None, extensions=()):
    """`extensions`: (type, body); a body has two bytes fewer than words of four."""
    flags = 0x30 | 0x02 * (sequence is not None) | 0x04 * bool(extensions)
    rest = b""
    if flags & 7:
        kinds = [kind for kind, _ in extensions] + [0]
        rest = struct.pack("!HBB", sequence or 0, 0, kinds[0])
        for following, (_, body) in zip(kinds[1:], extensions):
            rest += bytes([(len(body) + 2) // 4]) + body + bytes([following])
    return struct.pack("!BBHI", flags, 255, len(rest) + len(packet), teid) + rest + packet


def teredo(packet, authentication=False, origin=False):
    out = b"\0\1\0\0" + bytes(9) if authentication else b""
    return out + (b"\0\0" + bytes(6) if origin else b"") + packet


def l2tp_2(packet, tunnel=1, session=2, length=True, sequence=False, offset=None):
    body = b"\xff\x03" + wire.ppp_protocol(packet) + packet
    flags = 2 | 0x4000 * length | 0x0800 * sequence | 0x0200 * (offset is not None)
    rest = struct.pack("!HH", tunnel, session) + (struct.pack("!HH", 1, 0) if sequence else b"")
    rest += struct.pack("!H", offset) + bytes(offset) if offset is not None else b""
    head = struct.pack("!H", flags)
    if length:
        head += struct.pack("!H", 4 + len(rest) + len(body))
    return head + rest + body


def l2tp_3(packet, session=9, cookie=b"", sublayer=b"", udp=False):
    return (b"\0\3\0\0" if udp else b"") + struct.pack("!I", session) + cookie + sublayer + wire.ethernet(packet)


def tzsp(frame, protocol=1):
    return struct.pack("!BBH", 1, 0, protocol) + b"\0\x0a\1\xd0\x12\1\x06\1" + frame


def capwap(frame, is_wifi=True):
    word = (4 if is_wifi else 2) << 19 | 1 << 9 | 0x100 * is_wifi
    return b"\0" + word.to_bytes(3, "big") + bytes(12 if is_wifi else 4) + frame


def lisp(packet, instance=None):
    return struct.pack("!BBHI", 0x08 if instance is not None else 0x80, 0x12, 0x3456, (instance or 0) << 8) + packet


def ayiya(packet, identity=16):
    power = identity.bit_length() - 1
    return struct.pack("!BBBBI", power << 4 | 1, 0x52, 0x11, 41, 1_700_000_000) + bytes(identity) + bytes(20) + packet


def ah(packet, protocol):
    """An authentication header before a payload of `protocol`."""
    return struct.pack("!BBHII", protocol, 4, 0, 0x100, 1) + bytes(12) + packet


def llc(packet):
    return b"\xaa\xaa\x03\0\0\0" + struct.pack("!H", wire.ethertype(packet)) + packet


def wifi(packet, quality=False, four=False, flags=0, subtype=0, control=0, swapped=False, pad=b"", sequence=0):
    """A data frame to the distribution system; `packet` None for one without data."""
    kind = 0x08 | (0x80 if quality else 0) | subtype << 4
    flags |= 0x03 if four else 0x01
    head = bytes([flags, kind] if swapped else [kind, flags]) + bytes(2) + wire.SERVER_MAC + wire.CLIENT_MAC + wire.SERVER_MAC
    head += struct.pack(">H" if swapped else "<H", sequence) + (wire.CLIENT_MAC if four else b"") + (struct.pack("<H", control) if quality else b"")
    return head + pad + (b"" if packet is None else packet)


def radiotap(frame, flags=0, time=False):
    present = 2 | time
    fields = (bytes(8) if time else b"") + bytes([flags])
    return struct.pack("<BBHI", 0, 0, 8 + len(fields), present) + fields + frame


def ppi(frame, link=105):
    return struct.pack("<BBHI", 0, 0, 8, link) + frame


def prism(frame):
    return struct.pack("<II", 0x44, 144) + bytes(136) + frame


def avs(frame):
    return struct.pack("!II", 0x80211001, 64) + bytes(56) + frame


def nflog(packet, order="<"):
    def field(kind, value):
        return struct.pack(order + "HH", 4 + len(value), kind) + value + b"\0" * (-len(value) % 4)
    family = 10 if packet[0] >> 4 == 6 else 2
    return struct.pack("!BBH", family, 0, 0) + field(1, b"\x08\0\1\0") + field(10, b"drop\0") + field(9, packet)


def fragments(packet, size, ident=0x77):
    """An IP packet (without extension headers) cut into pieces of `size` payload bytes: a list of IP packets."""
    six = packet[0] >> 4 == 6
    head, payload = (packet[:40], packet[40:]) if six else (packet[:20], packet[20:])
    return [fragment(head, payload[at:at + size], at, at + size < len(payload), ident) for at in range(0, len(payload), size)]


def fragment(head, piece, offset, more, ident=0x77):
    """One piece; `head` is the header of the whole packet."""
    if head[0] >> 4 == 6:
        extension = struct.pack("!BBHI", head[6], 0, offset | more, ident)
        return head[:4] + struct.pack("!H", 8 + len(piece)) + b"\x2c" + head[7:40] + extension + piece
    out = head[:2] + struct.pack("!HHH", 20 + len(piece), ident, 0x2000 * more | offset >> 3) + head[8:10] + b"\0\0" + head[12:20]
    return out[:10] + struct.pack("!H", wire.checksum(out)) + out[12:] + piece

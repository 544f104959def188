"""Headers, with correct checksums. Addresses are text; everything returned is bytes."""
import ipaddress
import struct

CLIENT_MAC = bytes.fromhex("020000000001")
SERVER_MAC = bytes.fromhex("020000000002")
TCP, UDP, ICMP, ICMP6, GRE, OSPF = 6, 17, 1, 58, 47, 89
FIN, SYN, RST, PSH, ACK, URG, ECE, CWR = (1 << bit for bit in range(8))


def packed(address):
    return ipaddress.ip_address(address).packed


def checksum(data):
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def l4_checksum(source, destination, protocol, segment):
    a, b = packed(source), packed(destination)
    if len(a) == 4:
        pseudo = a + b + struct.pack("!BBH", 0, protocol, len(segment))
    else:
        pseudo = a + b + struct.pack("!II", len(segment), protocol)
    return checksum(pseudo + segment)


def tcp(source, destination, sport, dport, seq, ack, flags, data=b"", options=b"", window=64240, urgent=0):
    options += b"\0" * (-len(options) % 4)
    offset = (20 + len(options)) // 4
    head = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xFFFFFFFF, ack & 0xFFFFFFFF, offset << 4, flags, window, 0, urgent)
    segment = head + options + data
    total = l4_checksum(source, destination, TCP, segment)
    return segment[:16] + struct.pack("!H", total) + segment[18:]


def udp(source, destination, sport, dport, data):
    segment = struct.pack("!HHHH", sport, dport, 8 + len(data), 0) + data
    total = l4_checksum(source, destination, UDP, segment) or 0xFFFF
    return segment[:6] + struct.pack("!H", total) + segment[8:]


def icmp_echo(source, destination, kind, ident=1, seq=1, data=b"picket fixture"):
    body = struct.pack("!BBHHH", kind, 0, 0, ident, seq) + data
    six = len(packed(source)) == 16
    total = l4_checksum(source, destination, ICMP6, body) if six else checksum(body)
    return body[:2] + struct.pack("!H", total) + body[4:]


def ip(source, destination, protocol, payload, ident=1, tos=0, ttl=64, extensions=()):
    """IPv4 or IPv6 by the address. `extensions`: (header number, body) of IPv6, in order."""
    a, b = packed(source), packed(destination)
    if len(a) == 4:
        head = struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(payload), ident & 0xFFFF, 0x4000, ttl, protocol, 0) + a + b
        return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + payload
    chain, following = b"", protocol
    for number, body in reversed(extensions):
        body += b"\0" * (-(len(body) + 2) % 8)
        chain = bytes([following, (len(body) + 2) // 8 - 1]) + body + chain
        following = number
    return struct.pack("!IHBB", 6 << 28 | tos << 20, len(chain) + len(payload), following, ttl) + a + b + chain + payload


def ethertype(packet):
    return 0x86DD if packet[0] >> 4 == 6 else 0x0800


def ethernet(packet, kind=None, tags=()):
    """An Ethernet frame; `tags`: (TPID, VLAN id), outermost first."""
    out = SERVER_MAC + CLIENT_MAC
    for tpid, vlan in tags:
        out += struct.pack("!HH", tpid, vlan)
    return out + struct.pack("!H", ethertype(packet) if kind is None else kind) + packet


def llc_snap(packet):
    body = b"\xaa\xaa\x03\0\0\0" + struct.pack("!H", ethertype(packet)) + packet
    return SERVER_MAC + CLIENT_MAC + struct.pack("!H", len(body)) + body


def sll(packet):
    return struct.pack("!HHH", 0, 1, 6) + CLIENT_MAC + b"\0\0" + struct.pack("!H", ethertype(packet)) + packet


def sll2(packet):
    return struct.pack("!HHIHBB", ethertype(packet), 0, 2, 1, 0, 6) + CLIENT_MAC + b"\0\0" + packet


def null(packet, order="<", inet6=30):
    return struct.pack(order + "I", inet6 if packet[0] >> 4 == 6 else 2) + packet


def ppp_protocol(packet):
    return struct.pack("!H", 0x57 if packet[0] >> 4 == 6 else 0x21)


def pppoe(packet, session=0x11):
    body = ppp_protocol(packet) + packet
    return struct.pack("!BBHH", 0x11, 0, session, len(body)) + body


def mpls(packet, labels=(16,)):
    out = b""
    for position, label in enumerate(labels):
        bottom = position == len(labels) - 1
        out += struct.pack("!I", label << 12 | bottom << 8 | 64)
    return out + packet

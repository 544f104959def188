"""Control systems: functions, stations, and conditions on them. Messages are built by hand from the protocols' descriptions."""
import struct

from . import dns
from .flows import CLIENT, SERVER, Tcp, Udp, case

# Listed only with a condition: see indicators.py.
CONTROLLER, WRITER, PAIRED = "203.0.113.101", "203.0.113.102", "203.0.113.103"


def modbus(pdu, unit=17, transaction=1):
    return struct.pack("!HHHB", transaction, 0, len(pdu) + 1, unit) + pdu


READ = modbus(bytes([3, 0, 0, 0, 2]))
READ_ANSWER = modbus(bytes([3, 4, 0, 1, 0, 2]))
WRITE = modbus(bytes([6, 0, 1, 0, 3]), transaction=2)


def dnp3_crc(data):
    crc = 0
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA6BC if crc & 1 else 0)
    return struct.pack("<H", ~crc & 0xFFFF)


def dnp3(user, destination=1024, source=1):
    head = struct.pack("<BBBBHH", 5, 0x64, 5 + len(user), 0xC4, destination, source)
    blocks = [head] + [user[at:at + 16] for at in range(0, len(user), 16)]
    return b"".join(block + dnp3_crc(block) for block in blocks)


def tpkt(cotp):
    return struct.pack("!BBH", 3, 0, 4 + len(cotp)) + cotp


S7_REQUEST = tpkt(bytes([17, 0xE0, 0, 0, 0, 1, 0, 0xC0, 1, 10, 0xC1, 2, 1, 0, 0xC2, 2, 1, 2]))
S7_CONFIRM = tpkt(bytes([17, 0xD0, 0, 1, 0, 2, 0, 0xC0, 1, 10, 0xC1, 2, 1, 0, 0xC2, 2, 1, 2]))


def s7(parameters, data=b"", kind=1):
    error = b"\0\0" if kind in (2, 3) else b""
    return tpkt(b"\x02\xf0\x80" + struct.pack("!BBHHHH", 0x32, kind, 0, 1, len(parameters), len(data)) + error + parameters + data)


def enip(command, body=b"", session=9):
    return struct.pack("<HHII8sI", command, len(body), session, 0, b"context1", 0) + body


def cip(message):
    return enip(0x6F, struct.pack("<IHHHHHH", 0, 5, 2, 0, 0, 0xB2, len(message)) + message)


def iec104(asdu, sent=1, received=2):
    return struct.pack("<BBHH", 0x68, 4 + len(asdu), sent << 1, received << 1) + asdu


def bacnet(function, npdu):
    return struct.pack("!BBH", 0x81, function, 4 + len(npdu)) + npdu


def opcua(name, body):
    return name + struct.pack("<I", 8 + len(body)) + body


def opcua_text(text):
    return struct.pack("<I", len(text)) + text


def opcua_message(service):
    return opcua(b"MSGF", struct.pack("<IIII", 7, 1, 2, 2) + struct.pack("<BBH", 1, 0, service) + bytes(16))


OPCUA_HELLO = opcua(b"HELF", bytes(4) + struct.pack("<IIII", 65535, 65535, 0, 0) + opcua_text(b"opc.tcp://192.0.2.80:4840"))
OPCUA_OPEN = opcua(b"OPNF", bytes(4) + opcua_text(b"http://opcfoundation.org/UA/SecurityPolicy#None") + b"\xff" * 8
                   + struct.pack("<II", 1, 1) + struct.pack("<BBH", 1, 0, 446) + bytes(16))


def connect(c, port, client=CLIENT, server=SERVER, sport=49152):
    flow = Tcp(c, client, server, sport, port)
    flow.open()
    return flow


@case("ics-modbus.pcap", "Modbus/TCP: a read and its answer, a listed write twice, its echo; a read alone in another flow")
def _(c):
    flow = connect(c, 502)
    flow.send(READ)
    flow.reply(READ_ANSWER)
    frame = flow.send(WRITE)
    c.hit("ics-modbus", "ics.modbus.function", frame, flow)
    c.hit("ics-modbus-write", "ics.modbus.operation", frame, flow)
    flow.reply(WRITE)
    flow.send(WRITE)
    connect(c, 502, sport=49153).send(READ)


@case("ics-modbus-odd-port.pcap", "Modbus/TCP on port 10502, a listed unit in a segment of two messages, the second one split")
def _(c):
    flow = connect(c, 10502)
    second = modbus(bytes([4, 0, 0, 0, 2]), unit=99)
    flow.send(READ + second[:5])
    c.hit("ics-unit", "ics.modbus.unit_id", flow.send(second[5:]), flow)


@case("ics-modbus-foreign.pcap", "what looks like Modbus for some bytes: text behind it, a protocol identifier, an impossible count")
def _(c):
    for sport, data in enumerate((WRITE + b"text", WRITE[:2] + b"\0\1" + WRITE[4:], modbus(bytes([16, 0, 0, 0, 1, 3, 0, 1, 1]))), 49152):
        connect(c, 10502, sport=sport).send(data)


@case("ics-dnp3.pcap", "DNP3: a read, then a listed direct operate by a listed station; the same with a wrong checksum")
def _(c):
    operate = dnp3(bytes([0xC0, 0xC1, 5, 12, 1, 0x28, 1, 0, 0, 0, 3, 1, 100, 0, 0, 0, 100, 0, 0, 0]), source=3)
    flow = connect(c, 20000)
    flow.send(dnp3(bytes([0xC0, 0xC0, 1, 60, 2, 6]), source=4))
    flow.reply(dnp3(bytes([0xC0, 0xC0, 129, 0, 0]), destination=4, source=1024))
    frame = flow.send(operate)
    c.hit("ics-dnp3", "ics.dnp3.function", frame, flow)
    c.hit("ics-station", "ics.dnp3.station", frame, flow)
    connect(c, 20000, sport=49153).send(operate[:20] + b"\0" + operate[21:])


@case("ics-dnp3-udp.pcap", "DNP3 in datagrams")
def _(c):
    flow = Udp(c, CLIENT, SERVER, 20000, 20000)
    flow.send(dnp3(bytes([0xC0, 0xC0, 1, 60, 2, 6]), source=4))
    frame = flow.send(dnp3(bytes([0xC0, 0xC1, 6, 12, 1, 0x28, 1, 0]), source=3))
    c.hit("ics-station", "ics.dnp3.station", frame, flow)


@case("ics-s7comm.pcap", "S7: connection to a listed slot, setup, a listed stop; requests of MMS and RDP in the same framing")
def _(c):
    flow = connect(c, 102)
    flow.send(S7_REQUEST)
    flow.reply(S7_CONFIRM)
    frame = flow.send(s7(bytes([0xF0, 0, 0, 1, 0, 1, 3, 0xC0])))
    c.hit("ics-slot", "ics.s7comm.slot", frame, flow)
    flow.reply(s7(bytes([0xF0, 0, 0, 1, 0, 1, 0, 0xF0]), kind=3))
    c.hit("ics-s7-stop", "ics.s7comm.function", flow.send(s7(b"\x29\0\0\0\0\0\x09P_PROGRAM")), flow)
    mms = connect(c, 102, sport=49153)
    mms.send(S7_REQUEST)
    mms.reply(S7_CONFIRM)
    mms.send(tpkt(b"\x02\xf0\x80\x0d\xb2\x05\x06\x29\x00\x00"))
    rdp = connect(c, 3389, sport=49154)
    rdp.send(tpkt(bytes([14, 0xE0, 0, 0, 0, 0, 0, 1, 0, 8, 0, 3, 0, 0, 0])))


@case("ics-enip.pcap", "EtherNet/IP: session, a listed CIP service in an unconnected send")
def _(c):
    flow = connect(c, 44818)
    flow.send(enip(0x65, b"\1\0\0\0", session=0))
    flow.reply(enip(0x65, b"\1\0\0\0"))
    flow.send(cip(bytes([0x0E, 3, 0x20, 1, 0x24, 1, 0x30, 7])))
    embedded = bytes([0x05, 2, 0x20, 1, 0x24, 1])
    frame = flow.send(cip(bytes([0x52, 2, 0x20, 6, 0x24, 1, 10, 14, 6, 0]) + embedded + bytes([1, 0, 1, 0])))
    c.hit("ics-cip", "ics.cip.function", frame, flow)


@case("ics-iec104.pcap", "IEC 60870-5-104: start, interrogation, two units in one segment, the second a listed command")
def _(c):
    flow = connect(c, 2404)
    flow.send(bytes([0x68, 4, 7, 0, 0, 0]))
    flow.reply(bytes([0x68, 4, 0x0B, 0, 0, 0]))
    interrogation = iec104(bytes([100, 1, 6, 0, 46, 0, 0, 0, 0, 20]))
    frame = flow.send(interrogation + iec104(bytes([45, 1, 6, 0, 47, 0, 1, 2, 3, 0x81]), 2))
    c.hit("ics-iec104", "ics.iec104.function", frame, flow)
    c.hit("ics-address", "ics.iec104.common_address", frame, flow)


@case("ics-bacnet.pcap", "BACnet/IP: a listed write, and the announcement of a listed device")
def _(c):
    flow = Udp(c, CLIENT, SERVER, 47808, 47808)
    flow.send(bacnet(10, bytes([1, 4, 0, 5, 7, 12, 0x0C, 0, 0x80, 0, 1, 0x19, 85])))
    c.hit("ics-bacnet", "ics.bacnet.function", flow.send(bacnet(10, bytes([1, 4, 0, 5, 8, 15, 0x0C, 0, 0x80, 0, 1, 0x19, 85]))), flow)
    frame = flow.send(bacnet(11, bytes([1, 0x20, 0xFF, 0xFF, 0, 0xFF, 0x10, 0, 0xC4, 2, 0, 4, 0xD2, 0x22, 5, 0xC4])), back=True)
    c.hit("ics-device", "ics.bacnet.device", frame, flow)


@case("ics-opcua.pcap", "OPC UA: hello, an open channel, a read and a listed call; the same on an odd port in small segments")
def _(c):
    for sport, port, size in ((49152, 4840, None), (49153, 14840, 7)):
        flow = connect(c, port, sport=sport)
        flow.send(OPCUA_HELLO)
        flow.send(OPCUA_OPEN, size)
        flow.send(opcua_message(631), size)
        call = opcua_message(712)
        first = len(c.frames) + 1
        last = flow.send(call, size)
        c.hit("ics-opcua", "ics.opcua.function", list(range(first, last + 1)), flow)


@case("when-function.pcap", "a listed address that counts only if it writes: it reads and then writes; another only reads; a third is written to")
def _(c):
    flow = connect(c, 502, client=WRITER)
    flow.send(READ)
    flow.reply(READ_ANSWER)
    frame = flow.send(WRITE)
    c.hit("when-write", "source.ip", frame, flow)
    c.hit("ics-modbus", "ics.modbus.function", frame, flow)
    c.hit("ics-modbus-write", "ics.modbus.operation", frame, flow)
    connect(c, 502, client=WRITER, sport=49153).send(READ)
    flow = connect(c, 502, client=CLIENT, server=WRITER, sport=49154)
    frame = flow.send(WRITE)
    c.hit("ics-modbus", "ics.modbus.function", frame, flow)
    c.hit("ics-modbus-write", "ics.modbus.operation", frame, flow)


@case("when-protocol.pcap", "a listed address that counts only in Modbus: on an odd port, as server too; then HTTP to it")
def _(c):
    flow = connect(c, 10502, server=CONTROLLER)
    c.hit("when-modbus", "destination.ip", flow.send(READ), flow)
    flow = connect(c, 10502, client=CONTROLLER, server=SERVER, sport=49153)
    c.hit("when-modbus", "source.ip", flow.send(READ), flow)
    connect(c, 502, server=CONTROLLER, sport=49154).send(b"GET / HTTP/1.1\r\nHost: www.good.example\r\n\r\n")


@case("when-port.pcap", "a listed address that counts only with port 502, as responder: known with the flow's first packet")
def _(c):
    flow = connect(c, 502, server=PAIRED)
    c.hit("when-port", "destination.ip", 1, flow)
    connect(c, 503, server=PAIRED, sport=49153)
    connect(c, 502, client=PAIRED, server=SERVER, sport=49154)


@case("when-name.pcap", "a listed name that counts only in a DNS answer: in a question, in an answer, and in an HTTP Host")
def _(c):
    flow = Udp(c, CLIENT, "192.0.2.53", 50000, 53)
    flow.send(dns.query("once.malware.test"))
    frame = flow.send(dns.response("once.malware.test", [dns.record("once.malware.test", dns.A, dns.address("192.0.2.80"))]), back=True)
    c.hit("when-answer", "dns.question.name", frame, flow)
    connect(c, 80).send(b"GET / HTTP/1.1\r\nHost: once.malware.test\r\n\r\n")


ENGINEER, DEVICE, SPOILT, GROUP = (bytes.fromhex(mac) for mac in ("00005e005301", "00005e005302", "00005e005303", "010ccd010001"))
PROFINET_ALL = bytes.fromhex("010ecf000000")


def in_frame(c, source, destination, kind, payload, tags=()):
    """A frame of an EtherType, at least as long as Ethernet wants it."""
    head = destination + source
    for vlan in tags:
        head += struct.pack("!HH", 0x8100, vlan)
    return c.add_frame((head + struct.pack("!H", kind) + payload).ljust(60, b"\0"))


def dcp(frame_id, service, kind, blocks):
    data = b""
    for option, suboption, value in blocks:
        data += struct.pack("!BBH", option, suboption, len(value)) + value + b"\0" * (len(value) % 2)
    return struct.pack("!HBBIHH", frame_id, service, kind, 1, 0, len(data)) + data


def goose(sequence, app_id=1, state=1, simulated=False, fields=b""):
    def element(tag, value):
        return bytes([tag, len(value)]) + value
    pdu = element(0x80, b"IED1LD0/LLN0$GO$gcb1") + element(0x81, struct.pack("!H", 2000)) + element(0x82, b"IED1LD0/LLN0$DS1")
    pdu += element(0x83, b"trip") + element(0x84, bytes(8)) + element(0x85, bytes([state])) + element(0x86, bytes([sequence]))
    pdu += element(0x87, b"\0") + element(0x88, b"\1") + element(0x89, b"\0") + element(0x8A, b"\1") + element(0xAB, element(0x83, b"\1")) + fields
    pdu = element(0x61, pdu)
    return struct.pack("!HHHH", app_id, 8 + len(pdu), 0x8000 if simulated else 0, 0) + pdu


@case("ics-profinet.pcap", "PROFINET DCP in Ethernet: identify, the answer of a listed device, a new name, a factory reset, once more; cyclic data")
def _(c):
    in_frame(c, ENGINEER, PROFINET_ALL, 0x8892, dcp(0xFEFE, 5, 0, [(0xFF, 0xFF, b"")]))
    frame = in_frame(c, DEVICE, ENGINEER, 0x8892, dcp(0xFEFF, 5, 1, [(2, 2, b"\0\0pump-1"), (2, 3, b"\0\0\0\x2a\1\x0e")]))
    c.hit("ics-profinet-device", "ics.profinet.device_id", frame)
    frame = in_frame(c, ENGINEER, DEVICE, 0x8892, dcp(0xFEFD, 4, 0, [(2, 2, b"\0\1valve")]))
    c.hit("ics-profinet-name", "ics.profinet.function", frame)
    frame = in_frame(c, ENGINEER, DEVICE, 0x8892, dcp(0xFEFD, 4, 0, [(5, 6, b"\0\2\0\2")]))
    c.hit("ics-profinet", "ics.profinet.operation", frame)
    in_frame(c, ENGINEER, DEVICE, 0x8892, dcp(0xFEFD, 4, 0, [(5, 6, b"\0\2\0\2")]))
    in_frame(c, DEVICE, ENGINEER, 0x8892, b"\x80\0" + bytes(40))
    # The lengths do not add up: the last block says more than there is.
    in_frame(c, SPOILT, DEVICE, 0x8892, dcp(0xFEFD, 4, 0, [(5, 6, b"\0\2\0\2")])[:-5] + b"\xff\0\2\0\2")


@case("ics-goose.pcap", "GOOSE in Ethernet: the same state again, a change, in a VLAN by a listed application; something else of its EtherType")
def _(c):
    in_frame(c, DEVICE, GROUP, 0x88B8, goose(7))
    c.hit("ics-goose", "ics.goose.function", in_frame(c, DEVICE, GROUP, 0x88B8, goose(0, state=2)))
    in_frame(c, DEVICE, GROUP, 0x88B8, goose(1, state=2))
    c.hit("ics-goose-appid", "ics.goose.app_id", in_frame(c, DEVICE, GROUP, 0x88B8, goose(3, app_id=0x3F), tags=(5,)))
    in_frame(c, DEVICE, GROUP, 0x88B8, goose(0, fields=b"\x8f\x7f"))

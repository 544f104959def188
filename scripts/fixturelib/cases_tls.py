"""TLS and DTLS ClientHello."""
from . import tls
from .flows import CLIENT, SERVER, Tcp, Udp, case, spread
from .tls import Hello

SNI = "tls.client.server_name"


def connect(capture, sport=49152, dport=443):
    flow = Tcp(capture, CLIENT, SERVER, sport, dport)
    flow.open()
    return flow


@case("tls-sni.pcap", "ClientHello with an indicator as SNI, then near misses")
def _(c):
    flow = connect(c)
    c.hit("name", SNI, flow.send(Hello("www.evil.example").records()), flow)
    for port, name in enumerate(("notevil.example", "evil.example.good.example"), 49153):
        connect(c, port).send(Hello(name).records())


@case("tls-fingerprint.pcap", "ClientHello with listed JA3 and JA4 and a benign name; the same with one more cipher")
def _(c):
    flow = connect(c)
    frame = flow.send(tls.EVIL.records())
    c.hit("ja3", "tls.client.ja3", frame, flow)
    c.hit("ja4", None, frame, flow)
    connect(c, 49153).send(Hello("www.good.example", [*tls.BAD, 0x002F]).records())


@case("tls-no-sni.pcap", "ClientHello without SNI, ALPN and GREASE")
def _(c):
    connect(c).send(Hello(None, alpn=(), grease=False).records())


@case("tls-odd-port.pcap", "ClientHello on port 8080")
def _(c):
    flow = connect(c, dport=8080)
    c.hit("name", SNI, flow.send(Hello("www.evil.example").records()), flow)


@case("tls-split-segments.pcap", "ClientHello over three segments, split inside the record header and inside the name")
def _(c):
    flow = connect(c)
    data = Hello("www.evil.example").records()
    cut = data.index(b"evil") + 2
    flow.segment(data[:3])
    flow.segment(data[3:cut])
    c.hit("name", SNI, flow.segment(data[cut:]), flow)


@case("tls-split-records.pcap", "ClientHello over records of 50 bytes in one segment")
def _(c):
    flow = connect(c)
    c.hit("name", SNI, flow.send(Hello("www.evil.example").records(50)), flow)


@case("tls-split-both.pcap", "ClientHello over records of 64 and segments of 33 bytes")
def _(c):
    flow = connect(c)
    last = flow.send(Hello("www.evil.example").records(64), 33)
    c.hit("name", SNI, spread(6, last), flow)


@case("tls-post-quantum.pcap", "ClientHello with a 1,216-byte key share over two segments")
def _(c):
    flow = connect(c)
    last = flow.send(Hello("www.evil.example", share=1216).records(), 1400)
    c.hit("name", SNI, spread(last - 1, last), flow)


@case("tls-byte-a-segment.pcap", "ClientHello in segments of one byte")
def _(c):
    flow = connect(c)
    data = Hello("a.evil.example", alpn=(), grease=False).records()
    last = flow.send(data, 1)
    c.hit("name", SNI, spread(3 + data.index(b"example") + 7, last), flow)


@case("tls-out-of-order.pcap", "ClientHello whose second half arrives first")
def _(c):
    flow = connect(c)
    data = Hello("www.evil.example").records()
    half, at = len(data) // 2, flow.next[0]
    flow.segment(data[half:], seq=at + half)
    c.hit("name", SNI, flow.segment(data[:half], seq=at), flow)


@case("tls-garbage.pcap", "TLS records that lie: a handshake length past its record, an SNI length past its extension")
def _(c):
    data = bytearray(Hello("www.evil.example").records())
    data[6:9] = b"\xff\xff\xff"
    connect(c).send(bytes(data))
    data = bytearray(Hello("www.evil.example").records())
    at = data.index(b"www.evil") - 2
    data[at:at + 2] = b"\xff\xff"
    connect(c, 49153).send(bytes(data))
    c.may.append("name")


@case("dtls-sni.pcap", "DTLS 1.2 ClientHello over UDP")
def _(c):
    flow = Udp(c, CLIENT, SERVER, 40000, 4433)
    c.hit("name", SNI, flow.send(Hello("www.evil.example", dtls=True).records()), flow)

"""The server's side of TLS: certificates, JA3S, and TLS that begins in the middle of another protocol."""
from . import tls
from .cases_tls import SNI, connect
from .flows import CLIENT, SERVER, Udp, case, spread
from .tls import Hello, ServerHello, flight, records
from .wire import packed
from .x509 import EVIL, EVIL_CA, EVIL_ISSUER, EVIL_SERIAL, EVIL_SUBJECT, GOOD, Certificate, der

SHA1, SHA256 = "tls.server.hash.sha1", "tls.server.hash.sha256"
NAMES = "tls.server.x509.alternative_names"


def hello(c, sport=49152, name="www.good.example", dport=443):
    flow = connect(c, sport, dport)
    flow.send(Hello(name, grease=False).records())
    return flow


@case("tls-certificate.pcap", "TLS 1.2 server's flight, a message a record, with a listed certificate; then one that differs in its serial number")
def _(c):
    for port, first in ((49152, EVIL), (49153, GOOD)):
        flow = hello(c, port)
        frame = flow.reply(b"".join(records([message]) for message in flight(first, GOOD)))
        flow.send(b"\x14\x03\x03\x00\x01\x01")
        if first is EVIL:
            c.hit("cert-sha1", SHA1, frame, flow)


@case("tls-certificate-chain.pcap", "the listed certificate (SHA-256) is the third of the chain")
def _(c):
    flow = hello(c)
    c.hit("cert-sha256", SHA256, flow.reply(records(flight(GOOD, GOOD, EVIL_CA))), flow)


@case("tls-certificate-segments.pcap", "chain over segments of 100 bytes")
def _(c):
    flow = hello(c)
    data = records(flight(EVIL, GOOD))
    last = flow.reply(data, 100)
    c.hit("cert-sha1", SHA1, spread(last - len(data) // 100, last), flow)


@case("tls-certificate-records.pcap", "chain over records of 64 bytes that hold parts of two messages")
def _(c):
    flow = hello(c)
    data = records(flight(EVIL, GOOD), 64)
    last = flow.reply(data, 500)
    c.hit("cert-sha1", SHA1, spread(last - len(data) // 500, last), flow)


@case("tls-certificate-byte-a-segment.pcap", "a small certificate in segments of one byte")
def _(c):
    flow = hello(c, name=None)
    small = Certificate([("CN", "a")], [("CN", "b")], EVIL_SERIAL, padding=1)
    flow.reply(records([ServerHello().message()]))
    last = flow.reply(records([tls.certificates(small)]), 1)
    c.hit("cert-serial", "tls.server.x509.serial_number", last, flow)


@case("tls-certificate-reversed.pcap", "the flight's segments arrive last first, each twice")
def _(c):
    flow = hello(c)
    data, at, last = records(flight(EVIL)), flow.next[1], 0
    for start in reversed(range(0, len(data), 200)):
        for _ in range(2):
            last = flow.segment(data[start:start + 200], back=True, seq=at + start)
    c.hit("cert-sha1", SHA1, spread(last - 1, last), flow)


@case("tls-certificate-cut.pcap", "the capture ends behind the chain's first certificate; its second, listed too, is not whole")
def _(c):
    flow = hello(c)
    data = records(flight(EVIL, EVIL_CA))
    last = flow.reply(data[:len(data) - 250], 300)
    first = last - (len(data) - 250) // 300
    c.hit("cert-sha1", SHA1, spread(first, last), flow)


@case("tls-certificate-server-only.pcap", "only the server's direction was captured, from the Certificate message on")
def _(c):
    flow = connect(c)
    c.hit("cert-sha1", SHA1, flow.reply(records([tls.certificates(EVIL)])), flow)


@case("tls-certificate-names.pcap", "certificates with a listed subject, issuer, serial number, DNS names and address")
def _(c):
    flow = hello(c)
    frame = flow.reply(records(flight(Certificate(EVIL_SUBJECT))))
    c.hit("cert-subject", "tls.server.subject", frame, flow)
    flow = hello(c, 49153)
    c.hit("cert-issuer", "tls.server.issuer", flow.reply(records(flight(Certificate([("CN", "a")], EVIL_ISSUER)))), flow)
    flow = hello(c, 49154)
    frame = flow.reply(records(flight(Certificate([("CN", "a")], serial=EVIL_SERIAL))))
    c.hit("cert-serial", "tls.server.x509.serial_number", frame, flow)
    flow = hello(c, 49155)
    listed = Certificate([("CN", "www.evil.example")], names=["good.example", "*.evil.example"], addresses=[packed("203.0.113.66")])
    frame = flow.reply(records(flight(listed)))
    c.hit("name", NAMES, frame, flow)
    c.hit("addr", NAMES, frame, flow)
    flow = hello(c, 49156)
    frame = flow.reply(records(flight(Certificate([("CN", "www.evil.example")]))))
    c.hit("name", "tls.server.x509.subject.common_name", frame, flow)
    near = Certificate([("O", "www.evil.example"), ("CN", "Evil CA")], names=["evil.example.good.example"])
    hello(c, 49157).reply(records(flight(near)))


@case("tls-certificate-client.pcap", "the client's certificate is listed")
def _(c):
    flow = hello(c)
    flow.reply(records(flight(GOOD)))
    frame = flow.send(records([tls.certificates(EVIL), (16, bytes(66))]))
    c.hit("cert-sha1", "tls.client.hash.sha1", frame, flow)


@case("tls-ja3s.pcap", "listed JA3S, of TLS 1.2; then the same server with another cipher")
def _(c):
    flow = hello(c)
    c.hit("ja3s", "tls.server.ja3s", flow.reply(records(flight(GOOD, hello=tls.EVIL_SERVER))), flow)
    hello(c, 49153).reply(records(flight(GOOD, hello=ServerHello(0x009D, extensions=tls.EVIL_SERVER.extensions))))


@case("tls-certificate-sealed.pcap", "what looks like a listed certificate behind a TLS 1.3 ServerHello, and behind a resumed session's change of cipher")
def _(c):
    change = b"\x14\x03\x03\x00\x01\x01"
    hello(c).reply(records([ServerHello(modern=True).message()]) + change + records([tls.certificates(EVIL)]))
    hello(c, 49153).reply(records([ServerHello().message()]) + change + records([tls.certificates(EVIL)]))


@case("tls-certificate-garbage.pcap", "certificates that lie: a chain longer than its message, DER lengths past the end, a chain of 5 MB")
def _(c):
    data = bytearray(records(flight(EVIL)))
    at = data.index(EVIL.der())
    data[at - 6:at - 3] = b"\xff\xff\xff"
    c.hit("cert-sha1", SHA1, hello(c).reply(bytes(data)), None)
    data = bytearray(records(flight(GOOD)))
    at = data.index(GOOD.der())
    data[at + 5] = 0xFF
    hello(c, 49153).reply(bytes(data))
    hello(c, 49154).reply(records([ServerHello().message()]) + b"\x16\x03\x03\x40\x00\x0b\x50\x00\x00" + bytes(2000))
    c.may.append("cert-sha1")


@case("tls-ech.pcap", "ClientHello with an encrypted inner one: the outer name is seen, the inner one is counted as not visible")
def _(c):
    flow = connect(c)
    sealed = (0xFE0D, b"\0\0\1\0\1\x42" + tls.vector(bytes(32)) + tls.vector(bytes(100)))
    c.hit("name", SNI, flow.send(Hello("www.evil.example", more=[sealed]).records()), flow)


@case("dtls-certificate.pcap", "DTLS 1.2 server's flight in fragments, the chain's second half before its first")
def _(c):
    flow = Udp(c, CLIENT, SERVER, 40000, 4433)
    flow.send(Hello("www.good.example", dtls=True).records())
    parts = tls.datagrams(flight(EVIL, hello=ServerHello(dtls=True)))
    parts[1], parts[2] = parts[2], parts[1]
    frames = [flow.send(part, back=True) for part in parts]
    c.hit("cert-sha1", SHA1, frames[2], flow)


def secured(c, flow):
    """The TLS that follows an upgrade: a listed name and a listed certificate."""
    c.hit("name", SNI, flow.send(Hello("www.evil.example").records()), flow)
    c.hit("cert-sha1", SHA1, flow.reply(records(flight(EVIL))), flow)


@case("starttls-ldap.pcap", "LDAP: a search, then StartTLS granted")
def _(c):
    flow = connect(c, dport=389)
    scope = der(4) + der(10, b"\0") * 2 + der(2, b"\0") * 2 + der(1, b"\0")
    flow.send(der(0x30, der(2, b"\1"), der(0x63, scope, der(0x87, b"objectclass"), der(0x30))))
    flow.reply(bytes.fromhex("300c02010165070a010004000400"))
    flow.send(bytes.fromhex("301d02010277188016") + b"1.3.6.1.4.1.1466.20037")
    flow.reply(bytes.fromhex("300c02010278070a010004000400"))
    secured(c, flow)


@case("starttls-postgresql.pcap", "PostgreSQL: GSSENCRequest refused, SSLRequest granted")
def _(c):
    flow = connect(c, dport=5432)
    flow.send(bytes.fromhex("0000000804d21630"))
    flow.reply(b"N")
    flow.send(bytes.fromhex("0000000804d2162f"))
    flow.reply(b"S")
    secured(c, flow)


@case("starttls-mysql.pcap", "MySQL: greeting, then SSLRequest")
def _(c):
    flow = connect(c, dport=3306)
    body = b"\x0a8.0.36\0" + bytes(4) + b"saltsalt\0" + b"\xff\xff\xff\2\0\xff\xdf\x15" + bytes(10) + b"saltsaltsalt\0mysql_native_password\0"
    flow.reply(len(body).to_bytes(3, "little") + b"\0" + body)
    flow.send(b"\x20\0\0\1" + b"\x85\xae\xff\x19" + b"\0\0\0\1\x2d" + bytes(23))
    secured(c, flow)


@case("starttls-unknown.pcap", "TLS in the middle of a text protocol that no parser knows (XMPP), four bytes a segment up to there")
def _(c):
    flow = connect(c, dport=5222)
    flow.send(b"<stream:stream to='good.example'>", 4)
    flow.reply(b"<stream:features><starttls/></stream:features>", 4)
    flow.send(b"<starttls/>")
    flow.reply(b"<proceed/>")
    secured(c, flow)

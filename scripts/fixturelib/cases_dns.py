"""DNS over UDP and TCP, mDNS, LLMNR."""
from . import dns
from .flows import BAD, BAD6, CLIENT, CLIENT6, RESOLVER, Tcp, Udp, case

QUESTION, OWNER = "dns.question.name", "dns.answers.name"
TARGET = ["dns.answers.data", OWNER]
RESOLVED = ["dns.resolved_ip", "dns.answers.data"]


def resolver(capture, sport=40000, dport=53, server=RESOLVER):
    return Udp(capture, CLIENT, server, sport, dport)


@case("dns-query-a.pcap", "DNS query (A) for a name below an indicator, and its empty response")
def _(c):
    flow = resolver(c)
    c.hit("name", QUESTION, flow.send(dns.query("www.evil.example")), flow)
    flow.send(dns.response("www.evil.example", []), back=True)


@case("dns-query-mixed-case.pcap", "DNS query in mixed case (0x20), the indicator's own name, then near misses on label boundaries")
def _(c):
    flow = resolver(c)
    c.hit("name", QUESTION, flow.send(dns.query("eViL.EXamPLe")), flow)
    for port, text in enumerate(("notevil.example", "evil.example.good.example", "evil-example", "example"), 40001):
        resolver(c, port).send(dns.query(text))


@case("dns-match-and-validity.pcap", "exact against subtree names; entries expired, and valid, at packet time")
def _(c):
    resolver(c, 40000).send(dns.query("below.only.malware.test"))
    flow = resolver(c, 40001)
    c.hit("name-exact", QUESTION, flow.send(dns.query("only.malware.test")), flow)
    resolver(c, 40002).send(dns.query("expired.malware.test"))
    flow = resolver(c, 40003)
    c.hit("name-valid", QUESTION, flow.send(dns.query("valid.malware.test")), flow)


@case("dns-response-a.pcap", "DNS response with A addresses: one indicator, two that share a /24 with one, one in a listed network")
def _(c):
    flow = resolver(c)
    flow.send(dns.query("www.good.example"))
    answers = [dns.record("www.good.example", dns.A, dns.address(a)) for a in ("203.0.113.67", "198.51.100.128", BAD, "198.51.100.127")]
    frame = flow.send(dns.response("www.good.example", answers), back=True)
    c.hit("addr", RESOLVED, frame, flow)
    c.hit("net", RESOLVED, frame, flow)


@case("dns-response-aaaa.pcap", "DNS response with AAAA addresses in and beside a listed /48")
def _(c):
    flow = resolver(c)
    flow.send(dns.query("www.good.example", dns.AAAA))
    answers = [dns.record("www.good.example", dns.AAAA, dns.address(a)) for a in ("2001:db8:bae::1", BAD6)]
    c.hit("net6", RESOLVED, flow.send(dns.response("www.good.example", answers, dns.AAAA), back=True), flow)


@case("dns-response-only.pcap", "DNS response without its query: the question is in it")
def _(c):
    flow = resolver(c)
    c.hit("name", QUESTION, flow.send(dns.response("www.evil.example", []), back=True), flow)


@case("dns-cname.pcap", "CNAME chain to an indicator, compressed names")
def _(c):
    flow = resolver(c)
    asked = "cdn.good.example"
    flow.send(dns.query(asked))
    target = dns.name("edge.evil.example")
    chain = dns.record(dns.pointer(12), dns.CNAME, target)
    at = 12 + len(dns.name(asked)) + 4 + 12
    answers = [chain, dns.record(dns.pointer(at), dns.A, dns.address("203.0.113.81"))]
    c.hit("name", TARGET, flow.send(dns.response(asked, answers), back=True), flow)


@case("dns-mx-srv-ptr-ns.pcap", "indicators as MX, SRV, PTR and NS targets, each in a flow of its own")
def _(c):
    targets = [
        (dns.MX, "good.example", dns.mx("mail.evil.example")),
        (dns.SRV, "_https._tcp.good.example", dns.srv("srv.evil.example")),
        (dns.PTR, "66.113.0.203.in-addr.arpa", dns.name("ptr.evil.example")),
        (dns.NS, "good.example", dns.name("ns.evil.example")),
    ]
    for port, (kind, asked, data) in enumerate(targets, 40000):
        flow = resolver(c, port)
        flow.send(dns.query(asked, kind))
        c.hit("name", TARGET, flow.send(dns.response(asked, [dns.record(asked, kind, data)], kind), back=True), flow)


@case("dns-referral.pcap", "NS targets in the authority and addresses in the additional section")
def _(c):
    flow = resolver(c)
    flow.send(dns.query("www.good.example"))
    authority = [dns.record("good.example", dns.NS, dns.name("ns.c2.invalid"))]
    additional = [dns.record("ns.c2.invalid", dns.A, dns.address("203.0.113.82"))]
    c.hit("name-c2", None, flow.send(dns.response("www.good.example", [], authority=authority, additional=additional), back=True), flow)


@case("dns-https.pcap", "HTTPS (type 65) query and response: target name, ipv4hint")
def _(c):
    flow = resolver(c)
    flow.send(dns.query("www.good.example", dns.HTTPS))
    answers = [dns.record("www.good.example", dns.HTTPS, dns.https("svc.evil.example", BAD))]
    c.hit("name", TARGET, flow.send(dns.response("www.good.example", answers, dns.HTTPS), back=True), flow)
    c.may.append("addr")


@case("dns-tcp.pcap", "DNS over TCP: query split after one byte of its length, two responses in one segment")
def _(c):
    flow = Tcp(c, CLIENT, RESOLVER, 40000, 53)
    flow.open()
    message = dns.framed(dns.query("www.evil.example")) + dns.framed(dns.query("www.good.example", ident=2))
    flow.segment(message[:1])
    flow.segment(message[1:20])
    c.hit("name", QUESTION, flow.segment(message[20:]), flow)
    answer = dns.record("www.good.example", dns.A, dns.address(BAD))
    replies = dns.framed(dns.response("www.evil.example", [])) + dns.framed(dns.response("www.good.example", [answer], ident=2))
    c.hit("addr", RESOLVED, flow.reply(replies), flow)
    flow.close()


@case("dns-odd-port.pcap", "DNS over UDP between two odd ports")
def _(c):
    flow = resolver(c, 40000, 5300)
    first = flow.send(dns.query("www.evil.example"))
    c.hit("name", QUESTION, first, flow)
    flow.send(dns.response("www.evil.example", []), back=True)


@case("dns-mdns.pcap", "mDNS response (port 5353, multicast, cache-flush bit) over IPv4 and IPv6")
def _(c):
    for source, group in ((CLIENT, "224.0.0.251"), (CLIENT6, "ff02::fb")):
        flow = Udp(c, source, group, 5353, 5353)
        answer = dns.record("host.evil.example", dns.A, dns.address(CLIENT), klass=0x8001)
        message = b"\0\0\x84\0\0\0\0\1\0\0\0\0" + answer
        c.hit("name", None, flow.send(message), flow)


@case("dns-llmnr.pcap", "LLMNR query (port 5355)")
def _(c):
    flow = Udp(c, CLIENT, "224.0.0.252", 40000, 5355)
    c.hit("name", QUESTION, flow.send(dns.query("evil.example", flags=0)), flow)


@case("dns-compression-loop.pcap", "response whose answer's name points at itself, then one that points forward: the question still counts")
def _(c):
    flow = resolver(c)
    asked = "www.evil.example"
    at = 12 + len(dns.name(asked)) + 4
    loop = dns.record(dns.pointer(at), dns.A, dns.address("203.0.113.83"))
    c.hit("name", QUESTION, flow.send(dns.response(asked, [loop]), back=True), flow)
    flow.send(dns.response(asked, [dns.record(dns.pointer(at + 200), dns.A, dns.address("203.0.113.83"))]), back=True)


@case("dns-garbage.pcap", "port 53 bytes that are not DNS, and DNS cut short")
def _(c):
    flow = resolver(c)
    flow.send(bytes(range(64)))
    flow.send(dns.query("www.evil.example")[:18])
    resolver(c, 40001).send(b"")

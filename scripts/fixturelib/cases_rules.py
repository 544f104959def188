"""Suricata and YARA rules: what they match is written to fixtures/rules.rules, the list beside it and fixtures/rules.yar."""
from . import codings, dns, tls, wire
from .cases_files import chunks, ok
from .cases_http import request
from .flows import CLIENT, RESOLVER, SERVER, Plain, Tcp, Udp, case

SURICATA = r"""# Rules of the fixtures. What stands for HOME_NET there:
# picket: HOME_NET=[192.0.2.0/24]
alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"PICKET rule request"; flow:established,to_server; http.method; content:"POST"; http.uri; content:"/rule/"; startswith; content:".php"; distance:4; within:8; http.host; content:"rule"; content:".test"; endswith; http.user_agent; content:!"Mozilla"; content:"Rule"; sid:9000001; rev:1;)
alert dns $HOME_NET any -> any any (msg:"PICKET rule query"; dns.query; dotprefix; content:".rule-query.test"; nocase; endswith; sid:9000002; rev:1;)
alert tls any any -> any any (msg:"PICKET rule SNI"; flow:to_server; tls.sni; content:"rule-sni"; startswith; bsize:>12; sid:9000003; rev:1;)
alert tcp any any -> any 7777 (msg:"PICKET rule stream"; flow:established,to_server; content:"RULE-FIRST"; content:"|01 02|"; distance:2; within:6; content:"rule-last"; nocase; distance:10; sid:9000004; rev:1;)
alert tcp-stream any any -> any any (msg:"PICKET rule at four"; content:"RULE-AT-FOUR"; offset:4; depth:12; sid:9000005; rev:1;)
alert udp any any -> any 7777 (msg:"PICKET rule datagram"; content:"|de ad|RULE"; depth:6; content:!"harmless"; isdataat:!40; sid:9000006; rev:1;)
alert http any any -> any any (msg:"PICKET rule body"; flow:to_client; file.data; content:"RULE-BODY-"; content:"END"; within:20; sid:9000007; rev:1;)
# Of a header alone, as lists of addresses are published. Nobody else in the fixtures has these addresses.
alert ip [203.0.113.150,203.0.113.152/31,2001:db8:150::/48] any -> $HOME_NET any (msg:"PICKET listed source group 1"; reference:url,www.example.org/list; threshold: type limit, track by_src, seconds 3600, count 1; classtype:misc-attack; flowbits:set,PICKET.Evil; sid:9000010; rev:1;)
alert tcp $HOME_NET any -> [203.0.113.160] any (msg:"PICKET listed server group 1"; flags:S,12; threshold: type limit, track by_src, seconds 3600, count 1; flowbits:set,PICKET.Evil; classtype:trojan-activity; sid:9000011; rev:1;)
alert tcp $HOME_NET any -> 203.0.113.161 443 (msg:"PICKET established to a listed server"; flow:established,to_server; sid:9000012; rev:1;)
alert icmp any any -> [203.0.113.162,203.0.113.160] any (msg:"PICKET ICMP to a listed host"; sid:9000013; rev:1;)
alert tls any any -> [203.0.113.163] any (msg:"PICKET TLS with a listed server"; sid:9000014; rev:1;)
alert http [203.0.113.164] any -> any any (msg:"PICKET HTTP of a listed server"; flow:to_client; sid:9000015; rev:1;)
alert udp any any <> 203.0.113.165 ![53] (msg:"PICKET first datagrams"; flow:not_established; sid:9000016; rev:1;)
alert ip any any -> any any (msg:"PICKET to an address of a list"; ip.dst; dataset:isset,picket-ips,type ip,load lists/ips.lst; sid:9000017; rev:1;)
alert tcp !$HOME_NET any -> any 7999 (msg:"PICKET from outside to a port"; sid:9000018; rev:1;)
"""

IPS = "203.0.113.166\n2001:db8:166::1\n"

YARA = r"""rule PicketRuleFile : fixture
{
    meta:
        author = "fixtures"
        tlp = "GREEN"
    strings:
        $hex = { 52 55 4C 45 2D ( 4F 4E 45 | 54 57 4F ) [2-4] FE ?? FF }
        $word = "picket-yara" nocase wide ascii fullword
    condition:
        all of them
}
"""

FIRST, LAST = b"RULE-FIRST", b"Rule-LAST"
WORD = "Picket-YARA".encode("utf-16-le")
HEX = b"RULE-TWO...\xfe.\xff"


def rule(number):
    return f"suricata:1:{9000000 + number}:1"


def connect(capture, sport=49152, dport=7777):
    flow = Tcp(capture, CLIENT, SERVER, sport, dport)
    flow.open()
    return flow


@case("rule-http-request.pcap", "a rule on several buffers of one request; then requests that each lack one of them, and two that have all of them together")
def _(c):
    def post(flow, host="a.rule.test", path="/rule/abcdefg.php?x", method="POST", agent="Rule/1"):
        return flow.send(request(host, path, method, agent))
    flow = connect(c, 49152, 80)
    c.hit(rule(1), ["http.request.method", "http.request.target", "url.domain", "user_agent.original"], post(flow), flow)
    for port, other in enumerate(({"method": "GET"}, {"path": "/rule/abc.php"}, {"path": "/x/rule/abcdefg.php"}, {"host": "a.rule.test.example"}, {"agent": "Mozilla Rule"}), 49153):
        post(connect(c, port, 80), **other)
    flow = connect(c, 49160, 80)
    post(flow, host="www.good.example")
    post(flow, method="GET")
    flow = connect(c, 49161, 80)
    c.hit(rule(1), None, post(flow, path="/rule/%61b%63d/../abcdefg%2Ephp", host="A.RULE.test:80"), flow)


@case("rule-dns.pcap", "a rule on a name and all below it: both, then a name that only ends alike, a response alone, and another network's query")
def _(c):
    for port, (name, wanted) in enumerate((("rule-query.test", True), ("a.Rule-Query.test", True), ("xrule-query.test", False), ("rule-query.test.example", False)), 40000):
        flow = Udp(c, CLIENT, RESOLVER, port, 53)
        frame = flow.send(dns.query(name))
        if wanted:
            c.hit(rule(2), "dns.question.name", frame, flow)
    Udp(c, CLIENT, RESOLVER, 40010, 53).send(dns.response("rule-query.test", []), back=True)
    Udp(c, SERVER, RESOLVER, 40011, 53).send(dns.query("rule-query.test"))


@case("rule-tls.pcap", "a rule on a server name's start and length; names that are too short, and that have it elsewhere")
def _(c):
    for port, (name, wanted) in enumerate((("rule-sni.test", True), ("rule-sni.tst", False), ("a.rule-sni.test", False)), 49152):
        flow = connect(c, port, 443)
        frame = flow.send(tls.Hello(name).records())
        if wanted:
            c.hit(rule(3), "tls.client.server_name", frame, flow)


@case("rule-stream.pcap", "a rule on three contents of a stream, two close together and one anywhere behind them, over several segments; then too far, in another order, from the other end, to another port")
def _(c):
    flow = connect(c)
    flow.send(b"..RULE-FI")
    flow.send(b"RST....\1")
    flow.send(b"\2" + b"." * 700 + LAST[:5])
    c.hit(rule(4), "picket.payload", flow.send(LAST[5:]), flow)
    flow = connect(c, 49153)
    flow.send(FIRST + b"...\1\2" + FIRST + b"..\1\2." + b"." * 9)
    c.hit(rule(4), "picket.payload", flow.send(LAST), flow)
    connect(c, 49154).send(FIRST + b".......\1\2" + b"." * 20 + LAST)
    connect(c, 49155).send(LAST + b"." * 20 + FIRST + b"..\1\2" + b"." * 9)
    connect(c, 49156).send(FIRST + b"..\1\2" + b"." * 9 + LAST)
    connect(c, 49157).reply(FIRST + b"..\1\2" + b"." * 20 + LAST)
    connect(c, 49158, 7778).send(FIRST + b"..\1\2" + b"." * 20 + LAST)


@case("rule-stream-offset.pcap", "a rule on a place of the stream, over segments: there, and one byte off")
def _(c):
    for port, lead in enumerate((b"1234", b"123", b"12345"), 49152):
        flow = connect(c, port)
        flow.send(lead + b"RULE-AT")
        frame = flow.send(b"-FOUR")
        if len(lead) == 4:
            c.hit(rule(5), "picket.payload", frame, flow)


@case("rule-udp.pcap", "a rule on a whole datagram; then one byte late, with what must not be there, too long, and from the other end")
def _(c):
    flow = Udp(c, CLIENT, SERVER, 40000, 7777)
    c.hit(rule(6), "picket.payload", flow.send(b"\xde\xadRULE payload"), flow)
    for port, data in enumerate((b".\xde\xadRULE", b"\xde\xadRULE harmless", b"\xde\xadRULE" + b"." * 50), 40001):
        Udp(c, CLIENT, SERVER, port, 7777).send(data)
    Udp(c, CLIENT, SERVER, 40005, 7777).send(b"\xde\xadRULE payload", back=True)


@case("rule-file.pcap", "rules on the content of files: as it is and in gzip and chunks; then in an upload, and with its strings in two files")
def _(c):
    body = b"..." + HEX + b"." * 30 + b"RULE-BODY-123-END " + WORD + b".."
    for port, (data, extra) in enumerate(((body, ()), (codings.gzip(body), ("Content-Encoding: gzip",))), 49152):
        flow = connect(c, port, 80)
        flow.send(request("www.good.example"))
        frame = flow.reply(ok(data, *extra))
        c.hit(rule(7), "picket.content", frame, flow)
        c.hit("yara:PicketRuleFile", "picket.content", frame, flow)
    flow = connect(c, 49160, 80)
    flow.send(request("www.good.example"))
    first = len(c.frames) + 1
    frame = flow.reply(ok(chunks(body, 9), "Transfer-Encoding: chunked", length=False), 60)
    for ident in (rule(7), "yara:PicketRuleFile"):
        c.hit(ident, "picket.content", list(range(first, frame + 1)), flow)
    flow = connect(c, 49161, 80)
    for part in (HEX, WORD, b"RULE-BODY-" + b"." * 18 + b"END", b"x" + WORD + b"y\0" + HEX):
        flow.send(request("www.good.example"))
        flow.reply(ok(part))
    flow = connect(c, 49162, 80)
    c.hit("yara:PicketRuleFile", "picket.content", flow.send(f"POST /up HTTP/1.1\r\nHost: www.good.example\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body), flow)


def talk(c, server, sport=49152, dport=80, client=CLIENT, data=b"hello"):
    """A connection with a word each way: it, and the frames of SYN, SYN/ACK, ACK, request, reply."""
    flow = Tcp(c, client, server, sport, dport)
    ack = flow.open()
    return flow, [ack - 2, ack - 1, ack, flow.send(data), flow.reply(b"well")]


@case("rule-list-inbound.pcap", "a rule of listed sources alone: one that opens, one that only answers, one that never does, neighbours, ICMP, IPv6; then from a network that is not the rule's")
def _(c):
    flow = Tcp(c, "203.0.113.150", CLIENT, 40000, 22)
    c.hit(rule(10), "source.ip", flow.open() - 2, flow)
    flow, frames = talk(c, "203.0.113.153")
    c.hit(rule(10), "destination.ip", frames[1], flow)
    Tcp(c, CLIENT, "203.0.113.152", 49153).segment(flags=wire.SYN)
    for number in (149, 151, 154):
        talk(c, f"203.0.113.{number}", 49154)
    flow = Udp(c, CLIENT, "203.0.113.152", 40000, 4000)
    flow.send(b"one")
    flow.send(b"two")
    c.hit(rule(10), "destination.ip", flow.send(b"", back=True), flow)
    flow.send(b"three", back=True)
    flow = Plain(c, "203.0.113.150", CLIENT, wire.ICMP, (8, 0))
    c.hit(rule(10), "source.ip", flow.send(wire.icmp_echo("203.0.113.150", CLIENT, 8)), flow)
    talk(c, "203.0.113.200", 49155, client="203.0.113.150")


@case("rule-list-outbound.pcap", "a rule of listed servers and a SYN: answered, never answered and sent again, with ECN; then no SYN of the rule's: a SYN/ACK, a stream taken up in its middle, the other way, ICMP that another rule is about")
def _(c):
    flow, frames = talk(c, "203.0.113.160")
    c.hit(rule(11), "destination.ip", frames[0], flow)
    flow = Tcp(c, CLIENT, "203.0.113.160", 49153, 443)
    c.hit(rule(11), "destination.ip", flow.segment(flags=wire.SYN, seq=1000), flow)
    flow.segment(flags=wire.SYN, seq=1000)
    flow = Tcp(c, CLIENT, "203.0.113.160", 49154, 443)
    c.hit(rule(11), "destination.ip", flow.segment(flags=wire.SYN | wire.ECE | wire.CWR, seq=1000), flow)
    Tcp(c, CLIENT, "203.0.113.160", 49155, 443).segment(flags=wire.SYN | wire.ACK, seq=5000, back=True)
    flow = Tcp(c, CLIENT, "203.0.113.160", 49156, 443)
    flow.send(b"hello")
    flow.reply(b"well")
    flow.segment(flags=wire.RST)
    talk(c, CLIENT, 49157, client="203.0.113.160")
    flow = Plain(c, CLIENT, "203.0.113.160", wire.ICMP, (8, 0))
    c.hit(rule(13), "destination.ip", flow.send(wire.icmp_echo(CLIENT, "203.0.113.160", 8)), flow)


@case("rule-list-established.pcap", "a rule of a listed server and an established connection: one; one taken up in its middle; then a scan, one that is refused, one that nobody answers, another port")
def _(c):
    flow, frames = talk(c, "203.0.113.161", dport=443)
    c.hit(rule(12), "destination.ip", frames[2], flow)
    flow = Tcp(c, CLIENT, "203.0.113.161", 49153, 443)
    flow.send(b"hello")
    flow.reply(b"well")
    c.hit(rule(12), "destination.ip", flow.send(b"again"), flow)
    flow = Tcp(c, CLIENT, "203.0.113.161", 49154, 443)
    flow.segment(flags=wire.SYN, seq=1000)
    flow.segment(flags=wire.SYN | wire.ACK, seq=5000, back=True)
    flow.segment(flags=wire.RST)
    flow = Tcp(c, CLIENT, "203.0.113.161", 49155, 443)
    flow.segment(flags=wire.SYN, seq=1000)
    flow.segment(flags=wire.RST | wire.ACK, seq=0, back=True)
    flow = Tcp(c, CLIENT, "203.0.113.161", 49156, 443)
    flow.segment(flags=wire.SYN, seq=1000)
    flow.send(b"hello")
    talk(c, "203.0.113.161", 49157, 444)


@case("rule-list-protocol.pcap", "rules of a listed host and a protocol: TLS, HTTP of the server, ICMP either way; then other protocols with the same hosts")
def _(c):
    flow, frames = talk(c, "203.0.113.163", dport=8443, data=tls.Hello("www.good.example").records())
    c.hit(rule(14), "destination.ip", frames[3], flow)
    talk(c, "203.0.113.163", 49153, 8443)
    flow = Tcp(c, CLIENT, "203.0.113.164", 49152, 80)
    flow.open()
    c.hit(rule(15), "destination.ip", [flow.send(request("www.good.example")), flow.reply(ok(b"well"))], flow)
    talk(c, "203.0.113.164", 49153)
    flow = Plain(c, CLIENT, "203.0.113.162", wire.ICMP, (8, 0))
    c.hit(rule(13), "destination.ip", flow.send(wire.icmp_echo(CLIENT, "203.0.113.162", 8)), flow)
    flow.send(wire.icmp_echo("203.0.113.162", CLIENT, 0), back=True)
    flow = Plain(c, "203.0.113.162", SERVER, wire.ICMP, (8, 0))
    flow.send(wire.icmp_echo("203.0.113.162", SERVER, 8))
    c.hit(rule(13), "source.ip", flow.send(wire.icmp_echo(SERVER, "203.0.113.162", 0), back=True), flow)
    Udp(c, CLIENT, "203.0.113.162", 40000, 8).send(b"hello")


@case("rule-list-ends.pcap", "rules of either end, of a list beside the rules, and of a port alone; a rule of first datagrams, and a port that it leaves out")
def _(c):
    flow = Udp(c, "203.0.113.165", CLIENT, 4000, 4001)
    c.hit(rule(16), "source.ip", flow.send(b"hello"), flow)
    flow.send(b"well", back=True)
    flow = Udp(c, CLIENT, "203.0.113.165", 4002, 4003)
    c.hit(rule(16), "destination.ip", flow.send(b"hello"), flow)
    flow.send(b"well", back=True)
    Udp(c, CLIENT, "203.0.113.165", 4002, 53).send(b"hello")
    flow, frames = talk(c, "203.0.113.166")
    c.hit(rule(17), "destination.ip", frames[0], flow)
    flow, frames = talk(c, CLIENT, 49153, client="203.0.113.166")
    c.hit(rule(17), "source.ip", frames[1], flow)
    Udp(c, "203.0.113.166", CLIENT, 4000, 4001).send(b"hello")
    flow = Udp(c, "2001:db8::10", "2001:db8:166::1", 4000, 4001)
    c.hit(rule(17), "destination.ip", flow.send(b"hello"), flow)
    flow, frames = talk(c, CLIENT, 49154, 7999, client=SERVER)
    c.hit(rule(18), "destination.port", frames[0], flow)
    talk(c, SERVER, 49155, 7999)

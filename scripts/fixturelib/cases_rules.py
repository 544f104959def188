"""Suricata and YARA rules: what they match is written to fixtures/rules.rules and fixtures/rules.yar."""
from . import codings, dns, tls
from .cases_files import chunks, ok
from .cases_http import request
from .flows import CLIENT, RESOLVER, SERVER, Tcp, Udp, case

SURICATA = r"""# Rules of the fixtures. What stands for HOME_NET there:
# picket: HOME_NET=[192.0.2.0/24]
alert http $HOME_NET any -> $EXTERNAL_NET any (msg:"PICKET rule request"; flow:established,to_server; http.method; content:"POST"; http.uri; content:"/rule/"; startswith; content:".php"; distance:4; within:8; http.host; content:"rule"; content:".test"; endswith; http.user_agent; content:!"Mozilla"; content:"Rule"; sid:9000001; rev:1;)
alert dns $HOME_NET any -> any any (msg:"PICKET rule query"; dns.query; dotprefix; content:".rule-query.test"; nocase; endswith; sid:9000002; rev:1;)
alert tls any any -> any any (msg:"PICKET rule SNI"; flow:to_server; tls.sni; content:"rule-sni"; startswith; bsize:>12; sid:9000003; rev:1;)
alert tcp any any -> any 7777 (msg:"PICKET rule stream"; flow:established,to_server; content:"RULE-FIRST"; content:"|01 02|"; distance:2; within:6; content:"rule-last"; nocase; distance:10; sid:9000004; rev:1;)
alert tcp-stream any any -> any any (msg:"PICKET rule at four"; content:"RULE-AT-FOUR"; offset:4; depth:12; sid:9000005; rev:1;)
alert udp any any -> any 7777 (msg:"PICKET rule datagram"; content:"|de ad|RULE"; depth:6; content:!"harmless"; isdataat:!40; sid:9000006; rev:1;)
alert http any any -> any any (msg:"PICKET rule body"; flow:to_client; file.data; content:"RULE-BODY-"; content:"END"; within:20; sid:9000007; rev:1;)
"""

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

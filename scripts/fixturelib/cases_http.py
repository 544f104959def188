"""HTTP/1.x requests and responses."""
from .flows import CLIENT, SERVER, Tcp, case, spread

HOST, URL, AGENT = "url.domain", "url.full", "user_agent.original"
BOT = "EvilBot/1.0 (compatible; Picket fixture)"


def connect(capture, sport=49152, dport=80):
    flow = Tcp(capture, CLIENT, SERVER, sport, dport)
    flow.open()
    return flow


def request(host, path="/", method="GET", agent="Mozilla/5.0", extra=()):
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"User-Agent: {agent}", *extra, "", ""]
    return "\r\n".join(lines).encode()


def response(status="200 OK", body=b"ok", extra=()):
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *extra, "", ""]).encode() + body


@case("http-host.pcap", "request whose Host is an indicator; its response; near misses in further flows")
def _(c):
    flow = connect(c)
    c.hit("name", HOST, flow.send(request("www.evil.example")), flow)
    flow.reply(response())
    flow.close()
    for port, host in enumerate(("notevil.example", "evil.example.good.example"), 49153):
        connect(c, port).send(request(host, "/evil.example"))


@case("http-url.pcap", "listed URL, then near misses: other path, other case of the path, a query, another port, another host")
def _(c):
    flow = connect(c)
    c.hit("url", URL, flow.send(request("malware.test", "/payload/dropper.bin")), flow)
    others = [("malware.test", "/payload/dropper.bin2"), ("malware.test", "/payload/Dropper.bin"), ("malware.test", "/payload/"),
              ("malware.test", "/payload/dropper.bin?x=1"), ("malware.test:8080", "/payload/dropper.bin"), ("good.example", "/payload/dropper.bin")]
    for port, (host, path) in enumerate(others, 49153):
        connect(c, port).send(request(host, path))


@case("http-url-normal.pcap", "the listed URL written differently: host in capitals, default port in Host")
def _(c):
    for port, host in enumerate(("MALWARE.Test", "malware.test:80"), 49152):
        flow = connect(c, port)
        c.hit("url", URL, flow.send(request(host, "/payload/dropper.bin")), flow)


@case("http-url-prefix.pcap", "URLs at and below a listed prefix, and beside it")
def _(c):
    for port, path in enumerate(("/gate/", "/gate/in.php?id=7"), 49152):
        flow = connect(c, port)
        c.hit("url-prefix", URL, flow.send(request("malware.test", path)), flow)
    for port, path in enumerate(("/gateway/", "/Gate/", "/"), 49160):
        connect(c, port).send(request("malware.test", path))


@case("http-user-agent.pcap", "listed user-agent; the same in other case and with a suffix")
def _(c):
    flow = connect(c)
    c.hit("agent", AGENT, flow.send(request("www.good.example", agent=BOT)), flow)
    for port, agent in enumerate((BOT.lower(), BOT + "/2", "x" + BOT), 49153):
        connect(c, port).send(request("www.good.example", agent=agent))


@case("http-absolute-form.pcap", "proxy request in absolute form: the target counts, not Host")
def _(c):
    flow = connect(c, dport=3128)
    c.hit("url", URL, flow.send(request("proxy.good.example", "http://malware.test/payload/dropper.bin")), flow)


@case("http-connect.pcap", "CONNECT to an indicator, then TLS inside")
def _(c):
    flow = connect(c, dport=3128)
    c.hit("name", HOST, flow.send(request("www.evil.example:443", "www.evil.example:443", "CONNECT")), flow)
    flow.reply(b"HTTP/1.1 200 Connection established\r\n\r\n")


@case("http-odd-port.pcap", "request on port 4711")
def _(c):
    flow = connect(c, dport=4711)
    c.hit("name", HOST, flow.send(request("www.evil.example")), flow)


@case("http-header-case.pcap", "header names in odd case, no space or many after the colon, trailing blanks, bare line feeds")
def _(c):
    flow = connect(c)
    data = f"GET / HTTP/1.1\r\nhOsT:www.evil.example  \r\nUSER-AGENT:    {BOT}\t\r\n\r\n".encode()
    frame = flow.send(data)
    c.hit("name", HOST, frame, flow)
    c.hit("agent", AGENT, frame, flow)
    flow = connect(c, 49153)
    c.hit("name", HOST, flow.send(b"GET / HTTP/1.0\nHost: www.evil.example\n\n"), flow)


@case("http-host-port.pcap", "Host with a port, a trailing dot, and an address in its place")
def _(c):
    for port, host in enumerate(("www.evil.example:8080", "www.evil.example."), 49152):
        flow = connect(c, port, 8080)
        c.hit("name", HOST, flow.send(request(host)), flow)
    flow = connect(c, 49154, 8080)
    c.hit("addr", None, flow.send(request("203.0.113.66:8080")), flow)


@case("http-pipelined.pcap", "three requests in one segment, the listed ones second and third; bodies between them")
def _(c):
    flow = connect(c)
    body = b"name=evil.example"
    first = request("www.good.example", "/form", "POST", extra=(f"Content-Length: {len(body)}",)) + body
    data = first + request("malware.test", "/payload/dropper.bin") + request("www.evil.example")
    frame = flow.send(data)
    c.hit("url", URL, frame, flow)
    c.hit("name", HOST, frame, flow)


@case("http-keep-alive.pcap", "four requests one after the other with chunked and sized responses between; the last is listed")
def _(c):
    flow = connect(c)
    flow.send(request("www.good.example", "/1"))
    flow.reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n")
    flow.send(request("www.good.example", "/2", "POST", extra=("Transfer-Encoding: chunked",)) + b"4\r\nGET \r\n0\r\n\r\n")
    flow.reply(response(body=b"x" * 700), 300)
    flow.send(request("www.good.example", "/3", "HEAD"))
    flow.reply(b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5000\r\n\r\n")
    c.hit("name", HOST, flow.send(request("www.evil.example", "/4")), flow)


@case("http-split.pcap", "a request split after every byte of its header part")
def _(c):
    flow = connect(c)
    frame = flow.send(b"GET / HTTP/1.1\r\nHost: www.evil.example\r\n\r\n", 1)
    c.hit("name", HOST, spread(frame - 4, frame), flow)
    flow = connect(c, 49153)
    data = request("malware.test", "/payload/dropper.bin", agent=BOT)
    frame = flow.send(data, 7)
    c.hit("url", URL, spread(frame - 8, frame), flow)
    c.hit("agent", AGENT, [frame - 1, frame], flow)


@case("http-referer.pcap", "Referer whose host is an indicator")
def _(c):
    flow = connect(c)
    c.hit("name", None, flow.send(request("www.good.example", extra=("Referer: http://www.evil.example/page?q=1",))), flow)


@case("http-location.pcap", "response whose Location is an indicator")
def _(c):
    flow = connect(c)
    flow.send(request("www.good.example"))
    c.hit("name", None, flow.reply(response("302 Found", b"", ("Location: https://www.evil.example/next",))), flow)


@case("http-long.pcap", "a request line of 6,000 bytes, Host after it")
def _(c):
    flow = connect(c)
    c.hit("name", HOST, flow.send(request("www.evil.example", "/" + "a" * 6000), 1400), flow)


@case("http-hostile-values.pcap", "quotes, control characters, terminal escapes and bytes that are no UTF-8 in logged values")
def _(c):
    flow = connect(c)
    data = request("www.evil.example", '/"}{"a":"\\', agent="UA", extra=("Referer: http://x\x1b[2Jy/",)).replace(b"UA", b'a"b\\c\x1b[31m\x7f\xff\xfe\xc2\x85d')
    c.hit("name", HOST, flow.send(data), flow)
    flow = connect(c, 49153)
    c.hit("name", [HOST, "url.full"], flow.send(request("www.evil.example", "http://www.evil.example/\x0b\x0c\u2028")), flow)
    c.may.append("name")


@case("http-garbage.pcap", "text that starts like HTTP and is not")
def _(c):
    connect(c).send(b"GET\x00\x01\x02 nothing\r\n\r\nHost evil.example\r\n")
    connect(c, 49153).send(b"GETTING / evil.example of it\r\n")
    connect(c, 49154).send(b"HTTP/9.9 abc\r\nLocation\r\n\r\n")

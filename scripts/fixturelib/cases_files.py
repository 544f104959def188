"""Files that HTTP and FTP carry: digests, names, decoded content."""
from . import codings, tls, wire
from .flows import CLIENT, CLIENT6, SERVER, SERVER6, Tcp, case
from .indicators import FILE, SIGNATURE

MD5, SHA1, SHA256, NAME, CONTENT = "file.hash.md5", "file.hash.sha1", "file.hash.sha256", "file.name", "picket.content"


def connect(capture, sport=49152, dport=80):
    flow = Tcp(capture, CLIENT, SERVER, sport, dport)
    flow.open()
    return flow


def get(path="/pub/file.bin", method="GET"):
    return f"{method} {path} HTTP/1.1\r\nHost: www.good.example\r\n\r\n".encode()


def ok(body, *extra, status="200 OK", length=True):
    lines = [f"HTTP/1.1 {status}", *([f"Content-Length: {len(body)}"] if length else []), *extra, "", ""]
    return "\r\n".join(lines).encode() + body


def chunks(body, size):
    parts = [b"%x\r\n" % len(body[at:at + size]) + body[at:at + size] + b"\r\n" for at in range(0, len(body), size)]
    return b"".join(parts) + b"0\r\n\r\n"


def is_file(c, frame, flow, says=None):
    for ident, field in (("file-md5", MD5), ("file-sha1", SHA1), ("file-sha256", SHA256)):
        c.hit(ident, field, frame, flow, says=says)


def named(name, action, frame):
    """What an alert says of a file whose name another connection told."""
    return {NAME: name, "event.action": action, "picket.named_frame": frame}


UNNAMED = {NAME: None, "event.action": None, "picket.named_frame": None}


@case("file-http-length.pcap", "a listed file by its length, in segments of 100 bytes; then one with a changed byte, one cut short, and a HEAD")
def _(c):
    flow = connect(c)
    flow.send(get())
    is_file(c, flow.reply(ok(FILE), 100), flow)
    flow.send(get())
    flow.reply(ok(FILE[:-1] + b"?"))
    flow.send(get(method="HEAD"))
    flow.reply(f"HTTP/1.1 200 OK\r\nContent-Length: {len(FILE)}\r\n\r\n".encode())
    flow.send(get())
    flow.reply(ok(FILE)[:-1])
    flow.close()


@case("file-http-chunked.pcap", "a listed file in chunks of 7 bytes and segments of 50")
def _(c):
    flow = connect(c)
    flow.send(get())
    flow.reply(ok(chunks(FILE, 7), "Transfer-Encoding: chunked", length=False)[:-5], 50)
    is_file(c, flow.reply(b"0\r\n\r\n"), flow)


@case("file-http-close.pcap", "a listed file that ends with the connection: by FIN, alone and with the last bytes; by RST, and never: no verdict")
def _(c):
    body = ok(FILE, "Connection: close", length=False)
    for port, last in ((49152, b""), (49153, body[-10:])):
        flow = connect(c, port)
        flow.send(get())
        flow.reply(body[:len(body) - len(last)], 200)
        is_file(c, flow.segment(last, wire.FIN | wire.ACK, back=True), flow)
    for port, flags in ((49154, wire.RST | wire.ACK), (49155, wire.ACK)):
        flow = connect(c, port)
        flow.send(get())
        flow.reply(body)
        flow.segment(flags=flags, back=True)


@case("file-http-codings.pcap", "a listed file in each content coding: gzip in chunks, deflate, br, zstd; gzip that is damaged")
def _(c):
    gzip = codings.gzip(FILE)
    for port, (name, coded) in enumerate((("gzip", gzip), ("deflate", codings.deflated(FILE)), ("br", codings.brotli(FILE)), ("zstd", codings.zstd(FILE))), 49152):
        flow = connect(c, port)
        flow.send(get())
        if name == "gzip":
            flow.reply(ok(chunks(coded, 50), "Content-Encoding: gzip", "Transfer-Encoding: chunked", length=False)[:-5], 300)
            is_file(c, flow.reply(b"0\r\n\r\n"), flow)
        else:
            is_file(c, flow.reply(ok(coded, f"Content-Encoding: {name}"), 300), flow)
    flow = connect(c, 49160)
    flow.send(get())
    flow.reply(ok(gzip[:-8] + b"\0" * 8, "Content-Encoding: gzip"))


@case("file-http-content.pcap", "a byte signature that only decoding shows: over two chunks, and in gzip; with a limit to an offset it is of the stream alone")
def _(c):
    flow = connect(c)
    flow.send(get())
    body = b"." * 20 + SIGNATURE + b"." * 20
    c.hit("bytes", CONTENT, flow.reply(ok(chunks(body, 25), "Transfer-Encoding: chunked", length=False)), flow)
    flow = connect(c, 49153)
    flow.send(get())
    coded = ok(codings.gzip(body), "Content-Encoding: gzip")
    flow.reply(coded[:-40])
    c.hit("bytes", CONTENT, [flow.reply(coded[-40:-20]), flow.reply(coded[-20:])], flow)
    flow = connect(c, 49154)
    flow.send(get())
    flow.reply(ok(codings.gzip(b"....PICKET-AT-FOUR"), "Content-Encoding: gzip"))


@case("file-http-bomb.pcap", "gzip of a megabyte of zeros: put out, and the next response of the connection is read")
def _(c):
    flow = connect(c)
    flow.send(get())
    flow.reply(ok(codings.gzip(b"\0", 4096), "Content-Encoding: gzip"), 1400)
    flow.send(get())
    is_file(c, flow.reply(ok(FILE)), flow)


@case("file-http-range.pcap", "a listed file in two ranges: no verdict; and as a range that is the whole of it")
def _(c):
    flow = connect(c)
    half = len(FILE) // 2
    for part, first in ((FILE[:half], 0), (FILE[half:], half)):
        flow.send(get())
        flow.reply(ok(part, f"Content-Range: bytes {first}-{first + len(part) - 1}/{len(FILE)}", status="206 Partial Content"))
    flow.send(get())
    is_file(c, flow.reply(ok(FILE, f"Content-Range: bytes 0-{len(FILE) - 1}/{len(FILE)}", status="206 Partial Content")), flow)


@case("file-http-gap.pcap", "a listed file with a lost segment: no verdict; the next one in the same connection is whole")
def _(c):
    flow = connect(c)
    flow.send(get() + get())
    body = ok(FILE)
    flow.reply(body[:200])
    flow.next[1] += 100
    flow.reply(body[300:] + body[:250])
    is_file(c, flow.reply(body[250:]), flow)
    # The hole is waited for, so what is behind it comes out with the end of the capture.
    for entry in c.expected:
        entry["frames"] = [entry["frames"][0] - 1, entry["frames"][0]]


@case("file-http-upload.pcap", "a listed file sent to a server: PUT, and a form with it between two fields; the form as a whole is no file")
def _(c):
    flow = connect(c)
    head = f"PUT /in/x.bin HTTP/1.1\r\nHost: www.good.example\r\nContent-Length: {len(FILE)}\r\n\r\n".encode()
    is_file(c, flow.send(head + FILE, 200), flow)
    flow.reply(ok(b""))
    flow = connect(c, 49153)
    part = 'Content-Disposition: form-data; name="{}"{}\r\n\r\n'
    form = ("--=picket\r\n" + part.format("a", "") + "1\r\n--=picket\r\n" + part.format("f", '; filename="Evil-Dropper.exe"')).encode()
    form += FILE + ("\r\n--=picket\r\n" + part.format("b", "") + "2\r\n--=picket--\r\n").encode()
    head = f'POST /form HTTP/1.1\r\nHost: www.good.example\r\nContent-Type: multipart/form-data; boundary="=picket"\r\nContent-Length: {len(form)}\r\n\r\n'
    c.hit("file-name", NAME, flow.send(head.encode() + form[:150]), flow)
    is_file(c, flow.send(form[150:]), flow)


@case("file-http-name.pcap", "a listed file name: from Content-Disposition in both forms, from the path; not from the path of an error, nor part of a name")
def _(c):
    for port, disposition in enumerate(('filename="EVIL-dropper.exe"', "filename=x; filename*=UTF-8''evil%2Ddropper.exe"), 49152):
        flow = connect(c, port)
        flow.send(get("/download"))
        c.hit("file-name", NAME, flow.reply(ok(b"x", f"Content-Disposition: attachment; {disposition}")), flow)
    flow = connect(c, 49160)
    flow.send(get("/a/evil%2Ddropper.exe?x=y/z"))
    c.hit("file-name", NAME, flow.reply(ok(b"x")), flow)
    flow = connect(c, 49161)
    flow.send(get("/a/evil-dropper.exe"))
    flow.reply(ok(b"x", status="404 Not Found"))
    flow.send(get("/a/not-evil-dropper.exe"))
    flow.reply(ok(b"x"))


def control(capture, client=CLIENT, server=SERVER):
    flow = Tcp(capture, client, server, 49200, 21)
    flow.open()
    flow.reply(b"220 ready\r\n")
    return flow


def data_connection(capture, content, client=CLIENT, server=SERVER, sport=49201, dport=6001, back=True):
    flow = Tcp(capture, client, server, sport, dport)
    flow.open()
    flow.send(content, 100, back=back)
    return flow, flow.segment(flags=wire.FIN | wire.ACK, back=back)


@case("file-ftp-passive.pcap", "FTP: a listed user, a listed file by name, its content over a passive data connection; a directory listing before it")
def _(c):
    flow = control(c)
    c.hit("user", "user.name", flow.send(b"USER evil-user\r\n"), flow)
    flow.reply(b"331 Password\r\n")
    flow.send(b"PASS x\r\n")
    flow.reply(b"230-Welcome\r\n230 Go\r\n")
    flow.send(b"PASV\r\n")
    flow.reply(b"227 Entering Passive Mode (203,0,113,80,23,112).\r\n")
    flow.send(b"LIST\r\n")
    data_connection(c, b"-rw-r--r-- 1 0 0 1 Jan  1 00:00 Evil-Dropper.exe\r\n", dport=6000)
    flow.send(b"PASV\r\n")
    flow.reply(b"227 Entering Passive Mode (203,0,113,80,23,113).\r\n")
    asked = flow.send(b"RETR /pub/Evil-Dropper.exe\r\n")
    c.hit("file-name", NAME, asked, flow)
    flow.reply(b"150 Here it comes\r\n")
    data, frame = data_connection(c, FILE)
    is_file(c, frame, data, named("Evil-Dropper.exe", "RETR", asked))
    flow.reply(b"226 Done\r\n")


@case("file-ftp-active.pcap", "FTP over IPv6: EPRT, a listed file stored over a data connection from port 20; and a bounce: PORT of a listed address")
def _(c):
    flow = control(c, CLIENT6, SERVER6)
    flow.send(f"EPRT |2|{CLIENT6}|50000|\r\n".encode())
    flow.reply(b"200 OK\r\n")
    asked = flow.send(b"STOR evil-dropper.exe\r\n")
    c.hit("file-name", NAME, asked, flow)
    flow.reply(b"150 Send it\r\n")
    data, frame = data_connection(c, FILE, SERVER6, CLIENT6, 20, 50000)
    is_file(c, frame, data, named("evil-dropper.exe", "STOR", asked))
    c.hit("addr", "ftp.data.ip", flow.send(b"PORT 203,0,113,66,0,80\r\n"), flow)


@case("file-ftp-joined.pcap", "names of files join their content: EPSV, 227 of a translated address, PORT; not a listing on the same port, not another client's, and not what came after an hour")
def _(c):
    flow = control(c)

    def passive(answer, command):
        flow.send(b"EPSV\r\n" if answer.startswith(b"229") else b"PASV\r\n")
        flow.reply(answer + b"\r\n")
        return flow.send(command + b"\r\n")

    asked = passive(b"229 Entering Extended Passive Mode (|||6001|)", b"RETR C:\\x\\one.bin")
    data, frame = data_connection(c, FILE)
    is_file(c, frame, data, named("one.bin", "RETR", asked))
    passive(b"229 Entering Extended Passive Mode (|||6001|)", b"NLST")
    data, frame = data_connection(c, FILE, sport=49202)
    is_file(c, frame, data, UNNAMED)
    # The server says the address that it has on its side of the translator.
    asked = passive(b"227 Entering Passive Mode (10,0,0,5,23,114).", b"STOR two.bin")
    data, frame = data_connection(c, FILE, sport=49203, dport=6002, back=False)
    is_file(c, frame, data, named("two.bin", "STOR", asked))
    # Another client's connection to the port that was said to this one; then its own.
    asked = passive(b"229 Entering Extended Passive Mode (|||6003|)", b"RETR three.bin")
    data, frame = data_connection(c, FILE, "192.0.2.11", sport=49204, dport=6003)
    is_file(c, frame, data, UNNAMED)
    data, frame = data_connection(c, FILE, sport=49205, dport=6003)
    is_file(c, frame, data, named("three.bin", "RETR", asked))
    flow.send(b"PORT 192,0,2,10,195,80\r\n")
    asked = flow.send(b"RETR four.bin\r\n")
    data, frame = data_connection(c, FILE, SERVER, CLIENT, 20, 50000)
    is_file(c, frame, data, named("four.bin", "RETR", asked))
    passive(b"229 Entering Extended Passive Mode (|||6004|)", b"RETR five.bin")
    c.now += 3601 * 10**9
    data, frame = data_connection(c, FILE, sport=49206, dport=6004)
    is_file(c, frame, data, UNNAMED)


@case("file-ftp-tls.pcap", "FTP that goes over to TLS: the server name of the hello in it")
def _(c):
    flow = control(c)
    flow.send(b"AUTH TLS\r\n")
    flow.reply(b"234 Go ahead\r\n")
    c.hit("name", "tls.client.server_name", flow.send(tls.Hello("ftp.evil.example").records()), flow)


@case("file-stream-near.pcap", "a listed file as a connection of its own, but: both ends speak, its start is missing, it is reset, a segment is lost")
def _(c):
    flow = connect(c, 49152, 6000)
    flow.reply(FILE)
    flow.send(b"thanks")
    flow.segment(flags=wire.FIN | wire.ACK, back=True)
    flow = Tcp(c, CLIENT, SERVER, 49153, 6000)
    flow.reply(FILE)
    flow.segment(flags=wire.FIN | wire.ACK, back=True)
    flow = connect(c, 49154, 6000)
    flow.reply(FILE)
    flow.segment(flags=wire.RST | wire.ACK, back=True)
    flow = connect(c, 49155, 6000)
    flow.reply(FILE[:100])
    flow.next[1] += 10
    flow.reply(FILE[100:])
    flow.segment(flags=wire.FIN | wire.ACK, back=True)

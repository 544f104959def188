"""SMTP, POP3 and IMAP: envelopes, mails and what is in them."""
import base64

from .cases_files import is_file
from .flows import CLIENT, SERVER, Tcp, case, spread
from .indicators import FILE, MAIL_ADDR, MAIL_SUBJECT
from .tls import Hello

SENT, TO, FROM, SUBJECT = "picket.smtp.mail_from", "picket.smtp.rcpt_to", "email.from.address", "email.subject"
GREETING = b"220 mx.good.example ESMTP\r\n"


def connect(capture, sport=49152, dport=25):
    flow = Tcp(capture, CLIENT, SERVER, sport, dport)
    flow.open()
    return flow


def mail(sender="someone@good.example", subject="Hello", head=(), body="Hello.\r\n"):
    lines = ["Received: from mail.good.example ([192.0.2.10]) by mx.good.example; Mon, 1 Jan 2024 00:00:00 +0000",
             f"From: Somebody <{sender}>", "To: you@good.example", f"Subject: {subject}", "Message-ID: <1@good.example>", *head, "", ""]
    return ("\r\n".join(lines) + body).encode()


def parts(*entries, boundary="b=1"):
    body = "".join(f"--{boundary}\r\n{head}\r\n\r\n{text}\r\n" for head, text in entries) + f"--{boundary}--\r\n"
    return {"head": ("MIME-Version: 1.0", f'Content-Type: multipart/mixed;\r\n\tboundary="{boundary}"'), "body": body}


def attachment(name, data):
    text = base64.encodebytes(data).decode().replace("\n", "\r\n").rstrip()
    return f'Content-Type: application/octet-stream\r\nContent-Disposition: attachment; filename="{name}"\r\nContent-Transfer-Encoding: base64', text


def dotted(data):
    return b"\r\n".join(b"." + line if line.startswith(b".") else line for line in data.split(b"\r\n")) + b".\r\n"


def envelope(flow, sender="someone@good.example", to="you@good.example"):
    flow.reply(GREETING)
    flow.send(b"EHLO client.good.example\r\n")
    flow.reply(b"250-mx.good.example\r\n250-PIPELINING\r\n250 CHUNKING\r\n")
    first = flow.send(f"MAIL FROM:<{sender}> SIZE=1000\r\n".encode())
    flow.reply(b"250 2.1.0 ok\r\n")
    second = flow.send(f"RCPT TO:<{to}>\r\n".encode())
    flow.reply(b"250 2.1.5 ok\r\n")
    return first, second


def data(flow, message, size=None):
    flow.send(b"DATA\r\n")
    flow.reply(b"354 go ahead\r\n")
    last = flow.send(dotted(message), size)
    flow.reply(b"250 queued\r\n")
    return last


@case("smtp-envelope.pcap", "listed sender, then listed recipient, in other case; near misses: other user, other domain, below the domain, with a tag")
def _(c):
    flow = connect(c)
    sent, _ = envelope(flow, sender=MAIL_ADDR.upper())
    c.hit("mail-addr", SENT, sent, flow)
    flow = connect(c, 49153)
    _, to = envelope(flow, to=MAIL_ADDR)
    c.hit("mail-addr", TO, to, flow)
    user, domain = MAIL_ADDR.split("@")
    for port, address in enumerate((f"x{user}@{domain}", f"{user}@x{domain}", f"{user}@x.{domain}", f"{user}+x@{domain}", f"{user}@{domain}.good.example"), 49160):
        envelope(connect(c, port), sender=address, to=address)


@case("smtp-host-names.pcap", "listed name in EHLO, in the sender's domain, in Received; listed address in EHLO")
def _(c):
    flow = connect(c)
    flow.reply(GREETING)
    c.hit("name", "picket.smtp.helo", flow.send(b"HELO www.evil.example\r\n"), flow)
    c.hit("name", SENT, flow.send(b"MAIL FROM: <a@evil.example>\r\n"), flow)
    flow = connect(c, 49153)
    flow.reply(GREETING)
    c.hit("addr", "picket.smtp.helo", flow.send(b"EHLO [203.0.113.66]\r\n"), flow)
    flow = connect(c, 49154)
    envelope(flow)
    c.hit("name", "picket.email.received", data(flow, mail(head=("Received: from relay.evil.example (unknown) by x",))), flow)


@case("smtp-message.pcap", "listed From, subject in two encoded words over two lines, link in HTML as quoted-printable, attachment: one mail")
def _(c):
    flow = connect(c)
    envelope(flow)
    html = ("Content-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable",
            '<p><a href=3D"http://malware.test/payload/dro=\r\npper.bin">x</a></p>')
    first, rest = MAIL_SUBJECT[:5], MAIL_SUBJECT[5:]
    subject = f"=?utf-8?b?{base64.b64encode(first.encode()).decode()}?=\r\n =?iso-8859-1?q?{rest.replace(' ', '_')}?="
    message = mail(f"{MAIL_ADDR}", subject, **parts(html, attachment("x/Evil-Dropper.EXE", FILE)))
    last = data(flow, message, 400)
    span = spread(last - len(message) // 400 - 1, last)
    c.hit("mail-addr", FROM, span, flow)
    c.hit("mail-subject", SUBJECT, span, flow)
    c.hit("url", "url.full", span, flow)
    c.hit("file-name", "file.name", span, flow)
    is_file(c, span, flow)
    flow.send(b"QUIT\r\n")
    flow.close()


@case("smtp-near-misses.pcap", "a display name that is the listed address, a subject with Re: and one in other case, an attachment with a changed byte")
def _(c):
    flow = connect(c)
    envelope(flow)
    data(flow, mail("other@good.example", "Re: " + MAIL_SUBJECT, ("Reply-To: " + f'"{MAIL_ADDR}" <other@good.example>',)))
    data(flow, mail("other@good.example", MAIL_SUBJECT.upper(), **parts(attachment("a.exe", FILE[:-1] + b"?"))))


@case("smtp-text.pcap", "dots before lines and a link after one; a subject folded differently; an attachment as text without encoding")
def _(c):
    flow = connect(c)
    envelope(flow)
    text = "\r\n.\r\n..\r\n.http://malware.test/payload/dropper.bin\r\n"
    c.hit("url", "url.full", data(flow, mail(body=text)), flow)
    c.hit("mail-subject", SUBJECT, data(flow, mail(subject=MAIL_SUBJECT.replace(" ", "\r\n\t"))), flow)


@case("smtp-pipelining.pcap", "two mails with all their commands in one segment each; a recipient refused on the way")
def _(c):
    flow = connect(c)
    flow.reply(GREETING)
    for sender in ("someone@good.example", MAIL_ADDR):
        frame = flow.send(f"MAIL FROM:<{sender}>\r\nRCPT TO:<no@good.example>\r\nRCPT TO:<you@good.example>\r\nDATA\r\n".encode())
        flow.reply(b"250 ok\r\n550 no\r\n250 ok\r\n354 go ahead\r\n")
        last = flow.send(dotted(mail(subject=MAIL_SUBJECT if sender != MAIL_ADDR else "x")))
        if sender == MAIL_ADDR:
            c.hit("mail-addr", SENT, frame, flow)
        else:
            c.hit("mail-subject", SUBJECT, last, flow)


@case("smtp-chunking.pcap", "BDAT: a mail in chunks of 300 bytes, the last one empty; then one whose dots are its own")
def _(c):
    flow = connect(c)
    envelope(flow)
    message = mail(MAIL_ADDR, **parts(attachment("a.bin", FILE)))
    first = None
    for at in range(0, len(message), 300):
        chunk = message[at:at + 300]
        frame = flow.send(b"BDAT %d\r\n" % len(chunk) + chunk)
        first = first or frame
        flow.reply(b"250 ok\r\n")
    last = flow.send(b"BDAT 0 LAST\r\n")
    c.hit("mail-addr", FROM, spread(first, last), flow)
    is_file(c, spread(first, last), flow)
    message = mail(body="a\r\n.\r\nhttp://malware.test/payload/dropper.bin\r\n")
    c.hit("url", "url.full", flow.send(b"BDAT %d LAST\r\n" % len(message) + message), flow)


@case("smtp-refused-data.pcap", "DATA refused, then another envelope: its commands are not taken for a mail")
def _(c):
    flow = connect(c)
    envelope(flow)
    flow.send(b"DATA\r\n")
    flow.reply(b"554 5.5.1 no valid recipients\r\n")
    c.hit("mail-addr", SENT, flow.send(f"MAIL FROM:<{MAIL_ADDR}>\r\n".encode()), flow)


@case("smtp-odd-port.pcap", "port 4711, and a greeting that does not say SMTP")
def _(c):
    flow = connect(c, dport=4711)
    flow.reply(b"220 welcome\r\n")
    flow.send(b"EHLO client.good.example\r\n")
    flow.reply(b"250 hello\r\n")
    c.hit("mail-addr", SENT, flow.send(f"mail from:{MAIL_ADDR}\r\n".encode()), flow)


@case("smtp-mid-stream.pcap", "no handshake: the capture starts with MAIL FROM; only the client's segments; a mail ends in the next flow's middle")
def _(c):
    flow = Tcp(c, CLIENT, SERVER, 49152, 25, isn=(70000, 90000))
    c.hit("mail-addr", SENT, flow.send(f"MAIL FROM:<{MAIL_ADDR}>\r\n".encode()), flow)
    flow.send(b"DATA\r\n")
    c.hit("mail-subject", SUBJECT, flow.send(dotted(mail(subject=MAIL_SUBJECT))), flow)
    flow = Tcp(c, CLIENT, SERVER, 49153, 25, isn=(70000, 90000))
    flow.send(b"the end of a mail\r\n.\r\n")
    flow.reply(b"250 2.0.0 queued\r\n")
    c.hit("mail-addr", TO, flow.send(f"RCPT TO:<{MAIL_ADDR}>\r\n".encode()), flow)


@case("smtp-starttls.pcap", "STARTTLS, then a ClientHello with an indicator as SNI; then one where the server's answer is missing")
def _(c):
    for port in (49152, 49153):
        flow = connect(c, port)
        flow.reply(GREETING)
        flow.send(b"EHLO client.good.example\r\n")
        flow.reply(b"250-mx.good.example\r\n250 STARTTLS\r\n")
        flow.send(b"STARTTLS\r\n")
        if port == 49152:
            flow.reply(b"220 2.0.0 go ahead\r\n")
        c.hit("name", "tls.client.server_name", flow.send(Hello("www.evil.example").records(), 100), flow)


@case("smtp-gap.pcap", "a segment is missing in an attachment: no digest of it, but the head before it and the next envelope")
def _(c):
    flow = connect(c)
    envelope(flow)
    flow.send(b"DATA\r\n")
    flow.reply(b"354 go ahead\r\n")
    message = dotted(mail(MAIL_ADDR, **parts(attachment("a.bin", FILE * 8))))
    c.hit("mail-addr", FROM, spread(1, 60), flow)
    for at in range(0, len(message), 400):
        piece = message[at:at + 400]
        if at == 800:
            flow.next[0] += len(piece)
        else:
            flow.send(piece)
    flow.reply(b"250 queued\r\n")
    c.hit("mail-addr", TO, spread(1, 60), flow)
    flow.send(f"RCPT TO:<{MAIL_ADDR}>\r\n".encode())
    flow.close()


@case("smtp-ends-early.pcap", "flows that end in a mail: its head is reported, no digest; by FIN and with the capture")
def _(c):
    for port in (49152, 49153):
        flow = connect(c, port)
        envelope(flow)
        message = dotted(mail(MAIL_ADDR, **parts(attachment("a.bin", FILE))))
        flow.send(b"DATA\r\n")
        flow.reply(b"354 go ahead\r\n")
        last = flow.send(message[:-12], 200)
        c.hit("mail-addr", FROM, spread(last - len(message) // 200 - 1, last + 3), flow)
        if port == 49152:
            flow.close()


@case("smtp-smuggled.pcap", "a second mail behind a dot between bare line feeds, which some servers take for the end of the first")
def _(c):
    flow = connect(c)
    envelope(flow)
    inner = f"MAIL FROM:<{MAIL_ADDR}>\r\nRCPT TO:<you@good.example>\r\nDATA\r\n".encode() + mail(subject=MAIL_SUBJECT)
    frame = data(flow, mail(body="first\r\n")[:-2] + b"\n.\r\n" + inner)
    c.hit("mail-addr", SENT, frame, flow)
    c.hit("mail-subject", SUBJECT, frame, flow)


@case("smtp-nested.pcap", "a listed mail forwarded in another, two deep, with an attachment; a subject in the second only")
def _(c):
    flow = connect(c)
    envelope(flow)
    inner = mail(MAIL_ADDR, MAIL_SUBJECT, **parts(attachment("a.bin", FILE), boundary="b3")).decode()
    middle = mail(**parts(("Content-Type: message/rfc822", inner), boundary="b2")).decode()
    last = data(flow, mail(**parts(("Content-Type: message/rfc822", middle))))
    c.hit("mail-addr", FROM, last, flow)
    c.hit("mail-subject", SUBJECT, last, flow)
    is_file(c, last, flow)


@case("mail-clean.pcap", "SMTP with authentication, POP3 and IMAP with nothing listed; the listed address only in what must not be looked at")
def _(c):
    secret = base64.b64encode(f"\0{MAIL_ADDR}\0password".encode()).decode()
    flow = connect(c)
    flow.reply(GREETING)
    flow.send(f"AUTH PLAIN {secret}\r\n".encode())
    flow.reply(b"235 2.7.0 ok\r\n")
    envelope(flow)
    data(flow, mail())
    flow = connect(c, 49153, 110)
    flow.reply(b"+OK POP3 ready\r\n")
    flow.send(f"AUTH PLAIN\r\n{secret}\r\n".encode())
    flow.reply(b"+ \r\n+OK\r\n")
    flow = connect(c, 49154, 143)
    flow.reply(b"* OK IMAP4rev1 ready\r\n")
    flow.send(f"a LOGIN {MAIL_ADDR} password\r\n".encode())
    flow.reply(b"a OK done\r\n")


@case("mail-listed-in-ftp.pcap", "FTP greets with 220, too: what looks like a mail's command in a file's name is none")
def _(c):
    flow = connect(c, dport=2121)
    flow.reply(b"220 FTP server ready\r\n")
    flow.send(b"USER anonymous\r\n")
    flow.reply(b"331 password\r\n")
    flow.send(f"PASS {MAIL_ADDR}\r\nCWD MAIL FROM:<{MAIL_ADDR}>\r\n".encode())


SHORT = f"From: {MAIL_ADDR}\r\nSubject: {MAIL_SUBJECT}\r\n\r\n.x\r\n".encode()
TALKS = {
    "smtp": (25, [(True, GREETING), (False, b"DATA\r\n"), (True, b"354 go\r\n"), (False, dotted(SHORT)), (True, b"250 ok\r\n")]),
    "pop3": (110, [(True, b"+OK POP3\r\n"), (False, b"RETR 1\r\n"), (True, b"+OK\r\n" + dotted(SHORT)), (False, b"QUIT\r\n")]),
    "imap": (143, [(True, b"* OK IMAP\r\n"), (False, b"a FETCH 1 (BODY[])\r\n"), (True, b"* 1 FETCH (BODY[] {%d}\r\n%s)\r\na OK\r\n" % (len(SHORT), SHORT)),
                   (False, b"b APPEND x {%d+}\r\n%s\r\n" % (len(SHORT), SHORT))]),
}


def pieces(flow, text, back, way):
    """One message, cut as `way` says; the last frame."""
    if way == "byte":
        return flow.send(text, 1, back)
    cuts = [text[at:at + 16] for at in range(0, len(text), 16)]
    side = 1 if back else 0
    starts = [flow.next[side] + 16 * number for number in range(len(cuts))]
    order = list(zip(starts, cuts))
    if way == "reversed":
        order.reverse()
    for seq, piece in order:
        for _ in range(2 if way == "duplicated" else 1):
            last = flow.segment(piece, back=back, seq=seq)
    flow.next[side] += len(text)
    return last


def variant(name, way):
    def build(c):
        port, talk = TALKS[name]
        flow = connect(c, dport=port)
        for back, text in talk:
            pieces(flow, text, back, way)
        last = len(c.frames)
        c.hit("mail-addr", FROM, spread(1, last), flow)
        c.hit("mail-subject", SUBJECT, spread(1, last), flow)
    case(f"{name}-cut-{way}.pcap", {"byte": "one byte a segment", "reversed": "each message's segments in reverse order",
                                    "duplicated": "every segment twice"}[way])(build)


for protocol in TALKS:
    for manner in ("byte", "reversed", "duplicated"):
        variant(protocol, manner)


@case("pop3-retr.pcap", "two mails among listings, the listed one pipelined behind a refusal; a mail that begins like a reply")
def _(c):
    flow = connect(c, dport=110)
    flow.reply(b"+OK POP3 server ready <1@mx.good.example>\r\n")
    flow.send(b"USER me\r\nPASS secret\r\nLIST\r\n")
    flow.reply(b"+OK\r\n+OK\r\n+OK 2 messages\r\n1 100\r\n2 200\r\n.\r\n")
    flow.send(b"RETR 9\r\nRETR 1\r\nTOP 2 0\r\n")
    flow.reply(b"-ERR none\r\n+OK 1\r\n" + dotted(mail()))
    message = mail(MAIL_ADDR, MAIL_SUBJECT, **parts(attachment("a.bin", FILE)))
    frame = flow.reply(b"+OK\r\n" + dotted(message), 300)
    span = spread(frame - len(message) // 300 - 1, frame)
    c.hit("mail-addr", FROM, span, flow)
    c.hit("mail-subject", SUBJECT, span, flow)
    is_file(c, span, flow)
    flow.send(b"RETR 3\r\n")
    c.hit("url", "url.full", flow.reply(b"+OK\r\n" + dotted(b"+OK no header\r\nhttp://malware.test/payload/dropper.bin\r\n")), flow)


@case("pop3-server-only.pcap", "only the server's segments, mid-stream")
def _(c):
    flow = Tcp(c, CLIENT, SERVER, 49152, 110, isn=(70000, 90000))
    flow.reply(b"+OK 2 messages\r\n")
    c.hit("mail-addr", FROM, flow.reply(b"+OK 100 octets\r\n" + dotted(mail(MAIL_ADDR))), flow)


@case("pop3-stls.pcap", "STLS, then a ClientHello with an indicator as SNI")
def _(c):
    flow = connect(c, dport=110)
    flow.reply(b"+OK POP3\r\n")
    flow.send(b"STLS\r\n")
    flow.reply(b"+OK begin\r\n")
    c.hit("name", "tls.client.server_name", flow.send(Hello("www.evil.example").records()), flow)


@case("imap-fetch.pcap", "whole mails, a header, a part and an envelope among other responses, on an odd port")
def _(c):
    flow = connect(c, dport=1430)
    flow.reply(b"* OK [CAPABILITY IMAP4rev1] ready\r\n")
    flow.send(b"a1 LOGIN me {6}\r\n")
    flow.reply(b"+ go on\r\n")
    flow.send(b"secret\r\na2 FETCH 1:4 (UID BODY[])\r\n")
    message = mail(**parts(attachment("a.bin", FILE)))
    frame = flow.reply(b"a1 OK\r\n* 1 FETCH (UID 1 BODY[] {%d}\r\n%s FLAGS (\\Seen))\r\n" % (len(message), message), 300)
    is_file(c, spread(frame - len(message) // 300 - 1, frame), flow)
    head = f"From: {MAIL_ADDR}\r\n\r\n".encode()
    c.hit("mail-addr", FROM, flow.reply(b"* 2 FETCH (BODY[HEADER.FIELDS (FROM)] {%d}\r\n%s)\r\n" % (len(head), head)), flow)
    text = b"http://malware.test/payload/dropper.bin"
    c.hit("url", "url.full", flow.reply(b"* 3 FETCH (BODY[1] {%d}\r\n%s)\r\n" % (len(text), text)), flow)
    c.hit("mail-subject", SUBJECT, flow.reply(b'* 4 FETCH (ENVELOPE (NIL "%s" ((NIL NIL "a" "good.example")) NIL NIL NIL NIL NIL NIL NIL))\r\n' % MAIL_SUBJECT.encode()), flow)
    flow = connect(c, 49153, 143)
    flow.reply(b"* OK ready\r\n")
    user, domain = MAIL_ADDR.split("@")
    c.hit("mail-addr", "email.to.address", flow.reply(f'* 9 FETCH (UID 3 ENVELOPE ("d" NIL NIL NIL NIL (("N" NIL "{user}" "{domain}")) NIL NIL NIL NIL))\r\n'.encode()), flow)


@case("imap-append.pcap", "a mail put into a mailbox, with and without waiting for leave; one refused")
def _(c):
    for port, plus in ((49152, b""), (49153, b"+")):
        flow = connect(c, port, 143)
        flow.reply(b"* OK ready\r\n")
        flow.send(b"a APPEND Sent {999}\r\n")
        flow.reply(b"a NO too large\r\n")
        message = mail(MAIL_ADDR, MAIL_SUBJECT)
        flow.send(b'b APPEND "Sent items" (\\Seen) {%d%s}\r\n' % (len(message), plus))
        if not plus:
            flow.reply(b"+ go on\r\n")
        frame = flow.send(message + b"\r\n")
        c.hit("mail-addr", FROM, frame, flow)
        c.hit("mail-subject", SUBJECT, frame, flow)


@case("imap-starttls.pcap", "STARTTLS, then a ClientHello with an indicator as SNI")
def _(c):
    flow = connect(c, dport=143)
    flow.reply(b"* OK ready\r\n")
    flow.send(b"a STARTTLS\r\n")
    flow.reply(b"a OK begin\r\n")
    c.hit("name", "tls.client.server_name", flow.send(Hello("www.evil.example").records()), flow)

"""SSH: identifications and fingerprints."""
from . import ssh
from .flows import CLIENT, SERVER, Tcp, case

CLIENT_LINE, SERVER_LINE = b"SSH-2.0-EvilSSH_6.6 toolkit\r\n", b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"


def connect(c, port=22, sport=49152):
    flow = Tcp(c, CLIENT, SERVER, sport, port)
    flow.open()
    return flow


@case("ssh-hassh.pcap", "SSH: listed software, HASSH of client and server on an odd port; then the same lists in another order")
def _(c):
    flow = connect(c, 2222)
    flow.reply(SERVER_LINE)
    c.hit("software", "ssh.client.software", flow.send(CLIENT_LINE), flow)
    c.hit("hassh", "ssh.client.hassh", flow.send(ssh.key_exchange()), flow)
    c.hit("hassh-server", "ssh.server.hassh", flow.reply(ssh.key_exchange()), flow)
    flow.send(bytes(range(200)))
    other = connect(c, sport=49153)
    other.send(b"SSH-2.0-OpenSSH_9.2p1\r\n" + ssh.key_exchange(",".join(reversed(ssh.EXCHANGE.split(",")))))


@case("ssh-split.pcap", "SSH: identification and key exchange in one stream of segments of 60 bytes, and one byte at a time")
def _(c):
    for sport, size in ((49152, 60), (49153, 1)):
        flow = connect(c, sport=sport)
        data = b"SSH-2.0-x\r\n" + ssh.key_exchange()
        if size == 1:
            flow.send(data[:40], 1)
            data = data[40:]
        c.hit("hassh", "ssh.client.hassh", flow.send(data, max(size, 60)), flow)


@case("ssh-one.pcap", "SSH 1: an identification and nothing to fingerprint")
def _(c):
    flow = connect(c)
    flow.reply(b"SSH-1.5-1.2.27\n")
    c.hit("software", "ssh.client.software", flow.send(b"SSH-1.5-EvilSSH_6.6\n"), flow)

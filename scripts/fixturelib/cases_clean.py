"""Traffic without a hit."""
from . import dns
from .cases_http import request, response
from .flows import CLIENT, CLIENT6, RESOLVER, SERVER, SERVER6, Tcp, Udp, case
from .tls import Hello


@case("clean-mix.pcap", "DNS, HTTP, TLS, DTLS and other UDP with nothing listed; tests/no_alloc.rs replays it over and over")
def _(c):
    for number in range(6):
        flow = Udp(c, CLIENT, RESOLVER, 40000 + number, 53)
        name = f"host{number}.www.good.example"
        flow.send(dns.query(name))
        flow.send(dns.response(name, [dns.record(dns.pointer(12), dns.A, dns.address(SERVER))]), back=True)
    for number in range(4):
        flow = Tcp(c, CLIENT, SERVER, 49152 + number, 80)
        flow.open()
        flow.send(request("www.good.example", f"/page/{number}"), 60)
        flow.reply(response(body=b"x" * 300))
        flow.close()
    for client, server in ((CLIENT, SERVER), (CLIENT6, SERVER6)):
        flow = Tcp(c, client, server, 50000, 443)
        flow.open()
        flow.send(Hello("www.good.example").records(), 100)
        flow.reply(b"\x17\x03\x03\x01\x00" + bytes(256))
        flow.close()
    Udp(c, CLIENT, SERVER, 41000, 4433).send(Hello("www.good.example", dtls=True).records())
    Udp(c, CLIENT, SERVER, 41001, 9999).send(b"picket " * 20)

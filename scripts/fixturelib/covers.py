"""What the captures cover: each thing that Picket is to see, and the captures that show it (patterns of their names). Written into
fixtures/pcaps/README.md; a pattern without a capture is an error. Captures that hold plain TCP are replayed also with their streams cut
one byte a segment, reversed, and every segment twice (tests/segmentation.rs)."""
import fnmatch

ITEMS = {
    "Packets": {
        "IPv4 and IPv6 reassembly; the completing frame": "fragment-in-order fragment-reversed fragment-interleaved fragment-v6* fragment-tcp fragment-outer fragment-inner",
        "fragments: overlapping, duplicate, tiny, oversized, too many, too late, cut": "fragment-overlap-* fragment-duplicate fragment-tiny fragment-syn fragment-lies fragment-flood fragment-late fragment-snap",
        "inner flows kept apart by tunnel id": "tunnel-flows tunnel-gtp-u-pairs tunnel-tcp fragment-vlans",
        "GRE with key, sequence, checksum bits; ERSPAN I, II, III; NVGRE": "tunnel-gre tunnel-gre-all tunnel-gre-v6 tunnel-gre-bridge tunnel-erspan-* tunnel-nvgre",
        "IP in IP, 6in4, 4in6, 6in6": "tunnel-ipip tunnel-6in4 tunnel-4in6 tunnel-6in6",
        "VXLAN, VXLAN-GPE, GENEVE with options": "tunnel-vxlan* tunnel-geneve*",
        "GTP-U with extension headers, Teredo, AYIYA": "tunnel-gtp-u* tunnel-teredo tunnel-ayiya",
        "L2TPv2, L2TPv3, EtherIP, PPPoE, PPTP": "tunnel-l2tp-* tunnel-etherip link-pppoe* tunnel-pptp",
        "MPLS with and without control word": "link-mpls* tunnel-mpls-* tunnel-gre-mpls",
        "TZSP, CAPWAP, LISP, GRE and MPLS in UDP": "tunnel-tzsp* tunnel-capwap* tunnel-lisp tunnel-gre-udp tunnel-mpls-udp",
        "IPv6 extension headers with a cap, AH": "addr-ipv6-extensions addr-ipv6-extension-flood tunnel-ah*",
        "opaque tunnels counted; nesting capped; ordinary traffic on tunnels' ports": "tunnel-opaque tunnel-nested tunnel-too-deep tunnel-lookalike tunnel-damaged",
        "802.11 with radiotap, PPI, AVS, Prism; nflog": "link-wifi* link-nflog*",
        "ICMP errors' quoted packets; ARP": "addr-icmp-quote addr-icmpv6-quote fragment-icmp-quote link-arp tunnel-arp",
    },
    "Streams and evasion": {
        "overlapping segments with other data, both ways": "tcp-overlap-*",
        "old and new retransmissions": "tcp-retransmission*",
        "out-of-window data; wrong sequence of RST and FIN": "tcp-out-of-window tcp-reset-* tcp-fin-forged tcp-fin-early tcp-syn-forged",
        "bad checksums": "tcp-bad-checksum tcp-checksum-decoy ip-checksum-decoy",
        "SYN with data, TCP Fast Open": "tcp-syn-data tcp-syn-data-refused tcp-fast-open-response",
        "urgent data, zero windows, sequence wrap, keep-alives": "tcp-urgent* tcp-zero-window tcp-sequence-wrap tcp-keep-alive-*",
        "one byte a segment, reversed, out of order": "tcp-byte-a-segment tcp-reversed tcp-out-of-order",
        "duplicate SYN/ACK, simultaneous open, half-captured flows, port reuse": "tcp-duplicate-syn-ack tcp-simultaneous-open tcp-half-* tcp-one-direction-* tcp-mid-stream tcp-port-reuse*",
    },
    "Protocols": {
        "QUIC v1, v2, draft 29: SNI, JA3, JA4": "quic-sni quic-versions quic-fingerprint",
        "QUIC: CRYPTO over datagrams in any order, Retry, version negotiation, 0-RTT, coalesced; a hello that stays incomplete": "quic-split quic-loss quic-retry quic-negotiation quic-incomplete",
        "TLS certificates: chain, split, names, addresses, client's": "tls-certificate*",
        "JA3S, ECH": "tls-ja3s tls-ech",
        "STARTTLS of SMTP, IMAP, POP3, FTP, LDAP, PostgreSQL, MySQL": "smtp-starttls imap-starttls pop3-stls file-ftp-tls starttls-*",
        "HTTP bodies: chunked, codings, digests, names, bombs, incomplete": "file-http-*",
        "HTTP/2: prior knowledge, h2c, HPACK, bodies at once": "http2-*",
        "SMTP: envelope, head, MIME, links, BDAT, dots": "smtp-*",
        "IMAP, POP3": "imap-* pop3-*",
        "FTP: PORT, EPRT, PASV, EPSV, names joined to content": "file-ftp-*",
        "SSH: banners, HASSH": "ssh-*",
        "Modbus, DNP3, S7, EtherNet/IP, IEC 104, BACnet, OPC UA": "ics-modbus* ics-dnp3* ics-s7comm ics-enip ics-iec104 ics-bacnet ics-opcua",
        "PROFINET DCP, GOOSE": "ics-profinet ics-goose",
        "rules of a header alone: addresses, flags, established, protocols, lists, ports, directions": "rule-list-*",
        "conditions: protocol, port, direction, field, function": "when-*",
    },
}


def table(stems):
    """The table, given the names of all captures without endings."""
    out = []
    for part, items in ITEMS.items():
        out.append(f"| **{part}** | |\n")
        for item, patterns in items.items():
            empty = [pattern for pattern in patterns.split() if not fnmatch.filter(stems, pattern)]
            assert not empty, f"{item}: no capture is called {empty}"
            out.append(f"| {item} | {', '.join(f'`{pattern}`' for pattern in patterns.split())} |\n")
    return "".join(out)

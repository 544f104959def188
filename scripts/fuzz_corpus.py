#!/usr/bin/env python3
"""Makes seed corpora for the fuzz targets out of the fixtures: fuzz/corpus/TARGET/seed-NUMBER.

    fuzz_corpus.py [FOLDER]     FOLDER instead of fuzz/corpus; prints how many seeds each target has

Standard library only. Captures go in as they are (less the header that the target puts before them), frames and application
payloads are cut out of them. The byte before a payload says transport and port, as fuzz/src/parsers.rs reads it. What a fuzzer
added to a corpus stays.
"""
import json
import pathlib
import re
import struct
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# As in fuzz/src: LINKS of frames.rs, and the ports of parsers.rs.
LINKS = [0, 1, 9, 12, 14, 50, 51, 101, 105, 108, 113, 119, 127, 163, 166, 192, 219, 228, 229, 239, 276, 147]
PORTS = [53, 443, 80, 5353, 5355, 40000, 502, 2404, 44818, 6653]
OTHER_PORT = 5
# Whose payloads a protocol's target starts with: beginnings of fixtures' names.
PROTOCOLS = {
    "bacnet": ["ics-bacnet"], "dnp3": ["ics-dnp3"], "dns": ["dns-"], "dtls": ["dtls-"], "enip": ["ics-enip"],
    "ftp": ["file-ftp", "mail-listed-in-ftp"], "http": ["http-", "file-http"], "http2": ["http2-"],
    "iec104": ["ics-iec104"], "imap": ["imap-"], "ldap": ["starttls-ldap"], "modbus": ["ics-modbus", "when-function"],
    "mysql": ["starttls-mysql"], "opcua": ["ics-opcua"], "openflow": ["openflow-"], "openvpn": ["openvpn-"], "pop3": ["pop3-"],
    "postgresql": ["starttls-postgresql"], "quic": ["quic-"], "s7comm": ["ics-s7comm"], "smtp": ["smtp-", "mail-"],
    "ssh": ["ssh-"], "tls": ["tls-"],
}
# Sample feeds.
SAMPLES = {
    "feed_adblock": "adblock.txt", "feed_csv": "table.csv", "feed_hosts": "hosts.txt", "feed_maltrail": "malware/examplebot.txt",
    "feed_misp": "misp.json", "feed_native": "native.jsonl", "feed_openioc": "openioc.ioc", "feed_plain": "plain.txt",
    "feed_suricata": "sample.rules", "feed_yara": "sample.yar", "feed_zeek": "zeek.intel",
}
MARKINGS = [
    "TLP:AMBER+STRICT PAP:GREEN", "TOP SECRET//SI-G/TK//ORCON/REL TO USA, GBR, FVEY", "(S//NF)", "SECRET//NOFORN", "(S//REL)",
    "CUI//SP-CTI//NOFORN", "(CUI)", "U//FOUO", "//JOINT S//REL TO USA, GBR", "//DEU S", "tlp:ex:chr", "PAP:RED",
    'dni-ism:classification:us="S"', 'dni-ism:dissem="REL"', "acs-marking:x",
    '{"identifier":"isa:a","create_date_time":"2024-01-01T00:00:00Z","responsible_entity_custodian":"USA.DHS","policy_reference":'
    '"urn:isa:policy:acs:ns:v3.0?privdefault=deny&sharedefault=deny","control_set":{"classification":"U","formal_determination":["PUBREL"]},'
    '"extension_type":"property-extension","access_privilege":[{"privilege_action":"DSPLY","privilege_scope":{"permitted_nationalities":'
    '["USA"],"permitted_organizations":["ALL"],"shareability":["ALL"],"entity":["ALL"]},"rule_effect":"permit"}],"further_sharing":'
    '[{"sharing_scope":["SECTOR"],"rule_effect":"permit"}]}',
    '{"extension_type":"property-extension","control":"CUI//SP-CTI","categories":["SP-CTI"],"designator_ref":'
    '"identity--00000000-0000-4000-8000-000000000001"}',
    '[sink.acme]\nlevel = "UNCLASSIFIED"\norganisation = "Acme"\nclients = true\nnamed = ["red"]\n',
]
# By EtherType.
IN_FRAMES = {b"\x88\x92": "profinet", b"\x88\xb8": "goose"}
MAX_SEED_BYTES = 65_536


def frames(data):
    """(link type, bytes) of a classic little-endian pcap file, as far as it goes."""
    if data[:4] != b"\xd4\xc3\xb2\xa1" or len(data) < 24:
        return
    link, at = struct.unpack_from("<I", data, 20)[0] & 0xffff, 24
    while at + 16 <= len(data):
        length = struct.unpack_from("<I", data, at + 8)[0]
        if at + 16 + length > len(data):
            return
        yield link, data[at + 16:at + 16 + length]
        at += 16 + length


def payload(frame):
    """((is_udp, addresses and ports), port byte's choice, payload) of a plain Ethernet frame with TCP or UDP."""
    at, kind = 12, frame[12:14]
    while kind in (b"\x81\x00", b"\x88\xa8"):
        at, kind = at + 4, frame[at + 4:at + 6]
    ip = frame[at + 2:]
    if kind == b"\x08\x00" and len(ip) >= 20:
        proto, head, end, ends = ip[9], (ip[0] & 15) * 4, struct.unpack_from(">H", ip, 2)[0], ip[12:20]
    elif kind == b"\x86\xdd" and len(ip) >= 40:
        proto, head, end, ends = ip[6], 40, 40 + struct.unpack_from(">H", ip, 4)[0], ip[8:40]
    else:
        return None
    rest = ip[head:end]
    if proto == 17 and len(rest) >= 8:
        data = rest[8:]
    elif proto == 6 and len(rest) >= 20:
        data = rest[(rest[12] >> 4) * 4:]
    else:
        return None
    ports = struct.unpack_from(">HH", rest)
    choice = next((PORTS.index(port) for port in ports if port in PORTS), OTHER_PORT)
    return (proto == 17, ends, rest[:4]), choice << 2 | (proto == 17), data


def streams(data):
    """Payloads of a capture with their first byte: each alone, and those of one direction in the order of their frames."""
    whole = {}
    for link, frame in frames(data):
        found = payload(frame) if link == 1 else None
        if found and found[2]:
            flow, ways, body = found
            yield ways, body
            whole.setdefault((flow, ways), []).append(body)
    for (_, ways), bodies in whole.items():
        if len(bodies) > 1:
            yield ways, b"".join(bodies)


def pieces(frame):
    """A frame's payload as pieces of a datagram: place, length, identification and flags before each (fuzz/src/frames.rs)."""
    parts = [frame[34:][at:at + 24] for at in range(0, len(frame[34:]), 24)]
    last = len(parts) - 1
    return b"".join(bytes([at * 3 & 255, len(part), 1, 0x80 | (0x20 if at < last else 0)]) + part for at, part in enumerate(parts))


def samples():
    """(target, seed) of the sample feeds: whole, by line or paragraph, and what the targets' own beginnings leave to say."""
    for target, name in SAMPLES.items():
        text = (ROOT / "feeds" / name).read_bytes()
        yield target, text
        for part in text.split(b"\n\n" if target == "feed_yara" else b"\n"):
            yield target, part + b"\n"
    bundle = json.loads((ROOT / "feeds/stix.json").read_text())
    objects = [json.dumps(one, separators=(",", ":")) for one in bundle["objects"]]
    yield "feed_stix", (",\n".join(objects) + "]}").encode()
    for one in objects:
        yield "feed_stix", (one + "]}").encode()
    patterns = {one["pattern"] for one in bundle["objects"] if "pattern" in one}
    # The standard's examples, as a test has them.
    tests = (ROOT / "src/feed/stix/compile/tests.rs").read_text()
    patterns.update(re.findall(r'r?"(\(*\[[^"\n]{5,}\][^"\n]*)"', tests))
    for pattern in sorted(patterns):
        yield "stix_pattern", pattern.encode()
    # Texts of each sort that a marking is read from.
    for text in MARKINGS:
        yield "marking", text.encode()
    for one in bundle["objects"]:
        if one["type"] == "marking-definition":
            yield "marking", json.dumps(one).encode()
        for extension in one.get("extensions", {}).values():
            yield "marking", json.dumps(extension).encode()
    yield "feed_misp_warninglist", b'{"name":"a","type":"hostname","version":1,"list":["a.example",".b.example","192.0.2.1"]}'
    yield "feed_misp_warninglist", b'{"name":"a","type":"cidr","version":1,"list":["192.0.2.0/24","2001:db8::/32"]}'


def seeds():
    """(target, seed)."""
    feed = (ROOT / "fixtures/feed.jsonl").read_bytes()
    for line in feed.splitlines(keepends=True):
        yield "feed_native", line
    yield "feed_plain", b"203.0.113.0/24\n192.0.2.1:80 # c\nhxxp://a[.]evil[.]example/x?y#z\n2001:db8::/32\nxn--a.evil.example\n"
    yield "feed_zeek", b"203.0.113.9\tIntel::ADDR\tus\nevil.example\tIntel::DOMAIN\t-\nevil.example/a\tIntel::URL\tus\n"
    yield from samples()
    for path in sorted((ROOT / "fixtures/pcaps").iterdir()):
        data = path.read_bytes()
        if data[:4] == b"\xd4\xc3\xb2\xa1":
            yield "pcap", data[24:]
        elif data[:4] == b"\n\r\r\n":
            yield "pcapng", data[28:]
        for link, frame in frames(data):
            if link in LINKS:
                yield "packet", bytes([LINKS.index(link)]) + frame
            if len(frame) < 400:
                yield "defrag", pieces(frame)
            if link == 1 and frame[12:14] in IN_FRAMES:
                yield IN_FRAMES[frame[12:14]], frame[14:]
        own = [target for target, names in PROTOCOLS.items() if any(path.name.startswith(name) for name in names)]
        for ways, body in streams(data) if own or path.name.startswith("file-http") else ():
            for target in own:
                yield target, bytes([ways]) + body
                if target == "quic":
                    yield target, body
            head, _, content = body.partition(b"\r\n\r\n")
            if content and head.startswith((b"HTTP/", b"POST")):
                for which in range(4):
                    yield "coding", bytes([which | which << 4]) + content


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "fuzz/corpus"
    found = {}
    for target, seed in seeds():
        if 0 < len(seed) <= MAX_SEED_BYTES:
            found.setdefault(target, {}).setdefault(seed)
    targets = {path.stem for path in (ROOT / "fuzz/fuzz_targets").glob("*.rs")}
    without = targets - found.keys()
    for target, own in sorted(found.items()):
        (folder / target).mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(own):
            (folder / target / f"seed-{number:04}").write_bytes(seed)
        print(f"{target} {len(own)}")
    if without or found.keys() - targets:
        sys.exit(f"targets without seeds: {sorted(without)}; seeds without target: {sorted(found.keys() - targets)}")


main()

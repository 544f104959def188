"""The feed that the fixtures are matched against, written to fixtures/feed.jsonl. Its ids are what expectations name."""
import hashlib
import json

from . import tls


def document(ident, kind, value=None, port=None, provider="fixtures", **ours):
    indicator = {"id": [ident], "type": kind, "provider": provider}
    if value is not None:
        indicator["name"] = value
    if port is not None:
        indicator["port"] = port
    out = {"threat": {"indicator": indicator}}
    if ours:
        out["picket"] = ours
    return out


SIGNATURE = b"\xde\xad\xbe\xefPICKET-SIGNATURE"

# A file that no library would make by chance: every byte value, and some text.
FILE = b"MZ picket fixture file\r\n" + bytes(range(256)) + b"\r\nend of the fixture file " * 4

MAIL_ADDR = "Sender@mailer.test"
MAIL_SUBJECT = "Your invoice 42"

DOCUMENTS = [
    document("name", "domain-name", "evil.example"),
    document("name-c2", "domain-name", "c2.invalid"),
    document("name-exact", "domain-name", "only.malware.test", match="exact"),
    document("name-expired", "domain-name", "expired.malware.test", valid_until="2023-01-01T00:00:00Z"),
    document("name-valid", "domain-name", "valid.malware.test", valid_from="2023-01-01T00:00:00Z", valid_until="2024-01-01T00:00:00Z"),
    document("addr", "ipv4-addr", "203.0.113.66"),
    document("net", "ipv4-addr", "198.51.100.0/25"),
    document("port", "ipv4-addr", "192.0.2.77", port=4444),
    document("net6", "ipv6-addr", "2001:db8:bad::/48"),
    document("url", "url", "http://malware.test/payload/dropper.bin"),
    document("url-prefix", "url", "http://malware.test/gate/", match="prefix"),
    document("agent", "user-agent", "EvilBot/1.0 (compatible; Picket fixture)"),
    document("ja3", "ja3", tls.EVIL.ja3()),
    document("ja4", "ja4", tls.EVIL.ja4()),
    document("bytes", "network-traffic", pattern={"content": "|de ad be ef|PICKET-SIGNATURE"}),
    document("bytes-nocase", "network-traffic", pattern={"content": "picket-nocase-marker", "nocase": True}),
    document("bytes-depth", "network-traffic", pattern={"content": "PICKET-AT-FOUR", "offset": 4, "depth": 14}),
    document("bytes-udp", "network-traffic", pattern={"content": "PICKET-OVER-UDP", "transport": "udp"}),
    document("file-md5", "file", hashlib.md5(FILE).hexdigest()),
    document("file-sha1", "file", hashlib.sha1(FILE).hexdigest()),
    document("file-sha256", "file", hashlib.sha256(FILE).hexdigest().upper()),
    document("file-name", "file-name", "Evil-Dropper.exe"),
    document("user", "user-account", "evil-user"),
    document("mail-addr", "email-addr", MAIL_ADDR),
    document("mail-subject", "email-subject", MAIL_SUBJECT),
]


def feed():
    return "".join(json.dumps(entry) + "\n" for entry in DOCUMENTS).encode()

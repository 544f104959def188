"""The feed that the fixtures are matched against, written to fixtures/feed.jsonl. Its ids are what expectations name."""
import hashlib
import json

from . import ssh, tls, x509


def certificate(ident, **fields):
    return {"threat": {"indicator": {"id": [ident], "type": "x509-certificate", "provider": "fixtures", "x509": fields}}}


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
    document("ics-modbus", "ics-function", "modbus:6"),
    document("ics-modbus-write", "ics-function", "modbus:any-write"),
    document("ics-unit", "ics-function", "modbus:unit-99"),
    document("ics-dnp3", "ics-function", "DNP3:Direct_Operate"),
    document("ics-station", "ics-function", "dnp3:station-3"),
    document("ics-s7-stop", "ics-function", "s7comm:0x29"),
    document("ics-slot", "ics-function", "s7comm:slot-0.2"),
    document("ics-cip", "ics-function", "cip:reset"),
    document("ics-iec104", "ics-function", "iec104:C_SC_NA_1"),
    document("ics-address", "ics-function", "iec104:address-47"),
    document("ics-bacnet", "ics-function", "bacnet:write-property"),
    document("ics-device", "ics-function", "bacnet:device-1234"),
    document("ics-opcua", "ics-function", "opcua:call"),
    document("hassh", "hassh", ssh.hassh(0)),
    document("hassh-server", "hassh", ssh.hassh(1)),
    document("software", "user-agent", "EvilSSH_6.6"),
    document("when-modbus", "ipv4-addr", "203.0.113.101", when={"protocol": "modbus"}),
    document("when-write", "ipv4-addr", "203.0.113.102", when={"protocol": "modbus", "direction": "to_responder", "function": "write"}),
    document("when-port", "ipv4-addr", "203.0.113.103", when={"port": 502, "field": "destination.ip"}),
    document("when-answer", "domain-name", "once.malware.test", when={"protocol": "dns", "direction": "to_originator"}),
    document("ja3s", "ja3s", tls.EVIL_SERVER.ja3s()),
    certificate("cert-sha1", hash={"sha1": x509.EVIL.sha1().upper()}),
    certificate("cert-sha256", hash={"sha256": x509.EVIL_CA.sha256()}),
    certificate("cert-subject", subject={"distinguished_name": ",".join(f"{k}={v}" for k, v in reversed(x509.EVIL_SUBJECT))}),
    certificate("cert-issuer", issuer={"distinguished_name": "/C=us/CN=evil  CA"}),
    certificate("cert-serial", serial_number="AB:CD:EF:01:23"),
    document("ja4-quic", "ja4", tls.EVIL.ja4("q")),
    document("file-md5", "file", hashlib.md5(FILE).hexdigest()),
    document("file-sha1", "file", hashlib.sha1(FILE).hexdigest()),
    document("file-sha256", "file", hashlib.sha256(FILE).hexdigest().upper()),
    document("file-name", "file-name", "Evil-Dropper.exe"),
    document("user", "user-account", "evil-user"),
    document("mail-addr", "email-addr", MAIL_ADDR),
    document("mail-subject", "email-subject", MAIL_SUBJECT),
    document("ics-profinet", "ics-function", "profinet:any-control"),
    document("ics-profinet-name", "ics-function", "profinet:dcp_set_name_of_station"),
    document("ics-profinet-device", "ics-function", "profinet:device-0x002a010e"),
    document("ics-goose", "ics-function", "goose:state-change"),
    document("ics-goose-appid", "ics-function", "goose:appid-0x3f"),
]


def feed():
    return "".join(json.dumps(entry) + "\n" for entry in DOCUMENTS).encode()

#!/usr/bin/env python3
"""Makes the fixture captures: fixtures/pcaps/, fixtures/feed.jsonl, fixtures/rules.rules, fixtures/rules.yar, fixtures/expect.json, fixtures/pcaps/README.md.

    make_fixtures.py            write them all and print the JA3 and JA4 that the feed lists
    make_fixtures.py --check    exit 1 and say what differs, if anything, from what is there

Standard library only, and the same bytes each run. All names and addresses are reserved ones (RFC 2606, 5737, 3849; multicast
groups of mDNS and LLMNR). A case is one function in fixturelib/cases_*.py; what a sensor must find in it stands beside it, and
does not come from Picket.
"""
import argparse
import json
import lzma
import gzip
import pathlib
import re
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from fixturelib import cases_addr, cases_beside, cases_bytes, cases_cert, cases_clean, cases_dns, cases_evasion, cases_file, cases_files, cases_fragment, cases_http, cases_http2, cases_http2_files, cases_ics, cases_link, cases_mail, cases_openvpn, cases_quic, cases_rules, cases_ssh, cases_tcp, cases_tls, cases_tunnel, covers  # noqa: E402,F401
from fixturelib import flows, indicators, tls  # noqa: E402

HOME = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
MAX_BYTES = 20_000

README = """# Fixture captures

Every capture here is made by `scripts/make_fixtures.py` (run it to make them anew; `--check` says whether they are as it makes
them). None was recorded: names and addresses are those reserved for documentation and testing, checksums are right unless the
case is about wrong ones. One behaviour each.

Beside a capture `NAME.pcap` lies its golden output, `NAME.alerts.jsonl` (`tests/golden.rs`; `BLESS=1 cargo test --test golden`
writes them). `NAME.1.pcap`, `NAME.2.pcap` are replayed together, in that order. What must be found in each, written down
independently of Picket, is in `../expect.json` (`tests/oracle.rs`); the feeds are `../feed.jsonl`, `../rules.rules` and `../rules.yar`.

| Capture | Behaviour |
|---|---|
"""

COVERS = """
## What they cover

`*` stands for any ending.

| To be seen | Captures |
|---|---|
"""


def stem(name):
    """The name that a capture's golden has: without endings and without the number of a rotated one."""
    return re.sub(r"(\.\d+)?\.(pcap|pcapng)(\.\w+)?$", "", name)


def build():
    """All files by their path below fixtures/."""
    out, runs, table = {}, {}, []
    for name, (behaviour, fill) in sorted(flows.CASES.items()):
        capture = flows.Capture()
        fill(capture)
        data = capture.bytes()
        assert len(data) <= MAX_BYTES, f"{name} has {len(data)} bytes"
        out[f"pcaps/{name}"] = data
        run = runs.setdefault(stem(name), {"files": [], "expect": [], "may": []})
        run["files"].append(name)
        run["expect"] += capture.expected
        run["may"] += capture.may
        run.update(capture.notes)
        table.append(f"| `{name}` | {behaviour} |\n")
    out["expect.json"] = expectations(runs)
    out["feed.jsonl"] = indicators.feed()
    out["rules.rules"] = cases_rules.SURICATA.encode()
    out["lists/ips.lst"] = cases_rules.IPS.encode()
    out["rules.yar"] = cases_rules.YARA.encode()
    out["pcaps/README.md"] = (README + "".join(table) + COVERS + covers.table(runs)).encode()
    return out


def expectations(runs):
    """One expectation a line, so that a change reads well."""
    lines = []
    for name, run in sorted(runs.items()):
        rest = {key: value for key, value in run.items() if key != "expect"}
        head = json.dumps(rest)[:-1]
        items = ",\n".join("    " + json.dumps(item) for item in run["expect"])
        lines.append(f' {json.dumps(name)}: {head}, "expect": [' + (f"\n{items}\n  ]}}" if items else "]}"))
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode()


def content(name, data):
    """What compressed bytes stand for: compressors differ from version to version."""
    try:
        if data[:2] == b"\x1f\x8b":
            return gzip.decompress(data)
        return lzma.decompress(data) if name.endswith(".xz") else data
    except (EOFError, lzma.LZMAError):
        return b""


# What is written once, by hand: no part of it comes out of a capture.
HAND_WRITTEN = {"clearance.toml"}


def check(made):
    there = {str(path.relative_to(HOME)) for path in HOME.rglob("*") if path.is_file() and not path.name.endswith(".alerts.jsonl")}
    wrong = sorted((there - HAND_WRITTEN) ^ made.keys())
    for name in sorted(there & made.keys()):
        data = (HOME / name).read_bytes()
        if data != made[name] and content(name, data) != content(name, made[name]):
            wrong.append(name)
    for name in wrong:
        print(f"differs: fixtures/{name}", file=sys.stderr)
    return 1 if wrong else 0


def main():
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--check", action="store_true")
    args = ask.parse_args()
    made = build()
    if args.check:
        return check(made)
    (HOME / "pcaps").mkdir(parents=True, exist_ok=True)
    for path in (HOME / "pcaps").iterdir():
        if f"pcaps/{path.name}" not in made and not path.name.endswith(".alerts.jsonl"):
            path.unlink()
    for name, data in made.items():
        (HOME / name).parent.mkdir(exist_ok=True)
        (HOME / name).write_bytes(data)
    print(f"{len(flows.CASES)} captures, {sum(map(len, made.values()))} bytes")
    print(f"ja3 {tls.EVIL.ja3()}\nja4 {tls.EVIL.ja4()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""Times loading and compiling feeds at full scale with whole commands: CPU (user + system) and peak memory of the process.

    feed_bench.py [--rounds N] [--shared FOLDER] [--csv FILE] BINARY..

Each BINARY loads each feed once in a round, so that a machine's moods fall on all alike; figures are medians, the least in brackets. The
feeds are made out of real values (../shared/feeds; names of benches/feed.rs if it is not there). `picket feed stats` loads and
compiles; `picket feed check` loads and judges. Standard library only.
"""
import argparse
import csv
import datetime
import gzip
import json
import os
import pathlib
import platform
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MASK = (1 << 64) - 1
PREFIXES = ["", "www.", "mail.", "ns1.", "cdn.", "api.", "login.", "update.", "m."]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binaries", nargs="+", metavar="BINARY")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--shared", type=pathlib.Path, default=ROOT.parent / "shared")
    parser.add_argument("--csv", type=pathlib.Path, help="append rows to this file")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(args, make(pathlib.Path(folder), args.shared / "feeds"))


def measure(args, feeds):
    rows = []
    for name, command, path, entries in feeds:
        taken = {binary: [] for binary in args.binaries}
        for _ in range(args.rounds):
            for binary in args.binaries:
                taken[binary].append(run([binary, "feed", command, str(path), "--format", "json"]))
        for binary, runs in taken.items():
            cpu, wall, peak = (statistics.median(run[at] for run in runs) for at in range(3))
            print(f"{name:28} feed {command:6} {binary:32} {cpu:6.2f} s CPU ({min(run[0] for run in runs):.2f})  {wall:6.2f} s wall  {peak:5.0f} MiB",
                  flush=True)
            rows.append([name, f"picket feed {command}", binary, entries, processor(), f"{cpu:.3f}", f"{min(run[0] for run in runs):.3f}",
                         f"{wall:.3f}", f"{peak:.0f}", args.rounds, datetime.date.today().isoformat()])
    if args.csv:
        is_new = not args.csv.exists()
        with args.csv.open("a", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            if is_new:
                writer.writerow("feed,tool,binary,entries,cpu,cpu_s,least_cpu_s,wall_s,peak_mib,rounds,date".split(","))
            writer.writerows(rows)


def run(command):
    """(CPU seconds, wall seconds, peak MiB) of a child."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{command}: {status}")
    return usage.ru_utime + usage.ru_stime, time.monotonic() - start, usage.ru_maxrss / 1024


def make(folder, shared):
    """(name, command, path, entries) of each feed."""
    values = list(real(shared) if shared.is_dir() else made(1_460_000))
    names = [value for value in values if not value[0].isdigit() or value[-1].isalpha()]
    yield "plain", "stats", write(folder / "plain.txt", values), len(values)
    for number, (name, document) in enumerate([("native", short), ("native, ids and remarks", long), ("native, all different", different)]):
        path = folder / f"native{number}.jsonl"
        yield name, "stats", write(path, (json.dumps(document(at, value)) for at, value in enumerate(values))), len(values)
        path.unlink()
    million = (prefix + name for prefix in PREFIXES for name in names)
    yield "1 M names", "check", write(folder / "million.txt", (next(million) for _ in range(1_000_000))), 1_000_000
    yield "STIX", "stats", stix(folder / "stix.json", 100_000), 100_000
    many = (prefix + name for prefix in PREFIXES for name in names)
    yield "10 M names", "stats", write(folder / "many.txt", (next(many) for _ in range(10_000_000))), 10_000_000
    yield "10 M names, made", "stats", write(folder / "made.txt", (name_of(at) for at in range(10_000_000))), 10_000_000


def write(path, lines):
    with path.open("w") as out:
        out.writelines(line + "\n" for line in lines)
    return path


def real(shared):
    for name in ("names", "address-ports", "addresses"):
        with gzip.open(shared / f"{name}.txt.gz", "rt") as lines:
            yield from map(str.strip, lines)


def made(count):
    for at in range(count):
        yield name_of(at) if at % 4 else f"45.{at >> 16 & 255}.{at >> 8 & 255}.{at & 255}:443"


def name_of(number):
    """As benches/feed.rs makes them."""
    word = number * 0x9E37_79B9_7F4A_7C15 & MASK
    return f"{['mail.', '', 'cdn-', 'www.'][word >> 62]}{number:x}.{['test', 'example'][word >> 61 & 1]}"


def value_of(value):
    if value[0].isdigit() and not value[-1].isalpha():
        address, _, port = value.partition(":")
        return {"type": "ipv4-addr", "ip": address, **({"port": int(port)} if port else {})}
    return {"type": "domain-name", "name": value}


def short(_, value):
    return {"threat": {"indicator": {**value_of(value), "provider": "Example feed", "marking": {"tlp": "AMBER"}}}}


def long(at, value):
    more = {"id": [f"ind-{at}"], "provider": "Example feed", "confidence": "High", "first_seen": "2024-01-01T00:00:00Z",
            "reference": f"https://feed.example/{at // 1000}", "marking": {"tlp": "AMBER", "tlp_version": "2.0"}}
    return {"threat": {"indicator": {**value_of(value), **more}}, "picket": {"severity": 50, "pap": "GREEN"}}


def different(at, value):
    more = {"id": [f"ind-{at}"], "provider": "Example feed", "confidence": "High", "marking": {"tlp": "AMBER"},
            "first_seen": f"2024-01-01T{at // 3600 % 24:02}:{at // 60 % 60:02}:{at % 60:02}Z",
            "description": f"Seen by sensor {at} as command and control", "reference": f"https://feed.example/{at}"}
    return {"threat": {"indicator": {**value_of(value), **more}}, "tags": [f"malware_{at % 50}"]}


def stix(path, count):
    """As benches/stix.rs makes it."""
    green = "marking-definition--bab4a63c-aed9-4cf5-a766-dfca5abac2bb"

    def one(at):
        def head(kind):
            stamp = "2024-01-01T00:00:00.000Z"
            return {"type": kind, "spec_version": "2.1", "id": f"{kind}--00000000-0000-4000-8000-{at:012}", "created": stamp, "modified": stamp}

        place = at % 10
        if place == 8:
            return {**head("malware"), "name": f"rat {at}", "is_family": True}
        if place == 9:
            ends = {"source_ref": f"indicator--00000000-0000-4000-8000-{at - 9:012}", "target_ref": f"malware--00000000-0000-4000-8000-{at - 1:012}"}
            return {**head("relationship"), "relationship_type": "indicates", **ends}
        pattern = (f"[domain-name:value = 'h{at}.example.org']" if place < 4 else
                   f"[ipv4-addr:value = '198.{at >> 16 & 255}.{at >> 8 & 255}.{at & 255}']" if place < 6 else
                   f"[url:value = 'http://h{at}.example.org/a/{at}']" if place == 6 else f"[file:hashes.'SHA-256' = '{at:064x}']")
        return {**head("indicator"), "name": f"indicator {at}", "description": "what is known of it", "indicator_types": ["malicious-activity"],
                "pattern": pattern, "pattern_type": "stix", "valid_from": "2024-01-01T00:00:00Z", "confidence": 85, "object_marking_refs": [green]}

    with path.open("w") as out:
        out.write('{"type":"bundle","id":"bundle--00000000-0000-4000-8000-000000000000","objects":[\n')
        out.write(",\n".join(json.dumps(one(at), separators=(",", ":")) for at in range(count)))
        out.write("\n]}\n")
    return path


def processor():
    text = pathlib.Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""
    return next((line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name")), platform.machine())


if __name__ == "__main__":
    main()

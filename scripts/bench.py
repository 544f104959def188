"""What scripts/bench.sh runs; its head says how to use it.

Every command of a round runs once before the next round begins, so that a machine's moods fall on all of them alike. Figures are
medians. CPU is user + system time of the child and its threads, memory the child's peak resident set (both from wait4). "after
load" is CPU less the median CPU of Picket on a capture without frames, with the same feeds and threads. Slow tools run once. Memory below that of
python3 itself (some 16 MiB) cannot be told: the child starts as its copy. Pages of a mapped capture count as memory. The capture is in
the page cache, as one reading from the disk leaves it.
"""
import argparse
import csv
import datetime
import os
import pathlib
import platform
import shutil
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
FILTER = "net 203.0.113.0/24"
SLOW_SECONDS = 1800
FLOOD_FLOWS = 4_000_000
FLOOD_BASE = 500_000
COLUMNS = ["tool", "cpu_s", "after_load_s", "ns_per_packet", "wall_s", "peak_mib", "hits", "rounds"]


class Tool:
    """One command. `hits` counts what it found in its scratch folder; `base`: whose CPU is its load time; `capture`: not that."""

    def __init__(self, name, command, slow=False, hits=None):
        self.name, self.command, self.slow, self.hits = name, command, slow, hits
        self.base, self.capture = None, True
        self.runs, self.found, self.failed = [], None, None

    def run(self, timeout):
        with tempfile.TemporaryDirectory(prefix="picket-bench-") as scratch:
            start = time.monotonic()
            with open(os.path.join(scratch, "err"), "wb") as err:
                child = subprocess.Popen(self.command(scratch), cwd=scratch, stdout=subprocess.DEVNULL, stderr=err, stdin=subprocess.DEVNULL)
            usage, status = wait(child, timeout)
            wall = time.monotonic() - start
            if usage is None:
                self.failed = f"no end in {timeout} s"
            elif status:
                text = pathlib.Path(scratch, "err").read_text(errors="replace").strip().splitlines()
                self.failed = f"status {status}: {text[-1][:90] if text else ''}"
            else:
                self.runs.append((usage.ru_utime + usage.ru_stime, wall, usage.ru_maxrss / 1024))
                self.found = self.hits(scratch) if self.hits else None

    def median(self, column):
        return statistics.median(run[column] for run in self.runs)


def wait(child, timeout):
    """Resource usage and exit status; (None, None) when it had to be ended."""
    deadline = time.monotonic() + timeout
    while True:
        pid, status, usage = os.wait4(child.pid, os.WNOHANG)
        if pid:
            child.returncode = os.waitstatus_to_exitcode(status)
            return usage, child.returncode
        if time.monotonic() > deadline:
            child.send_signal(signal.SIGKILL)
            os.wait4(child.pid, 0)
            child.returncode = -signal.SIGKILL
            return None, None
        time.sleep(0.002)


def lines(scratch):
    path = os.path.join(scratch, "alerts.jsonl")
    with open(path, "rb") as out:
        return sum(1 for _ in out)


def picket(args, feeds, threads, capture, name):
    def command(scratch):
        head = [args.picket, "replay", *(word for feed in feeds for word in ("--feed", feed)), "--threads", str(threads)]
        head += ["--protocols", args.protocols] if args.protocols else []
        return head + ["--alerts", os.path.join(scratch, "alerts.jsonl"), "--summary", os.path.join(scratch, "summary.json"), capture]
    return Tool(name, command, hits=lines)


def tools(args, feeds, capture, empty):
    out = []
    for count in args.threads:
        load = picket(args, feeds, count, empty, f"{args.name} load, {count} threads")
        load.capture = False
        replay = picket(args, feeds, count, capture, f"{args.name}, {count} threads")
        replay.base = load.name
        out += [load, replay]
    others = [
        Tool("tcpdump", lambda s: ["tcpdump", "-r", capture, "-w", "/dev/null", FILTER]),
        Tool("ndpiReader", lambda s: ["ndpiReader", "-i", capture, "-q"], slow=True),
        Tool("maltrail-sensor", lambda s: ["maltrail-sensor", "-r", capture, "-q"], slow=True),
        Tool("tshark", lambda s: ["tshark", "-r", capture, "-w", "/dev/null", "-Y", "ip.addr == 203.0.113.0/24"], slow=True),
        Tool("suricata", lambda s: ["suricata", "-r", capture, "-l", s, "--runmode", "single", "-S", "/dev/null"], slow=True),
        Tool("zeek", lambda s: ["zeek", "-C", "-r", capture], slow=True),
    ]
    for tool in others:
        if not shutil.which(tool.name):
            print(f"not on PATH: {tool.name}", file=sys.stderr)
        elif not (args.quick and tool.slow):
            out.append(tool)
    return out


def generated_feed(folder):
    """1.16 million names, 280,000 address:port and 22,700 addresses, none of which a capture has: class E and .invalid."""
    path = folder / "generated-feed.txt"
    if not path.exists():
        with path.open("w") as out:
            for n in range(1_160_000):
                mixed = n * 0x9E3779B97F4A7C15 & 0xFFFFFFFFFFFFFFFF
                out.write(f"{mixed >> 36:x}.{'www cdn mail api ns1'.split()[n % 5]}{mixed & 0xFFFF:x}.bench.invalid\n")
            for n in range(22_700):
                out.write(f"240.0.{n >> 8}.{n & 255}\n")
            for n in range(280_000):
                out.write(f"240.{1 + (n >> 16)}.{n >> 8 & 255}.{n & 255}:{1024 + n % 9973}\n")
    return str(path)


def read_anew(path):
    """Has the page cache hold a capture as it does once it was read from the disk, in large pieces where the kernel has them. As it was
    written, or read here and there, it may lie in pages of 4 KiB, and reading it costs more than twice as much."""
    with open(path, "rb") as capture:
        if hasattr(os, "posix_fadvise"):
            os.fsync(capture.fileno())
            os.posix_fadvise(capture.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        while capture.read(1 << 24):
            pass


def packets(path):
    """Frames in an uncompressed capture, or None."""
    with open(path, "rb") as capture:
        magic = capture.read(4)
        order = {b"\xd4\xc3\xb2\xa1": "<", b"\x4d\x3c\xb2\xa1": "<", b"\xa1\xb2\xc3\xd4": ">", b"\xa1\xb2\x3c\x4d": ">"}.get(magic)
        if order is None:
            return None
        capture.seek(24)
        data, at, count, length = b"", 0, 0, struct.Struct(order + "I")
        while more := capture.read(1 << 24):
            data, at = data[at:] + more, max(0, at - len(data))
            while at + 16 <= len(data):
                at += 16 + length.unpack_from(data, at + 8)[0]
                count += 1
        return count


def measure(todo, rounds):
    for round_ in range(rounds):
        for tool in todo:
            if tool.failed or (tool.slow and round_):
                continue
            print(f"round {round_ + 1}/{rounds}: {tool.name}   ", end="\r", file=sys.stderr, flush=True)
            tool.run(SLOW_SECONDS)
    print(" " * 60, end="\r", file=sys.stderr)


def rows(todo, count):
    by_name = {tool.name: tool for tool in todo}
    for tool in todo:
        if tool.failed:
            yield [tool.name, f"failed: {tool.failed}"] + [""] * (len(COLUMNS) - 2)
            continue
        cpu, load = tool.median(0), by_name[tool.base].median(0) if tool.base and by_name[tool.base].runs else 0.0
        each = f"{(cpu - load) * 1e9 / count:.1f}" if count and tool.capture else ""
        after = f"{cpu - load:.3f}" if tool.capture else ""
        found = "" if tool.found is None else str(tool.found)
        yield [tool.name, f"{cpu:.3f}", after, each, f"{tool.median(1):.3f}", f"{tool.median(2):.0f}", found, str(len(tool.runs))]


def show(table):
    widths = [max(len(row[i]) for row in [COLUMNS, *table] if i == 0 or not row[1].startswith("failed")) for i in range(len(COLUMNS))]
    for row in [COLUMNS, *table]:
        print("  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))).rstrip())


def record(table, capture, feeds):
    """Appends to benches/record/<arch>/<date>.csv."""
    path = ROOT / "benches" / "record" / platform.machine() / f"{datetime.date.today()}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    is_new = not path.exists()
    with path.open("a", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        if is_new:
            writer.writerow(["capture", "feeds", "cpu", *COLUMNS])
        for row in table:
            writer.writerow([capture, feeds, processor(), *row])
    print(f"recorded in {path.relative_to(ROOT)}")


def processor():
    try:
        text = pathlib.Path("/proc/cpuinfo").read_text()
        return next(line.split(":", 1)[1].strip() for line in text.splitlines() if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def bench(capture, feeds, args, empty, label=None):
    todo = tools(args, feeds, str(pathlib.Path(capture).resolve()), empty)
    read_anew(capture)
    count = packets(capture)
    measure(todo, args.rounds)
    table = list(rows(todo, count))
    name = label or pathlib.Path(capture).name
    print(f"\n{name}: {count or '?'} packets, {os.path.getsize(capture)} bytes; medians, CPU = user + system, measured by python3 wait4")
    show(table)
    if not args.no_record:
        record(table, name, " ".join(pathlib.Path(feed).name for feed in feeds))
    return {tool.name: tool for tool in todo}, count


def flood(args, feeds, empty, folder):
    """A flood of N flows against its first part: what a packet costs, and that memory stays."""
    sys.path.insert(0, str(ROOT / "scripts"))
    import flood as generator
    args.quick, results = True, []
    for flows in (min(FLOOD_BASE, args.flood), args.flood):
        path = folder / f"flood-{flows}.pcap"
        if not path.exists():
            generator.write(path, flows)
        results.append(bench(path, feeds, args, empty, f"SYN flood of {flows} flows"))
    for count in args.threads:
        (small, few), (large, many) = [(found[f"{args.name}, {count} threads"], n) for found, n in results]
        if small.runs and large.runs:
            each = (large.median(0) - small.median(0)) * 1e9 / max(many - few, 1)
            print(f"{count} threads: {each:.0f} ns a packet beyond the first {few}; "
                  f"peak {small.median(2):.0f} MiB, then {large.median(2):.0f} MiB")


def arguments():
    ask = argparse.ArgumentParser(prog="bench.sh", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("words", nargs="*", metavar="CAPTURE FEED")
    ask.add_argument("--rounds", type=int, default=5)
    ask.add_argument("--threads", default="1,2", type=lambda text: [int(word) for word in text.split(",")])
    ask.add_argument("--flood", nargs="?", type=int, const=FLOOD_FLOWS)
    ask.add_argument("--picket", default=str(ROOT / "target/release/picket"))
    ask.add_argument("--name", default="picket", help="what its rows are called")
    ask.add_argument("--protocols", help="the only ones that picket is to parse")
    for flag in ("--quick", "--no-record"):
        ask.add_argument(flag, action="store_true")
    args = ask.parse_args()
    if args.flood is None and not args.words:
        ask.error("which capture?")
    return args


def main():
    args = arguments()
    args.picket = str(pathlib.Path(args.picket).resolve())
    args.name += f" --protocols {args.protocols}" if args.protocols else ""
    folder = pathlib.Path(tempfile.gettempdir()) / "picket-bench"
    folder.mkdir(exist_ok=True)
    feeds = args.words if args.flood is not None else args.words[1:]
    feeds = [str(pathlib.Path(feed).resolve()) for feed in feeds] or [generated_feed(folder)]
    empty = folder / "empty.pcap"
    empty.write_bytes(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1))
    if args.flood is not None:
        flood(args, feeds, str(empty), folder)
    else:
        bench(args.words[0], feeds, args, str(empty))


if __name__ == "__main__":
    main()

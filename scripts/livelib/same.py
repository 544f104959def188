"""Acceptance 1: what a replay finds, a live run finds: the same alerts but for time and frame, with 1, 2 and 4 workers."""
import collections
import importlib.util
import json
import os
import pathlib
import subprocess
import tempfile

from . import frames as f
from .sensor import PICKET, ROOT, Sensor, alerts, replay_into

# Frames a second: slow enough that nothing is dropped on a busy machine.
RATE = int(os.environ.get("SAME_RATE", "20000"))


def fixtures(folder):
    """The fixtures' feed, valid at any time, and their captures."""
    feed = folder / "feed.jsonl"
    with feed.open("w") as out:
        for line in (ROOT / "fixtures/feed.jsonl").read_text().splitlines():
            entry = json.loads(line)
            for field in ("valid_from", "valid_until"):
                entry.get("picket", {}).pop(field, None)
            out.write(json.dumps(entry) + "\n")
    return feed, sorted(path for path in (ROOT / "fixtures/pcaps").iterdir() if ".pcap" in path.name)


def captures(folder, home):
    """Everything that tshark sees in the real captures as one feed, and the captures. `home` has its own check.py."""
    spec = importlib.util.spec_from_file_location("check", home / "check.py")
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    known, feed = {}, folder / "feed.jsonl"
    with feed.open("w") as out:
        for truth in sorted((home / "truth").glob("*.jsonl")):
            for line in truth.read_text().splitlines():
                row = json.loads(line)
                entry = check.indicator(row, len(known)) if not row.get("ambiguous") else None
                key = (row["type"], row["value"], row.get("l4"))
                if entry and key not in known:
                    known[key] = True
                    out.write(json.dumps(entry, ensure_ascii=False) + "\n")
    return feed, sorted((home / "pcaps").iterdir())


def about(found):
    """What alerts are about, and how many there are of each."""
    count = collections.Counter()
    for alert in found:
        matched = alert["threat"]["enrichments"][0]["matched"]
        count[" ".join([matched["id"], matched["field"], matched.get("atomic", "")[:200], alert.get("network", {}).get("community_id", "-")])] += 1
    return count


def other_ends(what):
    """The same of the flow's other end."""
    for one, other in (("source.", "destination."), ("destination.", "source."), ("client.", "server."), ("server.", "client.")):
        yield what.replace(f" {one}", f" {other}", 1)


def replayed(feed, capture, folder):
    out = folder / "replay.jsonl"
    subprocess.run([PICKET, "replay", "-q", "--force", "--threads", "1", "--format", "ecs", "--alerts", out, "--feed", feed, capture], check=True)
    return about(alerts(out))


def live(feed, capture, workers, spread, rate):
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        sensor = Sensor(folder, "-i", "rx0", "--feed", feed, "--force", "--threads", workers, *spread_option(spread), "--repeat-window", 0,
                        "--alerts", folder / "alerts.jsonl", "--format", "ecs", "--summary", folder / "summary.json")
        packets, _ = replay_into(capture, f"--pps={rate}")
        sensor.end()
        summary = json.loads((folder / "summary.json").read_text())
        return packets, about(alerts(folder / "alerts.jsonl")), summary


def spread_option(spread):
    return () if spread == "flows" else ("--spread", spread)


def compare(name, feed, paths, folder, cases):
    sendable, skipped = f.sendable(paths)
    left_out = ", ".join(f"{count} {why}" for why, count in sorted(skipped.items())) or "none"
    print(f"{name}: {len(paths)} captures, {len(sendable)} frames; left out: {left_out}", flush=True)
    whole = [frame for frame in sendable if not f.is_piece(frame)]
    failed, expected = False, {}
    for workers, spread in cases:
        # The kernel puts IPv4 pieces together for a fanout by flow: fewer frames come, by rules of its own.
        is_flows = spread == "flows" and workers > 1
        chosen, kind = (whole, "whole") if is_flows else (sendable, "all")
        capture = folder / f"{name}-{kind}.pcap"
        if kind not in expected:
            f.write(capture, chosen, RATE)
            expected[kind] = replayed(feed, capture, folder)
        for rate in (RATE, RATE // 2, RATE // 4):
            packets, found, summary = live(feed, capture, workers, spread, rate)
            losses = summary["live"]
            lost = losses["kernel_dropped"] + losses["interface_dropped"] + losses["ring_freezes"]
            # A worker that is behind leaves bulk out, and says so.
            shed = sum(line["count"] for line in summary["not_inspected"] if line["reason"].startswith("overload"))
            if not lost and not shed:
                break
        shares = summary["live"]["frames_by_worker"]
        missing, more = expected[kind] - found, collections.Counter({what: count for what, count in found.items() if what not in expected[kind]})
        # What encloses a flow (a tunnel, MPLS) decides whose its packets are, so packets of one flow may be two workers', and each takes the
        # first that it gets for the beginning: an alert for each, or the other end's field.
        turned = [what for what in more if workers > 1 and any(of != what and of in expected[kind] for of in other_ends(what))]
        for what in turned:
            del more[what]
        again = sum((found - expected[kind] - more).values())
        is_well = not lost and not shed and packets == len(chosen) == summary["frames"] and all(shares) and not missing and not more and (not again or workers > 1)
        failed |= not is_well
        print(f"{'ok' if is_well else 'FAILED'}: {name}, {workers} workers by {spread}: {len(chosen)} frames sent, {summary['frames']} seen, shares {shares}, "
              f"lost {lost}, left out under load {shed}, {rate} a second; alerts {sum(expected[kind].values())} replayed, {sum(found.values())} live, {sum(missing.values())} missing, "
              f"{sum(more.values())} that no replay has, {again} again by another worker, {len(turned)} of them by the flow's other end"
              + (f" ({len(sendable) - len(whole)} pieces of datagrams left out)" if is_flows else ""), flush=True)
        for sign, differing in (("-", missing), ("+", more)):
            for what, count in sorted(differing.items())[:int(os.environ.get("SHOW", "12"))]:
                print(f"   {sign} {count} {what}")
    return not failed


def main(net, options):
    is_short = "short" in options
    cases = [(1, "flows"), (2, "flows"), (4, "flows")] + ([] if is_short else [(2, "hosts"), (4, "hosts")])
    homes = [pathlib.Path(options["captures"])] if "captures" in options else [ROOT.parent / "shared/captures", ROOT.parent.parent / "shared/captures"]
    home = next((path for path in homes if (path / "check.py").exists()), None)
    well = True
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        feed, paths = fixtures(folder)
        well &= compare("fixtures", feed, paths, folder, cases)
        if is_short:
            return well
        if not home:
            print("SKIPPED: no real captures here (captures=FOLDER)")
            return well
        feed, paths = captures(folder, home)
        well &= compare("captures", feed, paths, folder, cases)
    return well

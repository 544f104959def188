"""Acceptance 2: packets at rising rates, with 1.46 million entries, with and without a reload a second."""
import csv
import json
import os
import pathlib
import tempfile
import threading
import time

from .sensor import PICKET, Sensor, alerts, replay_into, run
from .traffic import generated_feed, prepare

COLUMNS = ["asked_pps", "sent_pps", "reloads", "seconds", "sent", "received", "lost_kernel", "lost_interface", "ring_freezes", "unseen", "cpu_s", "worker_cpu_s",
           "alerts_expected", "alerts", "alerts_lost", "shed", "reloads_done"]


def measure(folder, capture, feeds, expected, rate, reloads, options):
    workers = int(options.get("workers", 1))
    with tempfile.TemporaryDirectory(dir=folder) as here:
        here = pathlib.Path(here)
        (here / "run").mkdir()
        words = [word for feed in feeds for word in ("--feed", feed)]
        cpus = ["--cpus", options["cpus"]] if options.get("cpus") else []
        sensor = Sensor(here, "-i", "rx0", *words, "--threads", workers, *cpus, "--repeat-window", 0, "--alerts", here / "alerts.jsonl", "--format", "ecs",
                        "--summary", here / "summary.json", "--socket", here / "run/control.sock")
        done, stop = [], threading.Event()

        def reload():
            while not stop.wait(max(0, 1 - (time.monotonic() - at[0]))):
                at[0] = time.monotonic()
                done.append(sensor.ask("reload")[0])

        at = [time.monotonic() - 1]
        thread = threading.Thread(target=reload)
        before, before_threads = sensor.cpu_seconds(), sensor.thread_cpu()
        if reloads:
            thread.start()
        pace = ["--topspeed"] if rate == 0 else [f"--pps={rate}"]
        sent, seconds = replay_into(capture, *pace, *(["--preload-pcap"] if rate == 0 else []))
        stop.set()
        if reloads:
            thread.join()
        time.sleep(1.5)
        cpu, threads = sensor.cpu_seconds() - before, sensor.thread_cpu()
        sensor.end()
        summary = json.loads((here / "summary.json").read_text())
        live = summary["live"]
        found = len(alerts(here / "alerts.jsonl"))
        shed = sum(line["count"] for line in summary["not_inspected"] if line["reason"].startswith("overload"))
        worker_cpu = sum(threads[name] - before_threads.get(name, 0) for name in threads if name.startswith("worker"))
        return dict(asked_pps=rate or "top", sent_pps=round(sent / seconds), reloads="yes" if reloads else "no", seconds=round(seconds, 1), sent=sent,
                    received=summary["frames"], lost_kernel=live["kernel_dropped"], lost_interface=live["interface_dropped"], ring_freezes=live["ring_freezes"],
                    unseen=sent - summary["frames"], cpu_s=round(cpu, 2), worker_cpu_s=round(worker_cpu, 2), alerts_expected=expected, alerts=found,
                    alerts_lost=max(0, expected - found), shed=shed, reloads_done=done.count(0))


def main(_, options):
    seconds = float(options.get("seconds", 6))
    rates = [int(rate) for rate in options.get("rates", "25000,50000,100000,200000,400000,0").split(",")]
    ways = {"yes": [True], "no": [False], "both": [False, True]}[options.get("reload", "both")]
    rows = []
    with tempfile.TemporaryDirectory(dir=options.get("folder")) as folder:
        folder = pathlib.Path(folder)
        big = generated_feed(folder)
        for rate in rates:
            count = int((rate or int(options.get("top", 1_500_000))) * seconds)
            capture, packets, feed = prepare(folder, options, count, rate or 400_000)
            out = folder / "replay.jsonl"
            run(PICKET, "replay", "-q", "--threads", 1, "--format", "ecs", "--alerts", out, "--feed", feed, capture)
            expected = len(alerts(out))
            for reloads in ways:
                row = measure(folder, capture, [big, feed], expected, rate, reloads, options)
                rows.append(row)
                print(", ".join(f"{name} {row[name]}" for name in COLUMNS), flush=True)
    if options.get("record"):
        path = pathlib.Path(options["record"])
        is_new = not path.exists()
        with path.open("a", newline="") as out:
            table = csv.DictWriter(out, COLUMNS)
            if is_new:
                table.writeheader()
            table.writerows(rows)
    for name in ("no", "yes"):
        clean = [row["sent_pps"] for row in rows if row["reloads"] == name and not row["unseen"]]
        print(f"reloads {name}: highest rate without loss: {max(clean, default=0)} packets/s")
    return True

"""Acceptance 3: minutes of traffic while everything around the sensor goes wrong: memory stays, files do not leak, every alert arrives or is counted."""
import csv
import pathlib
import shutil
import signal
import statistics
import subprocess
import tempfile
import threading
import time

from . import plan
from .peers import ID, Nats, Webhook
from .sensor import Net, Sensor, replay_into, run
from .traffic import generated_feed, prepare

HOOK_PORT, NATS_PORT = 18_080, 18_422
SAMPLE_S = 5
# Bytes of the small file system that an output and the spools are on.
SMALL_MIB = 512
COLUMNS = ["second", "rss_kib", "anon_kib", "files", "threads", "packets", "kernel_dropped", "alerts", "reloads", "refused", "queued", "outputs_down"]


class Trouble:
    """What is done to the sensor, by second of the run. Each is a thread's whole work, so that none waits for another."""

    def __init__(self, sensor, config, feeds, small, hook, nats, minutes):
        self.sensor, self.config, self.feeds, self.small, self.hook, self.nats = sensor, config, feeds, small, hook, nats
        self.end = time.monotonic() + minutes * 60
        self.counts, self.lock = {}, threading.Lock()

    def start(self):
        # Every so many seconds, the first time after so many.
        for act, every, first in ((self.reload, 10, 7), (self.touch, 30, 15), (self.outputs, 60, 25), (self.link, 120, 50), (self.nats_away, 180, 70), (self.hook_away, 180, 100),
                                  (self.storm, 150, 120), (self.full, 300, 150)):
            threading.Thread(target=self.repeat, args=(act, every, first), daemon=True).start()

    def repeat(self, act, every, first):
        time.sleep(first)
        while time.monotonic() < self.end - 60:
            start = time.monotonic()
            act()
            with self.lock:
                self.counts[act.__name__] = self.counts.get(act.__name__, 0) + 1
            time.sleep(max(0, every - (time.monotonic() - start)))

    def reload(self):
        code, said = self.sensor.ask("reload")
        if code:
            print(f"   reload: {said.strip()[:300]}", flush=True)

    def touch(self):
        """A feed is replaced by the same, as a download does."""
        feed = self.feeds[-1]
        beside = feed.with_name(".new")
        shutil.copyfile(feed, beside)
        beside.chmod(0o644)
        beside.rename(feed)

    def outputs(self):
        """An output more for some seconds, by the configuration's change alone."""
        before = self.config.read_text()
        for text in (f"{before}\n{self.extra}", before):
            beside = self.config.with_name(".new.toml")
            beside.write_text(text)
            beside.chmod(0o644)
            beside.rename(self.config)
            time.sleep(10)

    def link(self):
        Net.link("down")
        time.sleep(3)
        Net.link("up")

    def nats_away(self):
        self.nats.stop()
        time.sleep(40)
        self.nats.start()

    def hook_away(self):
        self.hook.stop()
        time.sleep(40)
        self.hook.start()

    def storm(self):
        for _ in range(200):
            self.sensor.send_signal(signal.SIGHUP)
            time.sleep(0.01)

    def full(self):
        """No byte is left where alerts and spools are."""
        filler = self.small / "filler"
        run("dd", "if=/dev/zero", f"of={filler}", "bs=1M", check=False)
        time.sleep(30)
        filler.unlink()


def sample(sensor, second):
    resident, status = sensor.resident_kib(), sensor.status()
    outputs = status.get("outputs", [])
    return dict(second=round(second), rss_kib=resident["VmRSS"], anon_kib=resident["RssAnon"], files=sensor.open_files(),
                threads=len(list(sensor.proc("task").iterdir())), packets=status.get("traffic", {}).get("packets"),
                kernel_dropped=sum(loss["kernel_dropped"] for loss in status.get("losses", [])), alerts=status.get("alerts", {}).get("raised"),
                reloads=status.get("reload", {}).get("accepted"), refused=status.get("reload", {}).get("refused"),
                queued=sum(output["queued"] for output in outputs), outputs_down=sum(not output["is_up"] for output in outputs))


def main(_, options):
    minutes, rate = float(options.get("minutes", 30)), int(options.get("rate", 50_000))
    well = True
    with tempfile.TemporaryDirectory(dir=options.get("folder")) as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        capture, packets, feed = prepare(folder, options, int(options.get("packets", 500_000)))
        big = generated_feed(folder)
        feeds = folder / "feeds"
        feeds.mkdir()
        own = feeds / f"own{feed.suffix}"
        shutil.copyfile(feed, own)
        own.chmod(0o644)
        data, small = folder / "data", folder / "small"
        for path in (data, small):
            path.mkdir()
        run("mount", "-t", "tmpfs", "-o", f"size={SMALL_MIB}m,mode=0777", "tmpfs", small)
        hook, nats = Webhook(HOOK_PORT), Nats(NATS_PORT, folder / "nats")
        hook.start()
        nats.start()
        sinks = [plan.file_sink("all", data / "alerts/all.jsonl"), plan.file_sink("small", small / "alerts.jsonl"),
                 plan.webhook_sink("hook", HOOK_PORT, small, "64 MiB"), plan.nats_sink("nats", NATS_PORT, small, "64 MiB")]
        # Half of what the sums of repeats would hide is to be delivered, so they are off; flows end soon, so that memory comes to rest.
        config = plan.write(data, [big, feeds], sinks, workers=int(options.get("workers", 1)), more="[suppression]\nenabled = false\n", flows=int(options.get("flows", 100_000)))
        sensor = Sensor(data, "--config", config, "-q", ready=None)
        sensor.wait_for("it answers", lambda: sensor.socket.exists() and sensor.status().get("workers"))
        print(f"{minutes} minutes at {rate} packets/s, {packets} packets again and again with new addresses", flush=True)
        sender = replay_into(capture, f"--pps={rate}", "--pps-multi=50", "--loop=0", "--unique-ip", wait=False)
        start = time.monotonic()
        trouble = Trouble(sensor, config, [big, own], small, hook, nats, minutes)
        trouble.extra = plan.file_sink("extra", data / "alerts/extra.jsonl")
        trouble.start()
        rows, cpu = [], sensor.cpu_seconds()
        path = pathlib.Path(options.get("record", folder / "samples.csv"))
        with path.open("w", newline="") as out:
            table = csv.DictWriter(out, COLUMNS)
            table.writeheader()
            while time.monotonic() < start + minutes * 60:
                if sensor.child.poll() is not None:
                    raise SystemExit(f"the sensor ended: {sensor.child.poll()}\n{sensor.said()[-3000:]}")
                if sender.poll() is not None:
                    sender = replay_into(capture, f"--pps={rate}", "--pps-multi=50", "--loop=0", "--unique-ip", wait=False)
                rows.append(sample(sensor, time.monotonic() - start))
                table.writerow(rows[-1])
                out.flush()
                time.sleep(SAMPLE_S)
        sender.kill()
        sender.wait()
        cpu = sensor.cpu_seconds() - cpu

        def is_drained():
            return all(output["queued"] == 0 and output["is_up"] for output in sensor.status().get("outputs", [{"queued": 1}]))

        sensor.wait_for("everything is delivered", is_drained, 240)
        status = sensor.status()
        said = sensor.said()
        sensor.end()
        outputs = {output["name"]: output for output in status["outputs"]}
        arrived = {"hook": hook.ids, "nats": nats.ids()[0]}
        hook.stop()
        nats.stop()
        for name, file in (("all", data / "alerts/all.jsonl"), ("small", small / "alerts.jsonl"), ("extra", data / "alerts/extra.jsonl")):
            text = file.read_bytes() if file.exists() else b""
            arrived[name] = {found.decode() for found in ID.findall(text)}
            bad = sum(1 for line in text.splitlines() if not (line.startswith(b"{") and line.endswith(b"}")))
            well &= not bad
            print(f"{name}: {len(text)} bytes, {bad} lines damaged")
        alerts = status["alerts"]
        print(f"alerts raised {alerts['raised']}, dropped before any output {alerts['dropped']}, notices {alerts['notices']}")
        print(f"extra: {len(arrived.pop('extra'))} alerts, {said.count('outputs-refused')} times refused")
        for line in said.splitlines():
            if "visibility-gap-began" in line or "output-closed" in line:
                print(f"   {line[:300]}")
        for name, ids in arrived.items():
            output = outputs[name]
            lost = output["accepted"] - len(ids)
            counted = output["dropped"] + output["dead_lettered"]
            is_well = lost <= counted
            well &= is_well
            print(f"{'ok' if is_well else 'FAILED'}: {name}: accepted {output['accepted']}, arrived {len(ids)}, counted as dropped {counted}, retried {output['retried']}, "
                  f"spilled {output['spilled']}, in the end up {output['is_up']}")
        well &= judge(rows, trouble.counts, cpu, minutes)
        if options.get("log"):
            pathlib.Path(options["log"]).write_text(said)
        subprocess.run(["umount", small], check=False)
    return well


def judge(rows, counts, cpu, minutes):
    """Memory and files after warm-up: the first fifth, five minutes at most."""
    warm = min(300, minutes * 60 / 5)
    after = [row for row in rows if row["second"] >= warm]
    third = max(1, len(after) // 4)
    first, last = after[:third], after[-third:]
    well = True
    print(f"troubles: {counts}; CPU {cpu:.0f} s; packets {rows[-1]['packets']}, dropped by the kernel {rows[-1]['kernel_dropped']}, "
          f"reloads {rows[-1]['reloads']}, refused {rows[-1]['refused']}")
    for name, of, most in (("median of resident memory, KiB", lambda part: statistics.median(row["rss_kib"] for row in part), 1.05),
                           ("maximum of resident memory, KiB", lambda part: max(row["rss_kib"] for row in part), 1.05),
                           ("median of open files", lambda part: statistics.median(row["files"] for row in part), 1.0),
                           ("threads, at most", lambda part: max(row["threads"] for row in part), 1.0)):
        was, now = of(first), of(last)
        is_well = now <= was * most + (2 if most == 1.0 else 0)
        well &= is_well
        print(f"{'ok' if is_well else 'FAILED'}: {name}: first quarter after warm-up {was}, last quarter {now} ({(now / was - 1) * 100:+.1f} %)")
    return well

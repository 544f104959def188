"""Acceptance 4: `kill -9` of `picket watch` under load at random moments. What was in the spool arrives, and no file is damaged."""
import gzip
import json
import pathlib
import random
import signal
import struct
import tempfile
import time

from . import plan
from .peers import Nats, Webhook, spooled
from .sensor import Sensor, replay_into
from .traffic import prepare

HOOK_PORT, NATS_PORT = 18_080, 18_422


def main(_, options):
    kills = int(options.get("kills", 3 if "short" in options else 50))
    seed = int(options.get("seed", time.time_ns() % 10**6))
    chance = random.Random(seed)
    print(f"{kills} kills, seed {seed}")
    with tempfile.TemporaryDirectory(dir=options.get("folder")) as folder:
        folder = pathlib.Path(folder)
        folder.chmod(0o755)
        capture, _, feed = prepare(folder, options, 200_000)
        feed.chmod(0o644)
        hook, nats = Webhook(HOOK_PORT), Nats(NATS_PORT, folder / "nats")
        nats.start()
        hook.start()
        data = folder / "data"
        data.mkdir()
        sinks = [plan.webhook_sink("hook", HOOK_PORT, data), plan.nats_sink("nats", NATS_PORT, data),
                 plan.file_sink("file", data / "alerts/alerts.jsonl")]
        more = (f'[suppression]\nenabled = false\n[evidence]\nenabled = true\ndirectory = "{data}/evidence"\ntime_after = "50ms"\n'
                f'[flow_log]\nenabled = true\n[flow_log.file]\npath = "{data}/flows/flows.jsonl"\nrotate_bytes = "1 MiB"\nkeep = 5\n')
        config = plan.write(data, [feed], sinks, workers=2, more=more, flows=20_000)
        accepted, waiting = {"hook": 0, "nats": 0}, {"hook": set(), "nats": set()}
        torn_records = torn_bytes = 0
        for number in range(kills):
            sensor = Sensor(data, "--config", config, "-q", ready=None)
            sensor.wait_for("it answers", lambda: sensor.socket.exists() and sensor.status().get("workers"))
            # Some of the time nobody listens, so that there is a spool to read again.
            is_away = chance.random() < 0.4
            if is_away:
                hook.stop()
                nats.stop()
            # New addresses each time round: every flow is another, and so is every alert.
            sender = replay_into(capture, "--pps=20000", "--loop=0", "--unique-ip", wait=False)
            time.sleep(chance.uniform(0.05, 2.5))
            counted = {output["name"]: output["accepted"] for output in sensor.status().get("outputs", [])}
            time.sleep(chance.uniform(0, 0.3))
            sensor.child.send_signal(signal.SIGKILL)
            sensor.child.wait()
            sender.kill()
            sender.wait()
            for name in accepted:
                accepted[name] += counted.get(name, 0)
                ids, torn = spooled(data / "spool" / name)
                waiting[name] |= ids
                torn_records, torn_bytes = torn_records + (torn > 0), torn_bytes + torn
            if is_away:
                hook.start()
                nats.start()
        sensor = Sensor(data, "--config", config, "-q", ready=None)
        sensor.wait_for("it answers", lambda: sensor.socket.exists() and sensor.status().get("outputs"))

        def is_drained():
            outputs = [output for output in sensor.status()["outputs"] if output["name"] in accepted]
            return len(outputs) == 2 and all(output["queued"] == 0 for output in outputs)

        sensor.wait_for("everything is delivered", is_drained, 180)
        dropped = {output["name"]: output["dropped"] + output["dead_lettered"] for output in sensor.status()["outputs"]}
        sensor.end()
        arrived = {"hook": hook.ids, "nats": nats.ids()[0]}
        hook.stop()
        nats.stop()
        well = True
        for name, ids in arrived.items():
            missing = len(waiting[name] - ids)
            few = accepted[name] > len(ids)
            well &= not missing and not few and not dropped[name]
            print(f"{name}: {len(ids)} alerts arrived, at least {accepted[name]} were accepted before a kill, {len(waiting[name])} were in the spool at a kill, "
                  f"of these {missing} are missing, {dropped[name]} dropped")
        print(f"ends of segments that a kill cut: {torn_records}, {torn_bytes} bytes")
        well &= whole_files(data)
    return well


def whole_files(data):
    """Lines are JSON, captures can be read to their end, compressed files are whole."""
    bad, lines, captures = [], 0, 0
    for path in [*(data / "alerts").iterdir(), *(data / "flows").iterdir()]:
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        for line in text.splitlines():
            lines += 1
            try:
                json.loads(line)
            except ValueError:
                bad.append(f"{path.name}: {line[:60]!r}")
        if text and not text.endswith(b"\n"):
            bad.append(f"{path.name} ends within a line")
    for path in (data / "evidence").rglob("*.pcapng"):
        captures += 1
        if not is_whole(path.read_bytes()):
            bad.append(f"{path.name}: {path.stat().st_size} bytes")
    print(f"{lines} lines and {captures} captures of evidence read, {len(bad)} damaged" + "".join(f"\n   {what}" for what in bad[:10]))
    return not bad


def is_whole(data):
    """Whether a pcapng is blocks to its end, each with the same length in front and behind, and packets among them."""
    at, packets = 0, 0
    while at + 12 <= len(data):
        kind, length = struct.unpack_from("<II", data, at)
        if length < 12 or length % 4 or at + length > len(data) or struct.unpack_from("<I", data, at + length - 4)[0] != length:
            return False
        packets += kind == 6
        at += length
    return at == len(data) and packets > 0

"""Acceptance 5: what a running sensor may still do, by /proc and by calls made in it; started as root, and as a user with two capabilities."""
import pathlib
import tempfile

from . import plan, probe
from .sensor import Sensor, alerts, replay_into, run
from .traffic import prepare

WANTED = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
AF_PACKET, SOCK_RAW, CLONE_NEWNET = 17, 3, 0x40000000


def threads(sensor):
    """What each thread's status says, by name."""
    out = {}
    for task in sensor.proc("task").iterdir():
        fields = dict(line.split(":", 1) for line in (task / "status").read_text().splitlines())
        out[f"{fields['Name'].strip()} {task.name}"] = {name: " ".join(fields[name].split()) for name in WANTED}
    return out


def look(name, sensor, is_unprivileged=True):
    """Whether nothing is left."""
    all_threads, bad = threads(sensor), []
    for thread, fields in all_threads.items():
        caps = [fields[cap] for cap in ("CapInh", "CapPrm", "CapEff", "CapAmb")]
        if any(int(cap, 16) for cap in caps) or fields["NoNewPrivs"] != "1" or fields["Seccomp"] != "2":
            bad.append((thread, fields))
        if is_unprivileged and "0" in fields["Uid"].split():
            bad.append((thread, fields))
    first = next(iter(all_threads.values()))
    print(f"{name}: {len(all_threads)} threads: " + ", ".join(f"{key} {value or '-'}" for key, value in first.items()))
    for thread, fields in bad:
        print(f"   NOT GIVEN UP: {thread}: {fields}")
    answers = {}
    if probe.is_possible():
        for call, arguments in (("getpid", ()), ("socket", (AF_PACKET, SOCK_RAW, 0)), ("execve", (0, 0, 0)), ("ptrace", (0, 0, 0, 0)), ("setuid", (0,)),
                                ("mount", (0, 0, 0, 0, 0)), ("unshare", (CLONE_NEWNET,)), ("bpf", (0, 0, 0)), ("init_module", (0, 0, 0)), ("kill", (1, 0))):
            try:
                answers[call] = probe.call(sensor.pid, call, *arguments)
            except PermissionError as error:
                print(f"   SKIPPED calls made in it: {error}")
                return not bad
        print("   calls made in it: " + ", ".join(f"{call} {answer}" for call, answer in answers.items()))
        # EPERM and nothing else: EFAULT, say, would be the call's own answer to its arguments.
        if answers.pop("getpid") != "ok" or any(answer != "EPERM" for answer in answers.values()):
            bad.append("a call was made")
    return not bad


def main(_, options):
    well = True
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        capture, _, feed = prepare(folder, {})
        folder.chmod(0o755)
        feed.chmod(0o644)

        def works(name, sensor, path):
            nonlocal well
            replay_into(capture, "--pps=20000")
            sensor.wait_for("alerts are written", lambda: path.exists() and len(alerts(path)) > 50)
            code, said = sensor.ask("reload")
            sensor.end()
            print(f"   it works: {len(alerts(path))} alerts, reload {'taken' if code == 0 else 'REFUSED ' + said}")
            well &= code == 0

        for name, user, prefix in (
            ("started as root, becomes nobody", plan.USER, ()),
            ("started as nobody with CAP_NET_RAW and CAP_NET_ADMIN", None,
             ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all,+net_raw,+net_admin", "--ambient-caps=-all,+net_raw,+net_admin",
              "--bounding-set=-all,+net_raw,+net_admin")),
        ):
            here = folder / name.split()[2].strip(",")
            here.mkdir()
            config = plan.write(here, [feed], [plan.file_sink("file", here / "alerts/alerts.jsonl")], workers=2, user=user)
            if not user:
                run("chown", "-R", "65534:65534", here)
            sensor = Sensor(here, "--config", config, prefix=prefix, ready=None)
            sensor.wait_for("it answers", lambda: sensor.socket.exists() and sensor.status().get("workers"))
            well &= look(name, sensor)
            works(name, sensor, here / "alerts/alerts.jsonl")
        here = folder / "flags"
        (here / "run").mkdir(parents=True)
        sensor = Sensor(here, "-i", "rx0", "--feed", feed, "--alerts", here / "alerts.jsonl", "--threads", 2, "--socket", here / "run/control.sock")
        well &= look("by arguments alone, as root", sensor, is_unprivileged=False)
        works("flags", sensor, here / "alerts.jsonl")
    return well

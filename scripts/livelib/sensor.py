"""[`Sensor`]: a `picket watch` that was started, asked and ended; [`Net`]: the interfaces; [`replay_into`]: tcpreplay."""
import json
import os
import pathlib
import re
import signal
import subprocess
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PICKET = os.environ.get("PICKET", str(ROOT / "target/release/picket"))
PATIENCE_S = 90


def run(*command, check=True):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if check and done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}: {done.stderr.strip() or done.stdout.strip()}")
    return done


class Net:
    """Two interfaces joined by a cable: what goes into tx0 comes out of rx0."""

    def __init__(self):
        for folder in ("all", "default"):
            pathlib.Path(f"/proc/sys/net/ipv6/conf/{folder}/disable_ipv6").write_text("1")
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "rx0", "mtu", 65535, "type", "veth", "peer", "name", "tx0", "mtu", 65535)
        for name in ("rx0", "tx0"):
            run("ip", "link", "set", name, "up")

    @staticmethod
    def link(state):
        run("ip", "link", "set", "rx0", state)


def replay_into(capture, *options, wait=True):
    """tcpreplay; the packets that it sent and its seconds, or the process."""
    command = ["tcpreplay", "--no-flow-stats", "-i", "tx0", *map(str, options), str(capture)]
    if os.environ.get("SENDER_CPU"):
        command = ["taskset", "-c", os.environ["SENDER_CPU"], *command]
    if not wait:
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return sent(subprocess.run(command, capture_output=True, text=True))


def sent(done):
    text = done.stdout + done.stderr
    packets = re.search(r"Successful packets:\s+(\d+)", text) or re.search(r"Actual: (\d+) packets", text)
    seconds = re.search(r"sent in ([\d.]+) seconds", text)
    failed = re.search(r"Failed packets:\s+(\d+)", text)
    if not packets or not seconds or (failed and int(failed[1])):
        raise SystemExit(f"tcpreplay: {text[-600:]}")
    return int(packets[1]), float(seconds[1])


class Sensor:
    """`folder` is given to it; arguments are those of `picket watch`."""

    def __init__(self, folder, *arguments, prefix=(), ready="watching"):
        self.folder = pathlib.Path(folder)
        self.said_file = self.folder / "stderr"
        self.socket = self.folder / "run/control.sock"
        with self.said_file.open("ab") as said:
            self.start_at = self.said_file.stat().st_size
            self.child = subprocess.Popen([*prefix, PICKET, "watch", *map(str, arguments)], stdout=subprocess.DEVNULL, stderr=said)
        self.pid = self.child.pid
        if ready:
            self.wait_for("it watches", lambda: ready in self.said())

    def said(self):
        return self.said_file.read_bytes()[self.start_at:].decode(errors="replace")

    def wait_for(self, what, is_so, seconds=PATIENCE_S):
        end = time.monotonic() + seconds
        while not is_so():
            if time.monotonic() > end or self.child.poll() is not None:
                raise SystemExit(f"never: {what}; exit {self.child.poll()}\n{self.said()[-3000:]}")
            time.sleep(0.05)

    def send_signal(self, which):
        os.kill(self.pid, which)

    def ask(self, what):
        done = run(PICKET, what, "--json", "--socket", self.socket, check=False)
        return done.returncode, done.stdout

    def status(self):
        code, text = self.ask("status")
        try:
            return json.loads(text)
        except ValueError:
            return {}

    def proc(self, name):
        return pathlib.Path(f"/proc/{self.pid}/{name}")

    def resident_kib(self):
        fields = dict(line.split(":", 1) for line in self.proc("status").read_text().splitlines() if ":" in line)
        return {name: int(fields[name].split()[0]) for name in ("VmRSS", "RssAnon", "RssShmem", "RssFile")}

    def open_files(self):
        return len(list(self.proc("fd").iterdir()))

    def cpu_seconds(self):
        fields = self.proc("stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def thread_cpu(self):
        """Seconds by name of thread."""
        out = {}
        for task in self.proc("task").iterdir():
            try:
                name, fields = (task / "comm").read_text().strip(), (task / "stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            out[name] = out.get(name, 0) + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        return out

    def end(self, which=signal.SIGTERM, seconds=60):
        self.send_signal(which)
        try:
            code = self.child.wait(seconds)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise SystemExit(f"no end {seconds} s after {which.name}\n{self.said()[-3000:]}")
        if code:
            raise SystemExit(f"exit {code}\n{self.said()[-3000:]}")

    def kill(self):
        self.child.kill()
        self.child.wait()


def records(path):
    """The JSON Lines of a file, whole ones."""
    text = pathlib.Path(path).read_bytes()
    return [json.loads(line) for line in text[:text.rfind(b"\n") + 1].splitlines() if line]


def alerts(path):
    """Alerts alone: not what the sensor says of itself."""
    return [record for record in records(path) if record["event"]["kind"] == "alert"]

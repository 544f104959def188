"""What alerts are delivered to: a webhook and a NATS server, which can be stopped and started; and [`spooled`], what waits for them."""
import http.server
import json
import pathlib
import re
import signal
import socket
import struct
import subprocess
import threading
import time
import zlib

ID = re.compile(rb'"event":\{[^{}]*?"id":"([0-9a-f]+)"')


class Webhook:
    """Takes lines over HTTP and remembers their ids."""

    def __init__(self, port):
        self.port, self.ids, self.records, self.server = port, set(), 0, None
        self.lock = threading.Lock()

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                lines = [line for line in body.splitlines() if line]
                with outer.lock:
                    outer.ids.update(json.loads(line)["event"]["id"] for line in lines)
                    outer.records += len(lines)
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            allow_reuse_address, daemon_threads = True, True

            def __init__(self, *arguments):
                super().__init__(*arguments)
                self.open = set()

            def handle_error(self, *_):
                """The other side was killed: as asked for."""

            def process_request(self, request, address):
                self.open.add(request)
                super().process_request(request, address)

        self.server = Server(("127.0.0.1", self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        """Nobody listens any more, and who is connected is cut off."""
        self.server.shutdown()
        self.server.server_close()
        for request in self.server.open:
            try:
                request.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.server = None


class Nats:
    """nats-server with JetStream."""

    def __init__(self, port, folder):
        self.port, self.folder, self.child = port, folder, None

    def start(self):
        self.folder.mkdir(exist_ok=True)
        settings = self.folder / "settings"
        # It hangs up on who reads a whole stream slower than it is written.
        settings.write_text('max_pending: 2GB\nwrite_deadline: "120s"\n')
        command = ["nats-server", "-c", str(settings), "-js", "-a", "127.0.0.1", "-p", str(self.port), "-sd", str(self.folder)]
        self.child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port)

    def stop(self, which=signal.SIGKILL):
        self.child.send_signal(which)
        self.child.wait()

    def ids(self):
        """Of everything in the stream, and how many messages there are."""
        with socket.create_connection(("127.0.0.1", self.port), 10) as wire:
            wire.settimeout(20)
            stream = wire.makefile("rb")
            stream.readline()
            create = json.dumps({"stream_name": "PICKET", "config": {"deliver_subject": "inbox", "deliver_policy": "all", "ack_policy": "none"}}).encode()
            wire.sendall(b'CONNECT {"verbose":false}\r\nSUB inbox 1\r\nSUB reply 2\r\nPUB $JS.API.CONSUMER.CREATE.PICKET reply %d\r\n%s\r\n' % (len(create), create))
            ids, messages, wanted = set(), 0, None
            while wanted is None or messages < wanted:
                line = stream.readline()
                if line.startswith(b"PING"):
                    wire.sendall(b"PONG\r\n")
                elif line.startswith((b"MSG", b"HMSG")):
                    words = line.split()
                    size = int(words[-1])
                    body = stream.read(size + 2)[:size]
                    if words[1] == b"reply":
                        answer = json.loads(body)
                        if "error" in answer:
                            raise SystemExit(f"nats: {answer['error']}")
                        wanted = answer["num_pending"]
                    else:
                        messages += 1
                        ids.update(found.decode() for found in ID.findall(body))
                elif not line:
                    raise SystemExit("nats: the connection ended")
            return ids, messages


def wait_for_port(port):
    end = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise SystemExit(f"nobody listens at port {port}")
            time.sleep(0.05)


def spooled(folder):
    """The ids of whole records in a spool, and how many bytes behind the last whole record of a file are none.

    The format is told in src/sink/spool/segment.rs.
    """
    ids, torn = set(), 0
    for path in sorted(pathlib.Path(folder).glob("*")):
        data = path.read_bytes() if path.is_file() else b""
        if data[:8] != b"PICKETQ1":
            continue
        at = 8
        while at + 8 <= len(data):
            length, checksum = struct.unpack_from("<II", data, at)
            body = data[at + 8:at + 8 + length]
            if len(body) < length or length < 26 or zlib.crc32(data[at:at + 4] + body) != checksum:
                break
            id_bytes = body[25]
            ids.add(body[26:26 + id_bytes].decode())
            at += 8 + length
        torn += len(data) - at
    return ids, torn

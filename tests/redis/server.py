"""Redis servers for tests: started on a free port of 127.0.0.1 in a folder of their own, killed and started again; a client of a few
lines; a proxy that does to bytes what a bad network does.

    with Server(appendonly="yes") as server:
        server.client().call("SET", "k", "v")
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time

HOST = "127.0.0.1"
START_SECONDS = 20
LAUNCHES = 5  # another process may take a free port first


def installed():
    return shutil.which("redis-server") is not None


def free_port():
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return probe.getsockname()[1]


class ReplyError(Exception):
    """An error reply."""


class Client:
    """One connection; RESP 2. Strings come back as text."""

    def __init__(self, port):
        self.socket = socket.create_connection((HOST, port), timeout=30)
        self.lines = self.socket.makefile("rb")

    def call(self, *args):
        parts = [str(arg).encode() if not isinstance(arg, bytes) else arg for arg in args]
        self.socket.sendall(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts))
        return self.read()

    def read(self):
        line = self.lines.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError("closed")
        kind, rest = line[:1], line[1:-2]
        if kind == b"-":
            raise ReplyError(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"+":
            return rest.decode()
        count = int(rest)
        if count < 0:
            return None
        if kind == b"$":
            return self.lines.read(count + 2)[:-2].decode()
        return [self.read() for _ in range(count)]

    def hash(self, key):
        flat = self.call("HGETALL", key)
        return dict(zip(flat[::2], flat[1::2]))

    def close(self):
        self.lines.close()
        self.socket.close()


class Server:
    """A redis-server process. Options are those of redis.conf, with _ for -."""

    def __init__(self, **options):
        self.folder = tempfile.mkdtemp(prefix="millrace-redis-")
        self.options = options
        self.process = None
        for _ in range(LAUNCHES):
            self.port = free_port()
            if self._launch():
                return
        raise RuntimeError("redis-server does not start")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def address(self):
        return f"{HOST}:{self.port}"

    def client(self):
        return Client(self.port)

    def start(self):
        if not self._launch():
            raise RuntimeError("redis-server does not start again")

    def kill(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _launch(self):
        lines = [f"port {self.port}", f"bind {HOST}", f"dir {self.folder}"]
        lines += [f"{name.replace('_', '-')} {value}" for name, value in self.options.items()]
        path = os.path.join(self.folder, "redis.conf")
        with open(path, "w", encoding="utf-8") as out:
            out.write("\n".join(lines) + "\n")
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(["redis-server", path], stdout=log, stderr=log)
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end and self.process.poll() is None:
            try:
                client = self.client()
                client.call("PING")
                client.close()
                return True
            except ReplyError as error:
                if not str(error).startswith("LOADING"):
                    return True  # it wants a password
            except OSError:
                pass
            time.sleep(0.01)
        self.kill()
        return False


class Proxy:
    """Between a client and a server. `cut_after` requests, the reply is held back and the connection lost, again and again."""

    def __init__(self, server_port, cut_after=None, delay=0.0):
        self.server_port, self.cut_after, self.delay = server_port, cut_after, delay
        self.requests = 0
        self.cuts = 0
        self.listener = socket.create_server((HOST, 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def address(self):
        return f"{HOST}:{self.port}"

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        server = socket.create_connection((HOST, self.server_port))
        threading.Thread(target=self._replies, args=(server, client), daemon=True).start()
        try:
            while data := client.recv(1 << 20):
                self.requests += data.count(b"EVAL")
                if self.cut_after and self.requests >= self.cut_after:
                    self.requests = 0
                    self.cuts += 1
                    client.shutdown(socket.SHUT_WR)  # no reply comes through from here on
                    server.sendall(data)
                    time.sleep(0.05)  # the server executes what it got
                    return
                server.sendall(data)
        except OSError:
            pass
        finally:
            client.close()
            server.close()

    def _replies(self, server, client):
        try:
            while data := server.recv(1 << 20):
                time.sleep(self.delay)
                client.sendall(data)
        except OSError:
            pass


def suspend(process):
    process.send_signal(signal.SIGSTOP)


def resume(process):
    process.send_signal(signal.SIGCONT)

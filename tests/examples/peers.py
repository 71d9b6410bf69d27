"""The other ends of examples that talk to the network: a server that sends lines, a client that posts readings.

Each entry takes `run(extra_flags, peer)` and returns what the job printed.
"""
import json
import pathlib
import signal
import socket
import threading
import time
import urllib.error
import urllib.request

DATA = pathlib.Path(__file__).resolve().parents[2] / "examples" / "data"
PATIENCE_S = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def top_words(run):
    """Sends a text once; windows of a minute that begin every minute make one table of it."""
    server = socket.create_server(("127.0.0.1", 0))
    port = server.getsockname()[1]

    def serve():
        connection, _ = server.accept()
        connection.sendall(b"to be or not to be\nthat is the question\nto do is to be\n")
        done.wait(PATIENCE_S)

    done = threading.Event()
    threading.Thread(target=serve, daemon=True).start()
    flags = ["--set", "spec.sources[0].socket.host=127.0.0.1", "--set", f"spec.sources[0].socket.port={port}",
             "--set", "spec.batchInterval=100ms", "--until-idle", "4s",
             "--set", "spec.streams[0].steps[2].aggregate.window={tumbling: {length: 2s}}"]
    try:
        return run(flags)
    finally:
        done.set()


def request(url, data=None):
    """The answer of the job's HTTP server, which may not be up yet."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=data), timeout=10) as reply:
                return reply.read()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def wait_for(port, field, value):
    """Returns when a number of /status has reached a value."""
    deadline = time.monotonic() + PATIENCE_S
    while json.loads(request(f"http://127.0.0.1:{port}/status"))[field] < value:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{field} did not reach {value}")
        time.sleep(0.05)


def sensors(run):
    """Posts the readings, then late ones; stops the job as Ctrl-C does."""
    port, status = free_port(), free_port()

    def client(process):
        def post(name):
            lines = (DATA / name).read_bytes()
            request(f"http://127.0.0.1:{port}/", lines)
            return lines.count(b"\n")

        sent = post("readings.csv")
        wait_for(status, "inputRecords", sent)
        wait_for(status, "committedBatch", 2)  # closes the windows and fills the table
        sent += post("readings-late.csv")
        wait_for(status, "inputRecords", sent)
        process.send_signal(signal.SIGINT)

    return run(["--set", f"spec.sources[0].http.port={port}", "--metrics-address", f"127.0.0.1:{status}"], client)


PEERS = {"top-words-socket": top_words, "sensors-corrections": sensors}

"""The other ends of examples that talk to the network: a server that sends lines, a client that posts readings.

Each entry takes `run(extra_flags, peer)` and returns what the job printed.
"""
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


def post(port, name):
    request = urllib.request.Request(f"http://127.0.0.1:{port}/", data=(DATA / name).read_bytes(), method="POST")
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as reply:
                return reply.read()
        except urllib.error.URLError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def sensors(run):
    """Posts the readings, then late ones; stops the job as Ctrl-C does."""
    port = free_port()

    def client(process):
        post(port, "readings.csv")
        time.sleep(3)  # a batch with the readings, one that loads the table
        post(port, "readings-late.csv")
        time.sleep(3)
        process.send_signal(signal.SIGINT)

    return run(["--set", f"spec.sources[0].http.port={port}"], client)


PEERS = {"top-words-socket": top_words, "sensors-corrections": sensors}

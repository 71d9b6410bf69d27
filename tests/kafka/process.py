"""What a test needs to run servers of its own: ports, a folder, and processes that never outlive it."""

import concurrent.futures
import fcntl
import os
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time

MEMORY = "/dev/shm"
MEMORY_NEEDED_BYTES = 4 << 30
FOLDER_PREFIX = "millrace-kafka-"
YOUNG_SECONDS = 60

# The kernel kills a child when the *thread* that started it ends, so every process is started by this one, which lives as long as
# the interpreter. Without it a test could not restart a broker from a thread of its own.
_starter = concurrent.futures.ThreadPoolExecutor(max_workers=1, thread_name_prefix="starter")


def spawn(command, log_path, environment=None):
    """Starts `command`, killed by the kernel when this interpreter ends in whatever way; output is appended to `log_path`."""

    def start():
        with open(log_path, "ab") as log:
            return subprocess.Popen(["setpriv", "--pdeathsig", "KILL", "--", *command], stdin=subprocess.DEVNULL, stdout=log,
                                    stderr=log, env={**os.environ, **(environment or {})}, start_new_session=True)

    return _starter.submit(start).result()


class Ports:
    """Free ports of the loopback, kept for their holder: nobody else gets them by asking for any port, even while unused."""

    def __init__(self, count):
        self._sockets = []
        for _ in range(count):
            held = socket.socket()
            held.bind(("127.0.0.1", 0))
            # Set after binding: a server that allows reuse may listen here, and the kernel still hands the port to nobody.
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._sockets.append(held)
        self.numbers = [held.getsockname()[1] for held in self._sockets]

    def release(self):
        for held in self._sockets:
            held.close()


class Folder:
    """A folder of the test's own, in memory where there is enough of it; removed by `remove`, or by the next test after a kill.

    With `path` the folder is the caller's: it is created when missing and never removed.
    """

    def __init__(self, path=None):
        self._own = path is None
        if self._own:
            base = _base()
            _sweep(base)
            path = tempfile.mkdtemp(prefix=FOLDER_PREFIX, dir=base)
        self.path = pathlib.Path(path).absolute()
        self.path.mkdir(parents=True, exist_ok=True)
        self._lock = open(self.path / "lock", "w", encoding="ascii")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise RuntimeError(f"{self.path} is in use by another cluster") from None

    def remove(self):
        """Gives the folder up; removes it when it was made here."""
        if self._own:
            shutil.rmtree(self.path, ignore_errors=True)
        self._lock.close()


def _base():
    if os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free >= MEMORY_NEEDED_BYTES:
        return MEMORY
    return tempfile.gettempdir()


def _sweep(base):
    """Removes folders whose holder was killed: nobody holds their lock. Young ones may be about to be locked."""
    for folder in pathlib.Path(base).glob(FOLDER_PREFIX + "*"):
        try:
            if time.time() - folder.stat().st_mtime < YOUNG_SECONDS:
                continue
            with open(folder / "lock", "a", encoding="ascii") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
        except OSError:
            continue

"""Processes that outlive the program that started them, by pid file."""
import os
import pathlib
import signal
import subprocess
import time

from layout import RUN

STOP_SECONDS = 20


def start(name, command):
    """In a session of its own; its output is in `<name>.log`, its pid in `<name>.pid`."""
    with open(RUN / f"{name}.log", "ab") as log:
        process = subprocess.Popen([str(part) for part in command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                                   env={**os.environ, "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"})
    (RUN / f"{name}.pid").write_text(f"{process.pid} {born(process.pid)}")
    return process


def born(pid):
    """When the process began, in ticks since the machine did; nothing for one that is gone or a zombie."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return fields[19] if fields[0] != "Z" else ""


def pid_of(name):
    """Of a process that `start` began and that still runs, not of another that has its number by now."""
    try:
        pid, since = (RUN / f"{name}.pid").read_text().split()
    except (OSError, ValueError):
        return None
    return int(pid) if born(pid) == since else None


def end(pids, first=signal.SIGTERM):
    """Returns when none of them runs any more."""
    for number in (first, signal.SIGKILL):
        left = [pid for pid in pids if born(pid)]
        for pid in left:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass
        deadline = time.monotonic() + STOP_SECONDS
        while any(born(pid) for pid in left) and time.monotonic() < deadline:
            reap()
            time.sleep(0.05)


def reap():
    """Of processes that this interpreter started itself."""
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        pass


def stop(name):
    pid = pid_of(name)
    if pid:
        end([pid])
    (RUN / f"{name}.pid").unlink(missing_ok=True)


def having(argument):
    """Pids of processes with this argument."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if argument.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


def log(name, size=3000):
    path = RUN / f"{name}.log"
    return path.read_text(errors="replace")[-size:] if path.exists() else ""

"""The workers of one job as processes: started, killed, stopped and told apart; and what their Redis says of the job."""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

from process import spawn
from server import Client as RedisClient
from server import ReplyError

WAIT_SECONDS = 60
POLL_SECONDS = 0.01
LEASE_SECONDS = 2


class Broken(AssertionError):
    """The job did not keep its promise; the message says what was seen."""


def wait(condition, what, seconds=WAIT_SECONDS):
    """The first true answer of `condition`."""
    deadline = time.monotonic() + seconds
    while True:
        answer = condition()
        if answer:
            return answer
        if time.monotonic() > deadline:
            raise Broken(f"{seconds} s passed before {what}")
        time.sleep(POLL_SECONDS)


class Fleet:
    """`count` workers of the job text `yaml`, which says REDIS for the address of its state."""

    def __init__(self, millrace, name, yaml, redis, redis_address=None):
        self.millrace, self.name, self.redis = millrace, name, redis
        self.root = tempfile.mkdtemp(prefix="millrace-fleet-")
        self.job_file = os.path.join(self.root, "job.yaml")
        with open(self.job_file, "w", encoding="utf-8") as out:
            out.write(yaml.replace("REDIS", redis_address or redis.address).replace("ROOT", self.root))
        self.workers = {}  # name -> process
        self.started = 0
        self.kills = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        for process in self.workers.values():
            if process.poll() is None:
                process.send_signal(signal.SIGCONT)
                process.kill()
                process.wait()
        if kind is not None:
            for name in sorted(self.workers):
                print(f"---- {name}: {self.workers[name].poll()}\n{self.said(name)[-2500:]}")
        shutil.rmtree(self.root, ignore_errors=True)

    # --- processes --------------------------------------------------------------------------------------------------------------

    def open_to_others(self):
        """Workers with a user of their own can read the job."""
        os.chmod(self.root, 0o755)

    def start(self, failpoint=None, arguments=(), user=None):
        """One more worker, where asked for with a user of its own; its name."""
        self.started += 1
        name = f"w{self.started}"
        command = [self.millrace, "worker", "--job", self.job_file, "--member", name, "--lease", f"{LEASE_SECONDS}s", "--grace", "20s",
                   "--threads", "1", *arguments]
        if user is not None:
            command = ["setpriv", "--reuid", str(user), "--clear-groups", "--pdeathsig", "KILL", "--", *command]
        self.workers[name] = spawn(command, os.path.join(self.root, name), {"MILLRACE_FAILPOINT": failpoint or ""})
        return name

    def edit(self, before, after):
        """Replaces the job file at once, as a mounted ConfigMap is; what was there before."""
        with open(self.job_file, encoding="utf-8") as text:
            yaml = text.read()
        if before not in yaml:
            raise Broken(f"{before} is not in the job file")
        with open(self.job_file + ".new", "w", encoding="utf-8") as out:
            out.write(yaml.replace(before, after))
        os.replace(self.job_file + ".new", self.job_file)
        return yaml

    def wait_said(self, name, text, seconds=WAIT_SECONDS):
        wait(lambda: text in self.said(name), f"{name} said {text!r}", seconds)

    def fill(self, count):
        """Starts workers until so many run."""
        while len(self.running()) < count:
            self.start()

    def running(self):
        return [name for name, process in self.workers.items() if process.poll() is None]

    def said(self, name):
        with open(os.path.join(self.root, name), encoding="utf-8", errors="replace") as text:
            return text.read()

    def kill(self, *names):
        for name in names:
            self.workers[name].kill()
        for name in names:
            self.workers[name].wait()
            self.kills += 1

    def send(self, name, number):
        self.workers[name].send_signal(number)

    def wait_end(self, name, codes, seconds=WAIT_SECONDS):
        """The exit code of a worker that ends by itself."""
        try:
            code = self.workers[name].wait(seconds)
        except subprocess.TimeoutExpired:
            raise Broken(f"{name} still runs after {seconds} s") from None
        if code not in codes:
            raise Broken(f"{name} ended with {code}, not {codes}")
        return code

    def stop(self):
        """Every worker hands over and ends; the last one, too."""
        names = self.running()
        for name in names:
            self.send(name, signal.SIGTERM)
        for name in names:
            self.wait_end(name, (0,))

    def check_alive(self):
        """Nobody ended but by order."""
        for name, process in self.workers.items():
            if process.poll() not in (None, 0, 3, -signal.SIGKILL):
                raise Broken(f"{name} ended with {process.poll()}")

    # --- the record of the job ---------------------------------------------------------------------------------------------------

    def ask(self, key, field):
        """A field of the job's record, "" when there is none or nobody answers."""
        try:
            client = RedisClient(self.redis.port)
            try:
                return client.call("HGET", f"mr:{{default/{self.name}/{self.name}}}:{key}", field) or ""
            finally:
                client.close()
        except (OSError, ReplyError, UnicodeDecodeError):
            return ""

    def committed(self):
        return int(self.ask("commit", "batch") or 0)

    def leader(self):
        """Name of the worker that holds the lease, of those that run."""
        holder = re.sub(r"-[0-9a-f]+$", "", self.ask("lease", "holder"))
        return holder if holder in self.running() and self.ask("lease", "released") == "0" else ""

    def slots(self):
        """Workers in the generation in work."""
        return int(self.ask("gen", "slots") or 0) if self.ask("gen", "open") == "1" else 0

    def wait_slots(self, count):
        wait(lambda: self.slots() == count, f"a generation of {count} workers was open")

    def wait_batches(self, more=3, seconds=WAIT_SECONDS):
        """Until so many more batches are committed; seconds until the first of them."""
        begin, before = time.monotonic(), self.committed()
        wait(lambda: self.committed() > before, f"a batch after {before} was committed", seconds)
        took = time.monotonic() - begin
        wait(lambda: self.committed() >= before + more, f"batch {before + more} was committed", seconds)
        return took

    def pick(self, leader, but=None):
        """A running worker other than `but`: the leader, or one that does not lead."""
        lead = wait(self.leader, "somebody led")
        return lead if leader else next(name for name in self.running() if name not in (lead, but))

"""Running, killing and restarting `millrace`, and reading its files as a consumer would."""

import calendar
import json
import os
import re
import signal
import subprocess
import tempfile
import time
from collections import Counter

RUN_LIMIT_SECONDS = 60
DATA_FILE = re.compile(r"^(?P<stream>[^-]+)-(?P<stage>[^-]+)-(?P<unit>\d+)-(?P<batch>\d+)-(?P<digest>[0-9a-f]{8})\.json$")
RFC3339 = re.compile(r"^(\d{4})-(\d\d)-(\d\d)T(\d\d):(\d\d):(\d\d)(?:\.(\d+))?Z$")


class Failure(Exception):
    """The engine broke a promise; the message says which."""


def temp_folder():
    """A folder in memory where there is one: SIGKILL loses nothing that fsync would have kept."""
    memory = "/dev/shm"
    base = memory if os.path.isdir(memory) and os.access(memory, os.W_OK) else None
    return tempfile.TemporaryDirectory(prefix="millrace-crash-", dir=base)


def millis(text):
    """RFC 3339 in UTC -> milliseconds since the epoch."""
    match = RFC3339.match(text)
    if not match:
        raise Failure(f"not a timestamp: {text!r}")
    parts = [int(part) for part in match.groups()[:6]]
    fraction = (match.group(7) or "").ljust(3, "0")[:3]
    return calendar.timegm(parts) * 1000 + int(fraction)


def rfc3339(time_millis):
    seconds, rest = divmod(time_millis, 1000)
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{rest:03d}Z"


class Workplace:
    """One job's folders: what it reads, what it writes, where its state is."""

    def __init__(self, root, job):
        self.root = root
        self.job = job
        self.state = os.path.join(root, "state")
        self.job_file = os.path.join(root, "job.yaml")
        self.published = 0
        self.seen = {}  # committed data files that a reader has taken: path -> size
        for source in job.sources:
            os.makedirs(os.path.join(root, "in", source))
        with open(self.job_file, "w", encoding="utf-8") as out:
            out.write(job.yaml.replace("ROOT", root))

    def publish_next(self):
        """Lets one more input file appear, by rename; False when all are there."""
        if self.published >= len(self.job.files):
            return False
        source, lines = self.job.files[self.published]
        folder = os.path.join(self.root, "in", source)
        name = f"part-{self.published:04d}.json"
        draft = os.path.join(folder, "." + name)
        with open(draft, "w", encoding="utf-8") as out:
            out.write("".join(line + "\n" for line in lines))
        stamp = 1_700_000_000 + self.published  # files are read in the order of their times
        os.utime(draft, (stamp, stamp))
        os.rename(draft, os.path.join(folder, name))
        self.published += 1
        return True

    def may_publish(self):
        """Late records are late only behind a watermark: they wait until the first batch is committed."""
        return self.published < self.job.calm_files or self.committed() > 0

    def committed(self):
        return min(committed_batch(self.sink(name)) for name in self.job.sinks)

    def sink(self, name):
        return os.path.join(self.root, "out", name)

    def arguments(self, final):
        arguments = ["run", self.job_file, "--state", self.state, "--quiet", "--threads", "2"]
        if not final:
            return arguments
        for index in range(len(self.job.sources)):
            arguments += ["--set", f"spec.sources[{index}].file.watch=false"]
        return arguments

    def check_reader(self):
        """Whatever a reader has taken stays as it was."""
        for name in self.job.sinks:
            for path in data_files(self.sink(name), committed_batch(self.sink(name))):
                self.seen.setdefault(path, os.path.getsize(path))
        for path, size in self.seen.items():
            if not os.path.exists(path) or os.path.getsize(path) != size:
                raise Failure(f"{path} was committed and has changed since")


def committed_batch(folder):
    """N of {"batch": N}, 0 when there is nothing yet."""
    try:
        with open(os.path.join(folder, "_committed"), encoding="utf-8") as text:
            return json.load(text)["batch"]
    except FileNotFoundError:
        return 0


def data_files(folder, committed):
    """Paths of data files of batches <= committed, in batch, stage and unit order."""
    found = []
    names = os.listdir(folder) if os.path.isdir(folder) else []
    for name in names:
        if name.startswith(("_", ".")):
            continue
        match = DATA_FILE.match(name)
        if not match:
            raise Failure(f"{folder}/{name} is no data file")
        if int(match["batch"]) <= committed:
            found.append((int(match["batch"]), match["stage"], int(match["unit"]), os.path.join(folder, name)))
    return [entry[3] for entry in sorted(found)]


def read_rows(folder):
    """What a reader of the folder sees: [(batch, row)], in order."""
    rows, digests = [], {}
    for path in data_files(folder, committed_batch(folder)):
        match = DATA_FILE.match(os.path.basename(path))
        batch = int(match["batch"])
        if digests.setdefault(batch, match["digest"]) != match["digest"]:
            raise Failure(f"{folder}: two histories of batch {batch}")
        with open(path, encoding="utf-8") as text:
            rows += [(batch, json.loads(line)) for line in text]
    return rows


def check_leftovers(folder):
    """After a clean end nothing is staged and nothing lies beyond the committed batch."""
    committed = committed_batch(folder)
    visible = len(data_files(folder, committed))
    total = len([name for name in os.listdir(folder) if not name.startswith(("_", "."))])
    if visible != total:
        raise Failure(f"{folder}: {total - visible} files beyond batch {committed}")
    staging = os.path.join(folder, "_staging")
    staged = [os.path.join(base, name) for base, _, names in os.walk(staging) for name in names]
    if staged:
        raise Failure(f"{folder}: staged files are left: {staged[:3]}")


def environment(failpoint=None):
    env = {key: value for key, value in os.environ.items() if key != "MILLRACE_FAILPOINT"}
    if failpoint:
        env["MILLRACE_FAILPOINT"] = failpoint
    return env


def start(millrace, arguments, failpoint=None):
    return subprocess.Popen([millrace] + arguments, env=environment(failpoint), stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)


def finish(process, allow_kill=False):
    """Waits for the end; True when the process was killed by SIGKILL, which must be allowed."""
    try:
        _, errors = process.communicate(timeout=RUN_LIMIT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        _, errors = process.communicate()
        raise Failure(f"still running after {RUN_LIMIT_SECONDS} s\n{errors[-2000:]}") from None
    if process.returncode == -signal.SIGKILL and allow_kill:
        return True
    if process.returncode != 0:
        raise Failure(f"exit code {process.returncode}\n{errors[-2000:]}")
    return False


def run(millrace, arguments, failpoint=None):
    return finish(start(millrace, arguments, failpoint), allow_kill=failpoint is not None)


class Verdict:
    """Differences between what a job wrote and what it should have written."""

    def __init__(self):
        self.lost = 0
        self.duplicated = 0
        self.examples = []

    def compare(self, what, actual, expected):
        """Rows as hashable values; order does not matter."""
        have, want = Counter(actual), Counter(expected)
        missing, extra = want - have, have - want
        self.lost += sum(missing.values())
        self.duplicated += sum(extra.values())
        self.examples += [f"{what}: lost {row}" for row in list(missing)[:3]]
        self.examples += [f"{what}: unexpected {row}" for row in list(extra)[:3]]

    def add(self, other):
        self.lost += other.lost
        self.duplicated += other.duplicated
        self.examples += other.examples

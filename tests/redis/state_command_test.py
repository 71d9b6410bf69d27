#!/usr/bin/env python3
"""`millrace state` on the Redis of jobs that `millrace worker` runs: what ran is shown; a job that is exported, lost and imported goes
on as if nothing had happened; what would destroy or mislead is refused.

state_command_test.py --millrace PATH [--only NAME]
"""

import argparse
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

import server as redis
from harness import Failure, run_scenarios

EXIT_FAILED, EXIT_USAGE, EXIT_NOT_FOUND = 1, 2, 4
WAIT_SECONDS = 60
NUMBERS = 20_000
WORDS = 100
BASE = "mr:{default/sums/sums}"
JOB = """
apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: sums, namespace: default}
spec:
  batchInterval: 100ms
  maxParallelism: 12
  backpressure: {enabled: false}
  sources:
    - name: numbers
      generator: {fields: {id: "seq", word: '"w" + string(seq % 100)'}, rate: 5000, count: COUNT, partitions: 4}
  streams:
    - name: sums
      from: numbers
      steps:
        - aggregate: {key: [word], window: {tumbling: {length: 1s}}, values: {hits: count(), total: sum(id)}}
  sinks:
    - {name: out, from: sums, file: {path: ROOT/out}, format: {json: {}}}
  state: {redis: {addresses: ["REDIS"]}}
"""


class Job:
    """A job with a Redis and a folder of its own, and its workers."""

    def __init__(self, millrace):
        self.millrace, self.workers = millrace, []
        self.root = tempfile.mkdtemp(prefix="millrace-state-")
        self.server = redis.Server(appendonly="yes")
        self.file = os.path.join(self.root, "job.yaml")
        self.copy = os.path.join(self.root, "copy.state")
        with open(self.file, "w", encoding="utf-8") as out:
            out.write(JOB.replace("ROOT", self.root).replace("REDIS", self.server.address).replace("COUNT", str(NUMBERS)))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for worker in self.workers:
            worker.kill()
            worker.wait()
        self.server.__exit__()
        shutil.rmtree(self.root, ignore_errors=True)

    def start(self):
        log = open(os.path.join(self.root, f"worker-{len(self.workers)}.log"), "w", encoding="utf-8")
        command = [self.millrace, "worker", "--job", self.file, "--lease", "1s", "--threads", "1"]
        self.workers.append(subprocess.Popen(command, stdout=log, stderr=log))
        log.close()
        return self.workers[-1]

    def log(self, worker):
        with open(os.path.join(self.root, f"worker-{self.workers.index(worker)}.log"), encoding="utf-8") as text:
            return text.read()

    def ends(self, worker, code=0):
        try:
            worker.wait(timeout=WAIT_SECONDS)
        except subprocess.TimeoutExpired:
            raise Failure(f"a worker does not end\n{self.log(worker)[-2000:]}") from None
        if worker.returncode != code:
            raise Failure(f"a worker ended with {worker.returncode}, expected {code}\n{self.log(worker)[-2000:]}")

    def move(self):
        """Another Redis, empty and elsewhere; the first one is gone."""
        former, self.server = self.server, redis.Server(appendonly="yes")
        former.__exit__()
        with open(self.file, encoding="utf-8") as text:
            edited = text.read().replace(former.address, self.server.address)
        with open(self.file, "w", encoding="utf-8") as out:
            out.write(edited)

    def stop(self, worker):
        worker.send_signal(signal.SIGTERM)
        self.ends(worker)

    def state(self, *words, code=0):
        """Standard output of the command when it succeeds, else what it complains about."""
        result = subprocess.run([self.millrace, "state", *words, "--job", self.file], capture_output=True, text=True, timeout=WAIT_SECONDS, check=False)
        if result.returncode != code:
            raise Failure(f"state {' '.join(words)}: exit code {result.returncode}, expected {code}\n{result.stdout}{result.stderr}")
        return result.stderr if code else result.stdout

    def show(self):
        return json.loads(self.state("show", "--json"))

    def wait_batches(self, number):
        """The committed batch once it has grown by `number`."""
        end, first = time.monotonic() + WAIT_SECONDS, None
        while time.monotonic() < end:
            raw = self.server.client().call("HGET", f"{BASE}:commit", "batch")
            first = first if first is not None else int(raw or 0)
            if raw and int(raw) >= first + number:
                return int(raw)
            time.sleep(0.02)
        raise Failure(f"no {number} batches in {WAIT_SECONDS} s" + "".join(self.log(worker)[-2000:] for worker in self.workers))

    def check(self):
        """Each number is in the sums once."""
        hits, totals = Counter(), Counter()
        for path in glob.glob(os.path.join(self.root, "out", "**", "*.json"), recursive=True):
            with open(path, encoding="utf-8") as rows:
                for row in map(json.loads, rows):
                    hits[row["word"]] += row["hits"]
                    totals[row["word"]] += row["total"]
        expect(hits, Counter(f"w{i % WORDS}" for i in range(NUMBERS)), "hits")
        want = Counter()
        for i in range(NUMBERS):
            want[f"w{i % WORDS}"] += i
        expect(totals, want, "totals")


def expect(got, want, what):
    if got != want:
        raise Failure(f"{what}: {str(got)[:300]}, expected {str(want)[:300]}")


def expect_in(part, text):
    if part not in text:
        raise Failure(f"no \"{part}\" in: {text[:2000]}")


def run_shown(millrace):
    """ls and show tell what two workers do, and that a third job name is not there."""
    with Job(millrace) as job:
        expect(json.loads(job.state("ls", "--json")), [], "an empty Redis")
        expect_in("no job", job.state("show", code=EXIT_NOT_FOUND))
        first, second = job.start(), job.start()
        job.wait_batches(10)
        view = job.show()
        expect(view["job"], "default/sums/sums", "job")
        expect(view["committedBatch"] >= 10 and view["bytes"] > 0 and view["open"], True, str(view))
        expect(sorted(view["sources"]["numbers"]["offsets"]), ["0", "1", "2", "3"], "partitions")
        expect(sum(stage["bytes"] for stage in view["stages"].values()), view["bytes"], "bytes of all stages")
        expect(1 <= max(stage["units"] for stage in view["stages"].values()) <= 12, True, str(view["stages"]))
        listed = json.loads(job.state("ls", "--json"))
        expect([(entry["job"], entry["halt"]) for entry in listed], [("default/sums/sums", "")], "ls")
        for part in ("default/sums/sums", "commit", "members"):
            expect_in(part, job.state("ls"))
        for part in ("leader ", "numbers", "seats\n", "stages\n", "plans\n", view["generation"]):
            expect_in(part, job.state("show"))
        job.ends(first)
        job.ends(second)
        expect(job.show()["completed"], True, "completed")
        expect(job.show()["memberList"], [], "members after the end")
        job.check()


def run_moved(millrace):
    """Stopped, exported, imported into another Redis, run on: as if nothing had happened. Two workers go on after one."""
    with Job(millrace) as job:
        worker = job.start()
        job.wait_batches(15)
        job.stop(worker)
        before = job.show()
        expect_in(f"exported batch {before['committedBatch']}", job.state("export", job.copy))
        expect_in("exists", job.state("export", job.copy, code=EXIT_FAILED))
        expect_in("is in this Redis already", job.state("import", job.copy, code=EXIT_FAILED))
        job.move()
        expect_in(f"imported batch {before['committedBatch']}", job.state("import", job.copy))
        after = job.show()
        for field in ("committedBatch", "bytes", "stages", "sources", "specHash", "generation", "completed"):
            expect(after[field], before[field], field)
        workers = [job.start(), job.start()]
        for worker in workers:
            job.ends(worker)
        job.check()


def run_copied_alive(millrace):
    """A copy taken while the job commits is whole: imported after a rollback it says that the output is ahead, and shows its batch."""
    with Job(millrace) as job:
        worker = job.start()
        job.wait_batches(5)
        job.state("export", job.copy)
        job.wait_batches(15)
        job.stop(worker)
        ahead = job.show()["committedBatch"]
        job.server.client().call("FLUSHALL")
        job.state("import", job.copy)
        expect(5 <= job.show()["committedBatch"] < ahead, True, "the batch of the copy")
        job.ends(job.start(), EXIT_FAILED)
        expect_in("StateRolledBack", job.show()["halt"])
        job.ends(job.start(), EXIT_FAILED)
        expect_in("cleared: StateRolledBack", job.state("resume"))
        expect(job.show()["halt"], "", "halt")
        expect_in("was not halted", job.state("resume"))


def run_killed(millrace):
    """A job whose worker was killed is exported with its plan in the log, and goes on from the copy."""
    with Job(millrace) as job:
        worker = job.start()
        job.wait_batches(12)
        worker.kill()
        worker.wait()
        job.state("export", job.copy)
        job.server.client().call("FLUSHALL")
        job.state("import", job.copy)
        job.ends(job.start())
        job.check()


def run_reset(millrace):
    """Refused while a worker runs and without --yes; afterwards nothing of the job is left, and the ledger is named."""
    with Job(millrace) as job:
        client = job.server.client()
        worker = job.start()
        job.wait_batches(5)
        keys = client.call("DBSIZE")
        expect_in("add --yes", job.state("reset", code=EXIT_USAGE))
        expect_in("stop the job's workers first", job.state("reset", "--yes", code=EXIT_FAILED))
        job.wait_batches(3)
        worker.kill()  # its record stays
        worker.wait()
        client.call("SET", "other", "1")
        client.call("SET", "mr:{default/sums/sums2}:job", "1")
        printed = job.state("reset", "--yes", "--lease", "2s")
        expect_in(f'sink "out": folder {job.root}/out', printed)
        expect(sorted(client.call("KEYS", "*")), ["mr:{default/sums/sums2}:job", "other"], "keys that are left")
        expect(keys > 10, True, f"{keys} keys before")
        expect_in("no job", job.state("reset", "--yes", code=EXIT_NOT_FOUND))


def damage(content):
    """(name, bytes) of files that are not quite the copy."""
    yield "cut", content[:-5]
    yield "cut at a record", content[:8]
    for place in (3, 7, 20, len(content) // 2, len(content) - 3):
        yield f"byte {place}", content[:place] + bytes([content[place] ^ 1]) + content[place + 1:]
    yield "longer", content + b"x"
    yield "empty", b""


def run_damaged(millrace):
    """A damaged copy changes nothing in Redis."""
    with Job(millrace) as job:
        worker = job.start()
        job.wait_batches(8)
        job.stop(worker)
        job.state("export", job.copy)
        client = job.server.client()
        client.call("FLUSHALL")
        with open(job.copy, "rb") as file:
            content = file.read()
        bad = os.path.join(job.root, "bad.state")
        for name, text in damage(content):
            with open(bad, "wb") as out:
                out.write(text)
            expect_in(bad, job.state("import", bad, code=EXIT_FAILED))
            expect(client.call("DBSIZE"), 0, f"keys after the import of a damaged file ({name})")
        expect_in("sinks know a job by these names", job.state("import", job.copy, "--job-id", "else", code=EXIT_FAILED))
        expect_in("spec.maxParallelism", job.state("import", job.copy, "--set", "spec.maxParallelism=13", code=EXIT_FAILED))
        job.state("import", os.path.join(job.root, "none"), code=EXIT_NOT_FOUND)


def run_lost(millrace):
    """A blob that is gone is not exported as if it were there."""
    with Job(millrace) as job:
        worker = job.start()
        job.wait_batches(8)
        job.stop(worker)
        client = job.server.client()
        for key in client.call("KEYS", "mr:{default/sums/sums/*:d:*"):
            client.call("DEL", key)
        expect_in("StateLost", job.state("export", job.copy, code=EXIT_FAILED))
        expect([name for name in os.listdir(job.root) if "copy" in name], [], "files of a failed export")


def run_usage(millrace):
    """Arguments that an action has no use for."""
    with Job(millrace) as job:
        for words in (["export"], ["ls", "file"], ["reset", "--json"], ["show", "--yes"], ["show", "--lease", "2s"], ["remove"]):
            job.state(*words, code=EXIT_USAGE)
        job.server.kill()
        expect_in(job.server.address, job.state("ls", code=EXIT_FAILED))


SCENARIOS = [(run.__name__.removeprefix("run_"), run)
             for run in (run_shown, run_moved, run_copied_alive, run_killed, run_reset, run_damaged, run_lost, run_usage)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--only")
    args = parser.parse_args()
    return run_scenarios(SCENARIOS, os.path.abspath(args.millrace), args.only)


if __name__ == "__main__":
    sys.exit(main())

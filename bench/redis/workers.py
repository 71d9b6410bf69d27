#!/usr/bin/env python3
"""Several workers of one job on a Redis of their own: processor time of two workers beside one, time without commits after failures, and
round trips to Redis for each batch. See README.md beside bench/.

workers.py --millrace PATH [--only words|failures|trips] [--repeat N]
"""

import argparse
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(HERE, "..", "..", "tests", "redis"))

import server as redis  # noqa: E402

WORDS = 8_000_000
FILES = 16
VOCABULARY = 5_000
LEASE_SECONDS = 5
INTERVAL_SECONDS = 0.2
TRIP_SECONDS = 6

HEAD = """apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: bench}
spec:
  batchInterval: INTERVAL
  maxParallelism: 16
  backpressure: {enabled: false}
  state: {redis: {addresses: ["ADDRESS"]}}
"""
WORD_COUNT = HEAD.replace("INTERVAL", "100ms") + """  sources:
    - {name: lines, file: {path: ROOT/in, watch: false}, format: {text: {}}, maxRatePerPartition: 300000}
  streams:
    - name: counts
      from: lines
      steps:
        - flatMap: {word: 'value.split(" ")'}
        - aggregate: {key: [word], window: {global: {}}, values: {count: count()}, emit: Changes}
  sinks: [{name: out, from: counts, redis: {address: "ADDRESS", keyExpr: word}}]
"""
COUNTING = HEAD.replace("INTERVAL", "200ms") + """  sources:
    - {name: numbers, generator: {fields: {key: '"k" + string(seq % KEYS)'}, rate: RATE, partitions: 4}}
  streams:
    - name: counts
      from: numbers
      steps:
        - aggregate: {key: [key], window: {global: {}}, values: {count: count()}, emit: Changes}
        - filter: count % 1000 == 0
  sinks: [{name: out, from: counts, redis: {address: "ADDRESS", keyExpr: key}}]
"""


class Job:
    """Worker processes of one job; their processor time is that of ended children."""

    def __init__(self, millrace, text, threads=1):
        self.millrace, self.threads = millrace, threads
        self.root = tempfile.mkdtemp(prefix="millrace-bench-")
        self.redis = redis.Server(appendonly="yes", appendfsync="everysec")
        self.file = os.path.join(self.root, "job.yaml")
        with open(self.file, "w", encoding="utf-8") as out:
            out.write(text.replace("ADDRESS", self.redis.address).replace("ROOT", self.root))
        self.processes = {}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in self.processes.values():
            if process.poll() is None:
                process.kill()
                process.wait()
        self.redis.__exit__(None, None, None)
        shutil.rmtree(self.root, ignore_errors=True)

    def start(self, arguments=()):
        name = f"w{len(self.processes)}"
        command = [self.millrace, "worker", "--job", self.file, "--member", name, "--lease", f"{LEASE_SECONDS}s", "--threads", str(self.threads),
                   "--metrics-address", "127.0.0.1:0", *arguments]
        with open(os.path.join(self.root, name), "wb") as log:
            self.processes[name] = subprocess.Popen(command, stdout=log, stderr=log)
        return name

    def field(self, key, field):
        client = self.redis.client()
        try:
            return client.call("HGET", f"mr:{{default/bench/bench}}:{key}", field) or ""
        finally:
            client.close()

    def committed(self):
        return int(self.field("commit", "batch") or 0)

    def wait(self, condition, seconds=120):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError("the job does not go on")
            time.sleep(0.002)

    def wait_slots(self, count):
        self.wait(lambda: self.field("gen", "slots") == str(count) and self.field("gen", "open") == "1")
        batch = self.committed()
        self.wait(lambda: self.committed() >= batch + 5)

    def leader(self):
        return re.sub(r"-[0-9a-f]+$", "", self.field("lease", "holder"))

    def metrics(self, name):
        with open(os.path.join(self.root, name), encoding="utf-8") as log:
            port = re.search(r"serving metrics and status.*port=(\d+)", log.read())[1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as reply:
            return reply.read().decode()


def total(text, metric):
    """The sum over labels, heartbeats left out."""
    values = re.findall(rf"^{metric}{{([^}}]*)}} (\S+)$", text, re.MULTILINE)
    return sum(float(value) for labels, value in values if "heartbeat" not in labels and "query" not in labels)


def write_words(folder):
    chooser = random.Random(1)
    words = ["".join(chooser.choices("abcdefghijklmnopqrstuvwxyz", k=chooser.randint(3, 10))) for _ in range(VOCABULARY)]
    os.makedirs(folder)
    for number in range(FILES):
        drawn = chooser.choices(words, k=WORDS // FILES)
        with open(os.path.join(folder, f"part-{number}.txt"), "w", encoding="utf-8") as out:
            for at in range(0, len(drawn), 14):
                out.write(" ".join(drawn[at:at + 14]) + "\n")


def cpu_of_words(millrace, folder, workers):
    with Job(millrace, WORD_COUNT) as job:
        os.symlink(folder, os.path.join(job.root, "in"))
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        begin = time.monotonic()
        for _ in range(workers):
            job.start()
        for process in job.processes.values():
            if process.wait(300) != 0:
                raise RuntimeError("a worker failed")
        wall = time.monotonic() - begin
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def measure_words(options):
    root = tempfile.mkdtemp(prefix="millrace-bench-words-")
    try:
        write_words(os.path.join(root, "in"))
        best = {}
        for _ in range(options.repeat):
            for workers in (1, 2):
                cpu, wall = cpu_of_words(options.millrace, os.path.join(root, "in"), workers)
                print(f"word count, {workers} worker(s): {cpu:.2f} CPU-s, {wall:.1f} s", flush=True)
                best[workers] = min(best.get(workers, cpu), cpu)
        print(f"best of each: {best[2] / best[1] - 1:+.1%} CPU per record with two (aim: within 15 %)")
    finally:
        shutil.rmtree(root, ignore_errors=True)


def gap_after(job, act):
    """Longest time between two commits from `act` on, until three came after it."""
    job.wait_slots(2)
    last, since, longest = job.committed(), time.monotonic(), 0.0
    act()
    fresh = 0
    while fresh < 8:
        batch, now = job.committed(), time.monotonic()
        longest = max(longest, now - since)
        if batch > last:
            fresh, last, since = fresh + 1, batch, now
        if now - since > 60:
            raise TimeoutError("no commit for a minute")
        time.sleep(0.002)
    return longest


def measure_failures(options):
    for what, leader, number, aim in (("nothing happens", True, 0, "what this machine does by itself"), ("leader killed", True, signal.SIGKILL, f"< {LEASE_SECONDS + 1} s"),
                                      ("follower killed", False, signal.SIGKILL, f"< {LEASE_SECONDS + 1} s"),
                                      ("leader told to stop", True, signal.SIGTERM, f"< {2 * INTERVAL_SECONDS} s"),
                                      ("follower told to stop", False, signal.SIGTERM, f"< {2 * INTERVAL_SECONDS} s")):
        gaps = []
        for _ in range(options.repeat):
            with Job(options.millrace, COUNTING.replace("KEYS", "10000").replace("RATE", "20000")) as job:
                job.start()
                job.start()
                job.wait_slots(2)
                chosen = next(name for name in job.processes if (name == job.leader()) == leader)
                gaps.append(gap_after(job, lambda: number and job.processes[chosen].send_signal(number)))
        print(f"{what}: no commit for {', '.join(f'{gap:.2f}' for gap in gaps)} s (aim: {aim}; lease {LEASE_SECONDS} s, batches of "
              f"{INTERVAL_SECONDS} s)", flush=True)


def measure_trips(options):
    for keys in (100, 100_000):
        with Job(options.millrace, COUNTING.replace("KEYS", str(keys)).replace("RATE", "100000")) as job:
            names = [job.start(), job.start()]
            job.wait_slots(2)
            before = [job.metrics(name) for name in names]
            time.sleep(TRIP_SECONDS)
            after = [job.metrics(name) for name in names]
            batches = total(after[0], "millrace_slot_batches_total") - total(before[0], "millrace_slot_batches_total")
            trips = sum(total(a, "millrace_redis_round_trips_total") - total(b, "millrace_redis_round_trips_total")
                        for a, b in zip(after, before))
            print(f"{keys} keys: {trips / batches:.1f} round trips a batch, both workers together, {batches:.0f} batches (aim: <= 20)", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--only", choices=("words", "failures", "trips"))
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    if not redis.installed():
        sys.exit("there is no redis-server")
    for name, measure in (("trips", measure_trips), ("failures", measure_failures), ("words", measure_words)):
        if options.only in (None, name):
            measure(options)


if __name__ == "__main__":
    main()

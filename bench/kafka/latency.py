#!/usr/bin/env python3
"""How long a record takes from the moment it is due to the moment a reader of committed records has it: from a topic through a job
with batches of 10 ms, exactly once, to a topic.

    bench/kafka/latency.py                     half of the most that a run just before could carry
    bench/kafka/latency.py --rate 20000        records a second
    bench/kafka/latency.py --delivery AtLeastOnce

Open loop: records are due every millisecond whether or not the job keeps up, and their time is in them, so that a slow writer makes
the figure worse, not better. Writer and reader are kcat; what they take is in the figure, also the 4 ms for which the writer waits to
fill a request (the Java client: 5).
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter

from engines import ENGINE_CORE, HERE, MILLRACE
from preload import BROKER_CORE, BROKER_HEAP_MIB, BROKER_OPTIONS

sys.path.insert(0, str(HERE.parents[1] / "tests" / "kafka"))

from broker import Cluster  # noqa: E402
from client import Client  # noqa: E402

PARTITIONS = 2
TICK_SECONDS = 0.001
RECORD_BYTES = 100
WARM_UP_SECONDS = 3  # of records that are not counted
BROKER_WARM_UP_SECONDS = 40  # of a run before: a young broker spends its one core on compiling itself
BROKER_WARM_UP_RATE = 20_000
START_SECONDS = 60
LIMIT_RATES = [10_000, 20_000, 40_000, 80_000, 160_000, 320_000]  # tried one after the other
LIMIT_SECONDS = 5
KEPT_UP_MS = 500  # a rate that a job carries leaves no longer queue
END_SECONDS = 60
FAST = ["-X", "linger.ms=4", "-X", "socket.nagle.disable=true"]


class Reader(threading.Thread):
    """Counts the records of the output by (due, arrived in milliseconds)."""

    def __init__(self, cluster):
        super().__init__(daemon=True)
        self.process = subprocess.Popen(
            ["kcat", "-C", "-q", "-u", "-b", cluster.bootstrap, "-t", "latency-out", "-o", "end", "-X", "isolation.level=read_committed",
             "-X", "fetch.wait.max.ms=5", "-X", "fetch.error.backoff.ms=1"], stdout=subprocess.PIPE)
        self.delays = Counter()  # of milliseconds
        self.records = 0
        self.since = 0.0  # earlier ones are not counted

    def run(self):
        rest = b""
        while chunk := os.read(self.process.stdout.fileno(), 1 << 20):
            now = time.time()
            *lines, rest = (rest + chunk).split(b"\n")
            for due, count in Counter(line[:17] for line in lines).items():
                self.records += count
                if float(due) >= self.since:
                    self.delays[round((now - float(due)) * 1000, 1)] += count

    def percentile(self, share):
        left = share * self.delays.total()
        for delay in sorted(self.delays):
            left -= self.delays[delay]
            if left <= 0:
                return delay
        return float("nan")


def write(cluster, rate, seconds):
    """Open loop: each tick's records when they are due, or at once when that is past. Returns how many."""
    writers = [subprocess.Popen(["kcat", "-P", *FAST, "-b", cluster.bootstrap, "-t", "latency-in", "-p", str(partition)],
                                stdin=subprocess.PIPE) for partition in range(PARTITIONS)]
    begin, written = time.time() + 0.5, 0
    for tick in range(int(seconds / TICK_SECONDS)):
        due = begin + tick * TICK_SECONDS
        count = int((tick + 1) * TICK_SECONDS * rate) - written
        while (wait := due - time.time()) > 0:
            time.sleep(wait)
        if count:
            line = f"{due:017.6f}".ljust(RECORD_BYTES - 1, ".") + "\n"
            writers[tick % PARTITIONS].stdin.write((line * count).encode())
            writers[tick % PARTITIONS].stdin.flush()
            written += count
    for writer in writers:
        writer.stdin.close()
        writer.wait()
    return written


def wait_for_job(kafka, reader):
    """Writes records one by one until the reader has one, then until it has the last. Returns how many the reader will get."""
    deadline = time.monotonic() + START_SECONDS
    last = reader.records
    while reader.records == 0 or reader.records != last:
        if time.monotonic() > deadline:
            raise RuntimeError("the job gives nothing")
        last = reader.records
        if last == 0:
            kafka.produce("latency-in", [(None, f"{time.time():017.6f}", 0)])
        time.sleep(1)
    return reader.records


def run(cluster, rate, seconds, delivery):
    """The Reader after one run; raises when records are lost or doubled."""
    kafka = Client(cluster)
    for topic in ("latency-in", "latency-out"):
        if kafka.partitions(topic):
            kafka.delete_topic(topic)
        kafka.create_topic(topic, PARTITIONS)
    brokers = json.dumps([cluster.bootstrap])
    with tempfile.TemporaryDirectory() as state, subprocess.Popen(
            ["taskset", "-c", ENGINE_CORE, MILLRACE, "run", HERE / "jobs" / "latency.yaml", "--quiet", "--threads", "1", "--state", state,
             "--set", f"spec.sources.records.kafka.brokers={brokers}", "--set", f"spec.sinks.out.kafka.brokers={brokers}",
             "--set", f"spec.sinks.out.delivery={delivery}"]) as job:
        reader = Reader(cluster)
        reader.start()
        reader.since = float("inf")
        written = wait_for_job(kafka, reader)
        reader.since = time.time() + WARM_UP_SECONDS
        written += write(cluster, rate, seconds + WARM_UP_SECONDS)
        deadline = time.monotonic() + END_SECONDS
        while reader.records < written and time.monotonic() < deadline:
            time.sleep(0.05)
        job.terminate()
        job.wait()
        reader.process.terminate()
        reader.join()
    if reader.records != written:
        raise RuntimeError(f"{written} records written, {reader.records} read")
    return reader


def find_limit(cluster, delivery):
    """The highest rate of which 99 of 100 records came within KEPT_UP_MS."""
    carried = 0
    for rate in LIMIT_RATES:
        late = run(cluster, rate, LIMIT_SECONDS, delivery).percentile(0.99)
        print(f"{rate} records/s: p99 {late:.0f} ms", flush=True)
        if late > KEPT_UP_MS:
            break
        carried = rate
    if not carried:
        raise RuntimeError("the job carries none of these rates; the machine is busy")
    return carried


def main():
    parser = argparse.ArgumentParser(description="From due to visible, through a job with batches of 10 ms.")
    parser.add_argument("--rate", type=int, help="records a second (default: half of what is carried)")
    parser.add_argument("--seconds", type=int, default=30)
    parser.add_argument("--delivery", choices=["ExactlyOnce", "AtLeastOnce"], default="ExactlyOnce")
    arguments = parser.parse_args()
    with Cluster(heap_mib=BROKER_HEAP_MIB, options=BROKER_OPTIONS, cpus=BROKER_CORE) as cluster:
        run(cluster, BROKER_WARM_UP_RATE, BROKER_WARM_UP_SECONDS, arguments.delivery)
        rate = arguments.rate or find_limit(cluster, arguments.delivery) // 2
        reader = run(cluster, rate, arguments.seconds, arguments.delivery)
        print("| delivery | records/s | p50 ms | p99 ms | p99.9 ms | max ms |\n|---|---|---|---|---|---|")
        print(f"| {arguments.delivery} | {rate} | {reader.percentile(0.5):.0f} | {reader.percentile(0.99):.0f} | "
              f"{reader.percentile(0.999):.0f} | {max(reader.delays):.0f} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

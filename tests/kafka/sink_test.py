#!/usr/bin/env python3
"""Exactly once into Kafka, on a real broker: `millrace run` is killed at each step of a delivery, started again, and a reader of
committed records must see every row once. A suspended process that has been replaced is fenced and exits with 3.

sink_test.py --millrace PATH [--only NAME]
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

from broker import Cluster
from client import Client

ROWS = 4000
RUN_SECONDS = 90
EXIT_FAILED = 1
EXIT_FENCED = 3
EXIT_NOT_FOUND = 4
FAILPOINTS = ["kafka.before_produce", "kafka.mid_transaction", "kafka.before_commit", "kafka.after_commit", "run.delivered", "commit.before",
              "commit.after"]

JOB = """
apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: numbers}
spec:
  batchInterval: 50ms
  sources:
    - name: numbers
      generator: {fields: {id: "seq", text: '"row " + string(seq)'}, rate: 8000, count: COUNT, partitions: 2}
  sinks:
    - name: out
      from: numbers
      kafka: {brokers: [BROKERS], topic: TOPIC, keyExpr: 'string(id)', createTopic: {partitions: 3}EXTRA}
      format: {json: {}}
"""


def check_steps(sources):
    """Every step of the sink that has a name is one that this test kills at."""
    named = set()
    for path in pathlib.Path(sources).rglob("*.cc"):
        named.update(re.findall(r'Failpoint\("(kafka\.[^"]+)"\)', path.read_text(encoding="utf-8")))
    if not named or not named <= set(FAILPOINTS):
        raise Failure(f"steps without a test: {sorted(named - set(FAILPOINTS))}")


class Failure(Exception):
    """A promise was broken; the message says which."""


class Place:
    """One job with a folder of its own."""

    def __init__(self, millrace, cluster, name, count=ROWS, extra=""):
        self.millrace, self.topic, self.count = millrace, name, count
        self.root = tempfile.mkdtemp(prefix="millrace-kafka-sink-")
        self.job = os.path.join(self.root, "job.yaml")
        self.state = os.path.join(self.root, "state")
        brokers = ", ".join(f'"{address}"' for address in cluster.bootstrap.split(","))
        text = JOB.replace("COUNT", str(count)).replace("BROKERS", brokers).replace("TOPIC", name).replace("EXTRA", extra)
        with open(self.job, "w", encoding="utf-8") as out:
            out.write(text)

    def start(self, failpoint=None, state=None):
        environment = {key: value for key, value in os.environ.items() if key != "MILLRACE_FAILPOINT"}
        if failpoint:
            environment["MILLRACE_FAILPOINT"] = failpoint
        command = [self.millrace, "run", self.job, "--state", state or self.state, "--quiet", "--threads", "2"]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def finish(self, process, code=0, seconds=RUN_SECONDS):
        try:
            _, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failure(f"still running after {seconds} s\n{process.communicate()[1][-3000:]}") from None
        if process.returncode != code:
            raise Failure(f"exit code {process.returncode}, expected {code}\n{errors[-3000:]}")
        return errors

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)


def check_rows(client, place):
    """Every row once, with its key, in the order of each key's partition."""
    records = client.consume(place.topic)
    rows = Counter(json.loads(record.value)["id"] for record in records)
    want = Counter(range(place.count))
    lost, extra = want - rows, rows - want
    if lost or extra:
        raise Failure(f"{sum(lost.values())} rows lost {sorted(lost)[:5]}, {sum(extra.values())} too many {sorted(extra)[:5]}")
    wrong = [record for record in records if json.loads(record.value)["id"] != int(record.key)]
    if wrong:
        raise Failure(f"wrong key: {wrong[0]}")


def run_plain(client, cluster, millrace):
    place = Place(millrace, cluster, "plain")
    place.finish(place.start())
    check_rows(client, place)
    if len(client.partitions("plain")) != 3:
        raise Failure("createTopic was not obeyed")
    place.remove()


def run_killed(client, cluster, millrace, step):
    """Killed in its first delivery, then in the delivery after the repeated one: a slow start may leave only two batches."""
    place = Place(millrace, cluster, "killed-" + step.replace("_", "-"))
    place.finish(place.start(f"{step}:1"), -signal.SIGKILL)
    place.finish(place.start(f"{step}:2"), -signal.SIGKILL)
    place.finish(place.start())
    check_rows(client, place)
    place.remove()


def run_at_least_once(client, cluster, millrace):
    """Killed between produce and commit: no row is lost, and those of the batch that is repeated come twice."""
    place = Place(millrace, cluster, "at-least-once")
    with open(place.job, encoding="utf-8") as text:
        job = text.read()
    with open(place.job, "w", encoding="utf-8") as out:
        out.write(job.replace("from: numbers\n", "from: numbers\n      delivery: AtLeastOnce\n"))
    place.finish(place.start("kafka.after_commit:2"), -signal.SIGKILL)
    place.finish(place.start())
    rows = Counter(json.loads(record.value)["id"] for record in client.consume(place.topic))
    if set(rows) != set(range(place.count)):
        raise Failure(f"{place.count - len(rows)} rows lost, {len(set(rows) - set(range(place.count)))} from nowhere")
    twice = [row for row, count in rows.items() if count > 1]
    print(f"  {len(twice)} of {place.count} rows twice, none lost")
    if not twice or max(rows.values()) > 2:
        raise Failure("a batch that is repeated once gives its rows twice")
    place.remove()


def run_fenced(client, cluster, millrace):
    """A process is suspended, its state copied, a second process takes over and ends the job; the first one wakes up."""
    place = Place(millrace, cluster, "fenced", count=40000)
    old = place.start()
    client.consume_until(place.topic, lambda records: len(records) > 2000, seconds=RUN_SECONDS) if wait_topic(client, place) else None
    old.send_signal(signal.SIGSTOP)
    copy = place.state + "-copy"
    shutil.copytree(place.state, copy)
    place.finish(place.start(state=copy))
    check_rows(client, place)
    old.send_signal(signal.SIGCONT)
    began = time.monotonic()
    errors = place.finish(old, EXIT_FENCED)
    if "taken over" not in errors:
        raise Failure(f"the reason is not named: {errors[-500:]}")
    print(f"  fenced {time.monotonic() - began:.1f} s after it woke up")
    check_rows(client, place)
    place.remove()


def wait_topic(client, place):
    deadline = time.monotonic() + RUN_SECONDS
    while len(client.partitions(place.topic)) < 3:
        if time.monotonic() > deadline:
            raise Failure("the topic was not created")
        time.sleep(0.05)
    return True


def run_broker_killed(client, cluster, millrace):
    """The only broker is killed and started again while the job writes: it waits and ends."""
    place = Place(millrace, cluster, "broker-killed", count=24000)
    process = place.start()
    wait_topic(client, place)
    time.sleep(1)
    cluster.kill(1)
    cluster.restart(1)
    place.finish(process, seconds=150)
    check_rows(client, place)
    place.remove()


def run_missing_topic(client, cluster, millrace):
    place = Place(millrace, cluster, "missing")
    with open(place.job, encoding="utf-8") as text:
        job = text.read()
    with open(place.job, "w", encoding="utf-8") as out:
        out.write(job.replace(", createTopic: {partitions: 3}", ""))
    errors = place.finish(place.start(), EXIT_NOT_FOUND)
    if "does not exist" not in errors:
        raise Failure(f"the reason is not named: {errors[-500:]}")
    place.remove()


def ledgers(cluster):
    return [name for name in cluster.metadata().topics if name.endswith(".out.ledger")]


def run_ledger_gone(client, cluster, millrace):
    """Once batches are committed, a ledger that is gone is no first run, however often the job is started."""
    before = set(ledgers(cluster))
    place = Place(millrace, cluster, "ledger-gone")
    place.finish(place.start("commit.after:2"), -signal.SIGKILL)
    (ledger,) = set(ledgers(cluster)) - before
    client.delete_topic(ledger)
    for _ in range(2):
        errors = place.finish(place.start(), EXIT_FAILED)
        if f"StateLost: the ledger {ledger} of Kafka sink out is gone" not in errors:
            raise Failure(f"the reason is not named: {errors[-500:]}")
    place.remove()


def run_too_large(client, cluster, millrace):
    """Rows beyond the topic's limit are skipped, the others written."""
    place = Place(millrace, cluster, "too-large", extra=", compression: None")
    client.create_topic("too-large", 3, {"max.message.bytes": "2000"})
    with open(place.job, encoding="utf-8") as text:
        job = text.read()
    long_row = "'\"row \" + string(seq) + (seq == 700 ? \"" + "x," * 3000 + "\".split(\",\").join(\"yy\") : \"\")'"
    with open(place.job, "w", encoding="utf-8") as out:
        out.write(job.replace("'\"row \" + string(seq)'", long_row).replace("from: numbers\n", "from: numbers\n      onError: Skip\n"))
    place.finish(place.start())
    seen = Counter(json.loads(record.value)["id"] for record in client.consume(place.topic))
    if seen != Counter(set(range(place.count)) - {700}):
        raise Failure(f"{len(seen)} rows, 700 {'there' if 700 in seen else 'left out'}")
    place.remove()


def run_example(client, cluster, millrace):
    job = os.path.join(os.path.dirname(__file__), "..", "..", "examples", "numbers-to-kafka.yaml")
    brokers = json.dumps(cluster.bootstrap.split(","))
    with tempfile.TemporaryDirectory() as state:
        done = subprocess.run([millrace, "run", job, "--state", state, "--quiet", "--set", f"spec.sinks.out.kafka.brokers={brokers}",
                               "--set", "spec.sources.numbers.generator.rate=20000"],
                              capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    if done.returncode != 0:
        raise Failure(f"exit code {done.returncode}\n{done.stderr[-2000:]}")
    records = client.consume("numbers")
    rows = [json.loads(record.value) for record in records]
    if sorted(row["id"] for row in rows) != list(range(10000)):
        raise Failure(f"{len(rows)} rows")
    headers = {(row["even"], record.headers) for row, record in zip(rows, records)}
    if headers != {(True, (("parity", b"even"),)), (False, (("parity", b"odd"),))}:
        raise Failure(f"wrong headers: {headers}")


def cases():
    yield "plain", run_plain
    for step in FAILPOINTS:
        yield step, lambda *peers, step=step: run_killed(*peers, step)
    yield "example", run_example
    yield "at-least-once", run_at_least_once
    yield "fenced", run_fenced
    yield "missing-topic", run_missing_topic
    yield "ledger-gone", run_ledger_gone
    yield "too-large", run_too_large
    yield "broker-killed", run_broker_killed


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--sources", help="folder of the sources, to check that no named step is left out")
    parser.add_argument("--only", help="one case by its name")
    options = parser.parse_args()
    failed = 0
    if options.sources:
        check_steps(options.sources)
    with Cluster() as cluster:
        client = Client(cluster)
        for name, case in cases():
            if options.only not in (None, name):
                continue
            began = time.monotonic()
            try:
                case(client, cluster, options.millrace)
                print(f"{name}: ok, {time.monotonic() - began:.1f} s", flush=True)
            except (Failure, TimeoutError) as failure:
                failed += 1
                print(f"{name}: FAILED: {failure}", flush=True)
    print(f"sink_test: {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

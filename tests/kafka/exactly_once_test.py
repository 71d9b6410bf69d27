#!/usr/bin/env python3
"""Exactly once from topics to topics: the jobs of tests/crash run over Kafka while they are killed, at every named step of a batch's
life and at random moments, and while the broker is; a reader of committed records must see what an oracle says, each row once.

exactly_once_test.py --millrace PATH [--steps] [--kills N] [--broker-kills N] [--seed S] [--job NAME]
"""

import argparse
import json
import os
import random
import re
import sys
import time
import zlib

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "crash"))

import harness  # noqa: E402
from broker import Cluster  # noqa: E402
from client import Client  # noqa: E402
from crash_test import STEPS, Crashes, report  # noqa: E402
from harness import Failure, Verdict  # noqa: E402
from jobs import JOBS  # noqa: E402

PARTITIONS = 2
KAFKA_STEPS = {"kafka.before_produce": 6, "kafka.mid_transaction": 6, "kafka.before_commit": 6, "kafka.after_commit": 6}
ATTEMPT_SECONDS = 20


class Place:
    """One job's topics, and the folder of its state."""

    def __init__(self, root, job, cluster, prefix):
        self.job, self.prefix = job, prefix
        self.kafka = Client(cluster)
        self.state = os.path.join(root, "state")
        self.job_file = os.path.join(root, "job.yaml")
        self.published = 0
        brokers = json.dumps(cluster.bootstrap.split(","))
        text = re.sub(r"file: \{path: ROOT/in/(\w+)\}", rf"kafka: {{brokers: {brokers}, topics: [{prefix}-\1], startFrom: {{earliest: {{}}}}}}", job.yaml)
        text = re.sub(r"file: \{path: ROOT/out/(\w+)\}", rf"kafka: {{brokers: {brokers}, topic: {prefix}-out-\1, createTopic: {{partitions: 3}}}}", text)
        # Rows that replace each other need a key, and are in order of it.
        text = text.replace(f"{prefix}-out-counts, ", f"{prefix}-out-counts, keyExpr: key, ")
        text = text.replace("batchInterval: 20ms", "batchInterval: 20ms\n  restartPolicy: {backoffBase: 100ms, backoffCap: 1s}")
        with open(self.job_file, "w", encoding="utf-8") as out:
            out.write(text)
        for source in job.sources:
            self.kafka.create_topic(f"{prefix}-{source}", PARTITIONS)

    def publish_next(self):
        """Writes one more file's records, those of a key to one partition; False when all are written."""
        if self.published >= len(self.job.files):
            return False
        source, lines = self.job.files[self.published]
        self.kafka.produce(f"{self.prefix}-{source}", [(None, line, partition_of(line)) for line in lines])
        self.published += 1
        return True

    def arguments(self, final):
        arguments = ["run", self.job_file, "--state", self.state, "--quiet", "--threads", "2"]
        for index in range(len(self.job.sources) if final else 0):
            arguments += ["--set", f"spec.sources[{index}].kafka.endAt={{latest: {{}}}}"]
        return arguments

    def rows(self, sink):
        """[(number, row)], the number growing with the rows of a key, as batches do in harness.read_rows."""
        return [(record.offset + 1, json.loads(record.value)) for record in self.kafka.consume(f"{self.prefix}-out-{sink}")]

    def remove(self):
        for topic in [f"{self.prefix}-{source}" for source in self.job.sources] + [f"{self.prefix}-out-{sink}" for sink in self.job.sinks]:
            self.kafka.delete_topic(topic)


def partition_of(line):
    """By key; lines that do not decode go by their bytes."""
    key = re.search(r'"key": "(\w+)"', line)
    return zlib.crc32((key.group(1) if key else line).encode()) % PARTITIONS


def calm_start(millrace, place):
    """Late records are late only behind a watermark: they wait until what comes first is committed."""
    while place.published < place.job.calm_files:
        place.publish_next()
    harness.run(millrace, place.arguments(False) + ["--until-idle", "1s"])


def finish_job(millrace, place, crashes, failpoint=None):
    while place.publish_next():
        pass
    # A batch that was begun ends under the job that planned it.
    harness.run(millrace, place.arguments(False) + ["--until-idle", "1s"])
    if failpoint and harness.run(millrace, place.arguments(True), failpoint):
        crashes.kills += 1
    harness.run(millrace, place.arguments(True))
    verdict = place.job.verify({sink: place.rows(sink) for sink in place.job.sinks})
    place.remove()
    return verdict


def kill_at_step(millrace, job, cluster, step, count, crashes):
    with harness.temp_folder() as root:
        place = Place(root, job, cluster, f"{job.name}-{step}".replace(".", "-").replace("_", "-"))
        calm_start(millrace, place)
        while place.published < len(place.job.files) // 2:
            place.publish_next()
        chance = job.random.randrange(1, count + 1)
        # A run that catches up in one batch passes a step once: more arrives while it runs.
        process = harness.start(millrace, place.arguments(False), f"{step}:{chance}")
        deadline = time.monotonic() + ATTEMPT_SECONDS
        while process.poll() is None and time.monotonic() < deadline and place.publish_next():
            time.sleep(0.05)
        if process.poll() is None:
            time.sleep(0.5)
        process.kill()
        harness.finish(process, allow_kill=True)
        crashes.kills += 1
        return finish_job(millrace, place, crashes, failpoint=step)


def kill_at_random(millrace, job, cluster, kills, crashes):
    with harness.temp_folder() as root:
        place = Place(root, job, cluster, f"{job.name}-random")
        calm_start(millrace, place)
        for _ in range(kills):
            process = harness.start(millrace, place.arguments(False))
            for _ in range(1 + len(job.files) // max(1, kills)):
                place.publish_next()
            time.sleep(job.random.randrange(20, 400) / 1000)
            process.kill()
            if not harness.finish(process, allow_kill=True):
                raise Failure(f"{job.name} ended by itself")
            crashes.kills += 1
        return finish_job(millrace, place, crashes)


def kill_broker(millrace, job, cluster, kills, crashes):
    """The job runs on while the broker dies and comes back."""
    with harness.temp_folder() as root:
        place = Place(root, job, cluster, f"{job.name}-broker")
        calm_start(millrace, place)
        process = harness.start(millrace, place.arguments(False))
        for _ in range(kills):
            for _ in range(1 + len(job.files) // (kills + 1)):
                place.publish_next()
            time.sleep(job.random.randrange(100, 600) / 1000)
            cluster.kill()
            cluster.restart()
            crashes.kills += 1
        process.terminate()
        harness.finish(process)
        return finish_job(millrace, place, crashes)


def run_all(options, jobs, cluster, crashes):
    total = Verdict()

    def judge(name, verdict):
        report(name, verdict, crashes)
        total.add(verdict)

    steps = {**{step: count for step, count in STEPS.items() if not step.startswith("file_sink")}, **KAFKA_STEPS}
    for index, step in enumerate(steps if options.steps else []):
        make_job = jobs[index % len(jobs)]  # every step once, every job several times
        judge(f"{make_job.name} at {step}", kill_at_step(options.millrace, make_job(options.seed), cluster, step, steps[step], crashes))
    for make_job in jobs if options.kills else []:
        judge(make_job.name, kill_at_random(options.millrace, make_job(options.seed), cluster, options.kills // len(jobs) + 1, crashes))
    for make_job in jobs if options.broker_kills else []:
        kills = options.broker_kills // len(jobs) + 1
        judge(f"{make_job.name}, broker killed", kill_broker(options.millrace, make_job(options.seed), cluster, kills, crashes))
    return total


def main():
    parser = argparse.ArgumentParser(description="Exactly once from topics to topics.")
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--broker-kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=None)
    parser.add_argument("--job", choices=[job.name for job in JOBS])
    options = parser.parse_args()
    options.seed = random.randrange(1 << 30) if options.seed is None else options.seed
    print(f"seed {options.seed}", flush=True)
    jobs = [job for job in JOBS if options.job in (None, job.name)]
    crashes = Crashes()
    with Cluster() as cluster:
        total = run_all(options, jobs, cluster, crashes)
    print(f"{crashes.kills} kills: {total.lost} rows lost, {total.duplicated} unexpected")
    return 1 if total.lost or total.duplicated or total.examples else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"FAILED: {failure}")

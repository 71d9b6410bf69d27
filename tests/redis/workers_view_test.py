#!/usr/bin/env python3
"""What two workers of one job say of themselves over HTTP, while the job runs and after one was killed.

workers_view_test.py --millrace PATH
"""

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

import server as redis
from harness import Failure, run_scenarios

WAIT_SECONDS = 60
GROUPS = 8

JOB = """apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: view}
spec:
  batchInterval: 100ms
  maxParallelism: 8
  sources:
    - name: numbers
      generator: {fields: {id: "seq", key: '"key" + string(seq % 100)'}, rate: 2000, partitions: 3}
  streams:
    - name: totals
      from: numbers
      steps:
        - aggregate: {key: [key], window: {global: {}}, values: {hits: count()}, emit: Changes}
  sinks:
    - {name: out, from: totals, redis: {address: "ADDRESS", keyExpr: key}}
  state: {redis: {addresses: ["ADDRESS"]}}
"""


def wait(condition, what):
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        answer = condition()
        if answer:
            return answer
        time.sleep(0.05)
    raise Failure(f"{WAIT_SECONDS} s passed before {what}")


class Worker:
    """A worker process and its HTTP server."""

    def __init__(self, millrace, job, name, arguments=None):
        self.log = os.path.join(os.path.dirname(job), name)
        arguments = arguments or ["worker", "--job", job, "--member", name, "--lease", "2s", "--accept-redis-loss"]
        command = [millrace, *arguments, "--threads", "1", "--metrics-address", "127.0.0.1:0"]
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out)
        port = wait(self.port, f"{name} served its status")
        self.base = f"http://127.0.0.1:{port}"

    def port(self):
        with open(self.log, encoding="utf-8") as text:
            found = re.search(r"serving metrics and status.*port=(\d+)", text.read())
        return found and found[1]

    def get(self, path):
        """Status code and body."""
        try:
            with urllib.request.urlopen(self.base + path, timeout=20) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def status(self):
        return json.loads(self.get("/status")[1])

    def metric(self, name, label=""):
        text = self.get("/metrics")[1]
        found = re.search(rf"^{name}{{[^}}]*{label}[^}}]*}} (\S+)$", text, re.MULTILINE)
        if not found:
            raise Failure(f"no metric {name} {label}")
        return float(found[1])

    def kill(self):
        self.process.kill()
        self.process.wait()


class Pair:
    """A Redis and two workers of a job."""

    def __init__(self, millrace):
        self.millrace, self.root = millrace, tempfile.mkdtemp(prefix="millrace-view-")

    def __enter__(self):
        self.redis = redis.Server().__enter__()
        job = os.path.join(self.root, "job.yaml")
        with open(job, "w", encoding="utf-8") as out:
            out.write(JOB.replace("ADDRESS", self.redis.address))
        self.workers = [Worker(self.millrace, job, name) for name in ("one", "two")]
        wait(lambda: all(w.status()["worker"]["slots"] == 2 and w.status()["committedBatch"] >= 5 for w in self.workers), "two workers ran")
        return self

    def __exit__(self, *_):
        for worker in self.workers:
            worker.kill()
        self.redis.__exit__(None, None, None)
        shutil.rmtree(self.root, ignore_errors=True)

    def leader(self):
        return next(w for w in self.workers if w.status()["worker"]["leading"])


def numbers(text):
    """The numbers that "0-2,5" names."""
    spans = [part.split("-") for part in text.split(",") if part]
    return [n for span in spans for n in range(int(span[0]), int(span[-1]) + 1)]


def check(truth, what):
    if not truth:
        raise Failure(what)


def check_assignment(status):
    worker = status["worker"]
    groups = sorted(n for slot in worker["assignment"] for n in numbers(slot["keyGroups"]))
    check(groups == list(range(GROUPS)), f"key groups {groups}")
    partitions = sorted(n for slot in worker["assignment"] for n in numbers(slot["partitions"]["numbers"]))
    check(partitions == [0, 1, 2], f"partitions {partitions}")
    check({slot["member"] for slot in worker["assignment"]} == {m["member"] for m in worker["members"]}, f"members {worker['members']}")


def rows(worker, query):
    code, body = worker.get(f"/state/totals.aggregate?{query}")
    check(code == 200, f"{query}: {code} {body}")
    return json.loads(body)


def check_errors(worker):
    for code, query in ((404, "totals?key=key1"), (404, "totals.aggregate?key=none"), (400, "totals.aggregate?limit=0"),
                        (400, "totals.aggregate?key=a&prefix=b")):
        got = worker.get(f"/state/{query}")
        check(got[0] == code and "error" in json.loads(got[1]), f"{query}: {got}")


def answers_from_every_worker(millrace):
    with Pair(millrace) as pair:
        wait(lambda: all(w.status()["committedBatch"] >= 20 for w in pair.workers), "batch 20 was committed")
        for worker in pair.workers:
            everything = rows(worker, "limit=1000")
            hits = {row["key"]: row["hits"] for row in everything["rows"]}
            check(set(hits) == {f"key{i}" for i in range(100)} and not everything["truncated"], f"{len(hits)} keys")
            check(max(hits.values()) - min(hits.values()) <= 3, "all rows are of one batch")
            one = rows(worker, "key=key7")
            check(one["batch"] >= everything["batch"] and one["rows"][0]["hits"] >= hits["key7"], f"{one}")
            check({row["key"] for row in rows(worker, "prefix=key9")["rows"]} == {"key9", *(f"key9{i}" for i in range(10))}, "prefix")
            few = rows(worker, "limit=3")
            check(len(few["rows"]) == 3 and few["truncated"], f"{few}")
            check_errors(worker)
            check(worker.metric("millrace_redis_round_trips_total", 'purpose="query"') > 0, "round trips of queries")
        pair.redis.kill()
        check(pair.workers[0].get("/state/totals.aggregate?key=key7")[0] == 503, "an answer without Redis")


def answers_from_a_single_process(millrace):
    root = tempfile.mkdtemp(prefix="millrace-view-")
    job = os.path.join(root, "job.yaml")
    with open(job, "w", encoding="utf-8") as out:
        out.write(JOB.replace("ADDRESS", "127.0.0.1:1"))  # neither sink nor state is used
    worker = Worker(millrace, job, "run", ["run", job, "--state", "memory", "--sink", "none", "--quiet"])
    try:
        wait(lambda: worker.status()["committedBatch"] >= 10, "batch 10 was committed")
        everything = rows(worker, "limit=1000")
        check(len(everything["rows"]) == 100 and everything["batch"] >= 10, f"{everything['batch']}")
        check(rows(worker, "key=key7")["rows"][0]["hits"] > 0, "hits")
        check_errors(worker)
    finally:
        worker.kill()
        shutil.rmtree(root, ignore_errors=True)


def says_who_works_where(millrace):
    with Pair(millrace) as pair:
        leader = pair.leader()
        follower = next(w for w in pair.workers if w is not leader)
        for worker in pair.workers:
            check_assignment(worker.status())
            check(worker.get("/readyz")[0] == 200 and worker.get("/healthz")[0] == 200, "not ready")
            check(worker.status()["worker"]["batches"], "no batches")
        one, two = leader.status()["worker"], follower.status()["worker"]
        check(two["leader"] == one["member"] and one["epoch"] == two["epoch"] and one["generation"] == two["generation"], f"{one} {two}")
        check(one["leadership"]["phase"] == "running" and "leadership" not in two, f"{one}")
        check(leader.status()["batches"], "the leader keeps the job's batches")
        check(leader.metric("millrace_leader") == 1 and follower.metric("millrace_leader") == 0, "leader")
        check(leader.metric("millrace_commit_seconds_count") >= 5, "commits")
        for worker in pair.workers:
            check(worker.metric("millrace_blob_bytes_total", 'kind="delta"') > 0, "blob bytes")
            check(worker.metric("millrace_exchange_sent_bytes_total") > 0, "exchange")
            check(worker.metric("millrace_redis_round_trips_total", 'purpose="state"') > 0, "round trips")
            check(worker.metric("millrace_recoveries_total") >= 1, "recoveries")


def tells_of_a_recovery(millrace):
    with Pair(millrace) as pair:
        leader = pair.leader()
        left = next(w for w in pair.workers if w is not leader)
        before = left.status()["worker"]
        leader.kill()
        after = wait(lambda: (w := left.status()["worker"])["leading"] and w["slots"] == 1 and w["state"] == "open" and w, "the other one led")
        check(after["epoch"] > before["epoch"] and after["generation"] != before["generation"], f"{after}")
        newest = after["recoveries"][0]
        check(newest["step"] == "done" and newest["units"] > 0 and newest["bytes"] > 0, f"{newest}")
        check(left.metric("millrace_elections_total") == 1 and left.metric("millrace_key_groups") == GROUPS, "elections")
        check(left.metric("millrace_generation_open_seconds_count") == 1, "generations")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--only")
    options = parser.parse_args()
    scenarios = [("says who works where", says_who_works_where), ("tells of a recovery", tells_of_a_recovery),
                 ("answers from every worker", answers_from_every_worker), ("answers from a single process", answers_from_a_single_process)]
    return run_scenarios(scenarios, options.millrace, options.only)


if __name__ == "__main__":
    sys.exit(main())

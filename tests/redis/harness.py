"""Jobs that write to Redis, in a folder of their own, and what their sinks must hold."""

import os
import shutil
import subprocess
import tempfile
import time
from collections import Counter

import server as redis

ROWS = 12000
RUN_SECONDS = 120
SKIPPED = 77

JOB = """
apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: numbers}
spec:
  batchInterval: 200ms
  sources:
    - name: numbers
      generator: {fields: {id: "seq", text: '"row " + string(seq)'}, rate: 20000, count: COUNT, partitions: 2}
  sinks:
"""
SINKS = {
    "list": """
    - {name: list, from: numbers, redis: {address: "ADDRESS", type: List, keyExpr: 'TAG"list:" + string(id % 7)', valueExpr: id}}
""",
    "stream": """
    - {name: stream, from: numbers, redis: {address: "ADDRESS", type: Stream, keyExpr: 'TAG"stream"'}}
""",
    "hash": """
    - {name: hash, from: numbers, redis: {address: "ADDRESS", keyExpr: 'TAG"hash:" + string(id)', deleteWhen: id % 10 == 9, ttl: 1h}}
""",
    "string": """
    - {name: string, from: numbers, redis: {address: "ADDRESS", type: String, keyExpr: 'TAG"string:" + string(id)'}, format: {json: {}}}
""",
    "sorted": """
    - {name: sorted, from: numbers, redis: {address: "ADDRESS", type: SortedSet, keyExpr: 'TAG"sorted"', valueExpr: text, scoreExpr: id}}
""",
}

class Failure(Exception):
    """A promise was broken; the message says which."""


class Place:
    """One job with a folder of its own."""

    def __init__(self, millrace, address, kinds, count=ROWS, edit=lambda text: text):
        self.millrace, self.count = millrace, count
        self.root = tempfile.mkdtemp(prefix="millrace-redis-sink-")
        self.job = os.path.join(self.root, "job.yaml")
        self.state = os.path.join(self.root, "state")
        text = JOB.replace("COUNT", str(count)) + "".join(SINKS[kind].replace("ADDRESS", address) for kind in kinds)
        with open(self.job, "w", encoding="utf-8") as out:
            out.write(edit(text).replace("'TAG", "'"))

    def start(self, failpoint=None, state=None, extra=()):
        environment = {key: value for key, value in os.environ.items() if key != "MILLRACE_FAILPOINT"}
        if failpoint:
            environment["MILLRACE_FAILPOINT"] = failpoint
        command = [self.millrace, "run", self.job, "--state", state or self.state, "--quiet", "--threads", "2", *extra]
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


def same(what, got, want):
    got, want = Counter(got), Counter(want)
    lost, extra = want - got, got - want
    if lost or extra:
        raise Failure(f"{what}: {sum(lost.values())} lost {sorted(lost)[:5]}, {sum(extra.values())} too many {sorted(extra)[:5]}")


def run_scenarios(scenarios, millrace, only=None):
    """The exit code of a test: (name, function of the binary's path) in order."""
    if not redis.installed():
        print("redis-server is not installed")
        return SKIPPED
    failed = 0
    for name, run in scenarios:
        if only and only not in name:
            continue
        begin = time.monotonic()
        try:
            run(millrace)
            print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Failure as failure:
            failed += 1
            print(f"FAIL {name}: {failure}", flush=True)
    return 1 if failed else 0

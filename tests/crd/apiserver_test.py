#!/usr/bin/env python3
"""Installs crds/streamingjob.yaml on a real API server and applies jobs: those of examples/ are taken, broken ones are refused with
the message of the rule, edits of what is fixed are refused, /scale works.

Usage: apiserver_test.py REPOSITORY
Exits with 77 (skipped) while the server is not built: `make test-cluster` builds and runs it.
"""
import copy
import json
import pathlib
import sys
import time

import apiserver

try:
    import yaml
except ImportError as error:
    print(f"skipped: {error}; install python3-yaml")
    sys.exit(77)

REDIS = {"redis": {"addresses": ["redis:6379"]}}

# A change of a good job and what the answer must contain; None: the job is taken.
CHANGES = [
    ({}, None),
    ({"autoscaling": {"mode": "Internal", "maxWorkers": 5}}, None),
    ({"autoscaling": {"mode": "External"}}, None),
    ({"state": {"memory": {}}}, "state.redis is required in a cluster"),
    ({"state": {**REDIS, "directory": {"path": "/x"}}}, "expected exactly one of memory, directory, redis"),
    ({"state": {"redis": {"addresses": ["a:1", "b:1"]}}}, "mode Standalone has one address"),
    ({"autoscaling": {"mode": "Internal"}}, "mode Internal needs maxWorkers"),
    ({"autoscaling": {"mode": "External", "minWorkers": 1}}, "External leaves the number of workers to others"),
    ({"autoscaling": {"minWorkers": 3, "maxWorkers": 2}}, "maxWorkers must be at least minWorkers"),
    ({"restartPolicy": {"backoffBase": "10m"}}, "backoffCap must be at least backoffBase"),
    ({"batchInterval": "1ms"}, "must be at least 5ms"),
    ({"resources": {"requests": {"gpu": 1}}}, "the resources are cpu, memory and ephemeral-storage"),
    ({"reset": {"id": "a", "state": "Keep"}}, "reset is not supported yet"),
    ({"workers": 1001}, "spec.workers"),
    ({"nonsense": 1}, 'unknown field "spec.nonsense"'),
    ({"sources": [{"name": "s", "stdin": {}, "format": {"text": {}}}]}, "stdin works in local runs only"),
    ({"sources": [{"name": "s", "generator": {"fields": {"a": "seq"}}, "format": {"text": {}}}]}, "format is required, but for generator"),
    ({"sources": [{"name": "s", "generator": {}}]}, "expected exactly one of fields, preset"),
    ({"sinks": [{"name": "o", "from": "counts", "sql": {"url": "mysql://a/b"}}]}, "the sink sql is not supported yet"),
    ({"sinks": [{"name": "o", "from": "counts", "console": {}, "delivery": "ExactlyOnce"}]}, "console is AtLeastOnce"),
    ({"sinks": [{"name": "o", "from": "counts", "kafka": {"brokers": ["k:1"], "topic": "t", "transactionTimeout": "1s"},
                 "format": {"json": {}}}]}, "kafka.transactionTimeout must be longer than batchInterval"),
    ({"streams": [{"name": "counts", "from": "words", "steps": [{"filter": "true", "map": {"a": "b"}}]}]}, "expected exactly one of map, set"),
    ({"streams": [{"name": "counts", "from": "words", "steps": [
        {"aggregate": {"window": {"sliding": {"length": "1s", "slide": "2s"}}, "values": {"n": "count()"}}}]}]}, "slide must not exceed length"),
]
# Edits of a job that is there.
EDITS = [
    ({"maxParallelism": 64}, "maxParallelism is fixed"),
    ({"state": {"redis": {"addresses": ["other:6379"]}}}, "state is fixed"),
    ({"workers": 4}, None),
]


def for_cluster(job):
    """A job with what only a cluster asks for."""
    made = copy.deepcopy(job)
    made["spec"]["state"] = made["spec"].get("state", {}) if "redis" in made["spec"].get("state", {}) else REDIS
    return made


def base_job():
    return {"apiVersion": "streaming.millrace.io/v1alpha1", "kind": "StreamingJob", "metadata": {"name": "base"},
            "spec": {"sources": [{"name": "words", "generator": {"fields": {"word": '"a"'}}}],
                     "sinks": [{"name": "out", "from": "words", "console": {}}], "state": REDIS}}


class Check:
    def __init__(self, server):
        self.server, self.count, self.failures = server, 0, 0

    def that(self, good, what, found):
        self.count += 1
        if not good:
            self.failures += 1
            print(f"FAILED {what}: {found.strip()[:1500]}")

    def apply(self, what, job, want, *options):
        answer = self.server.kubectl("apply", "-f", "-", *options, text=json.dumps(job))
        found = answer.stdout + answer.stderr
        good = answer.returncode == 0 if want is None else answer.returncode != 0 and want in found
        self.that(good, f"{what} (want {want or 'taken'})", found)


def is_served(server):
    """Whether the server answers for the new kind, after some moments at most."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if server.kubectl("get", "streamingjobs").returncode == 0:
            return True
        time.sleep(0.2)
    return False


def check_fixed_and_scale(check):
    check.apply("create", base_job(), None)
    for change, want in EDITS:
        job = base_job()
        job["spec"].update(change)
        check.apply(f"edit {change}", job, want)
    scaled = check.server.kubectl("scale", "sjob/base", "--replicas", "7")
    workers = check.server.kubectl("get", "sjob", "base", "-o", "jsonpath={.spec.workers}")
    check.that(workers.stdout == "7", "scale", scaled.stderr + workers.stdout)
    status = {"phase": "Running", "selector": "app=base", "workers": {"current": 3, "ready": 2, "desired": 7}, "lagRecords": 12}
    check.server.kubectl("patch", "sjob", "base", "--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    scale = check.server.kubectl("get", "--raw", "/apis/streaming.millrace.io/v1alpha1/namespaces/default/streamingjobs/base/scale").stdout
    check.that('"replicas":3' in scale and '"selector":"app=base"' in scale, "scale of the status", scale)
    columns = check.server.kubectl("get", "sjob", "-o", "wide").stdout.splitlines()[0]
    for column in ("PHASE", "READY", "DESIRED", "LAG", "BATCH TIME", "AGE", "GENERATION", "RESTARTS", "LAST ERROR"):
        check.that(column in columns, "columns", columns)


def main():
    missing = apiserver.missing_programs()
    if missing:
        print(f"skipped: no {', '.join(missing)}; run make test-cluster")
        return 77
    root = pathlib.Path(sys.argv[1])
    with apiserver.ApiServer() as server:
        check = Check(server)
        crd = server.kubectl("apply", "-f", str(root / "crds/streamingjob.yaml"))
        check.that(crd.returncode == 0, "install", crd.stdout + crd.stderr)
        check.that(is_served(server), "served", server.kubectl("get", "crd", "-o", "yaml").stdout)
        if check.failures:
            return 1
        for path in sorted((root / "examples").glob("*.yaml")):
            check.apply(path.name, for_cluster(yaml.safe_load(path.read_text())), None, "--dry-run=server")
        for change, want in CHANGES:
            job = base_job()
            job["spec"].update(change)
            check.apply(f"job with {change}", job, want, "--dry-run=server")
        check_fixed_and_scale(check)
        print(f"{check.count} checks, {check.failures} failures")
        return 1 if check.failures else 0


if __name__ == "__main__":
    sys.exit(main())

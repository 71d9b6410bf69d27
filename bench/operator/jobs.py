#!/usr/bin/env python3
"""What many jobs cost millrace-operator, on a real API server without nodes: making their objects, looking at them again after
a restart, waiting, and acting upon an edit.

Usage: jobs.py MILLRACE_OPERATOR [--jobs 1000] [--edits 50] [--idle SECONDS]
"""
import argparse
import concurrent.futures
import pathlib
import statistics
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent.parent / "tests/operator"))
from cluster import JOBS, Cluster, Operator, cpu_seconds, job, memory_bytes, wait_for  # noqa: E402

NAMESPACE = "bench"
PASSES = ['controller_runtime_reconcile_total{controller="streamingjob",result="requeue_after"}',
          'controller_runtime_reconcile_total{controller="streamingjob",result="success"}']
DEPLOYMENTS = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments"


def passes(operator):
    return sum(operator.metric(name) or 0 for name in PASSES)


def make_jobs(api, count):
    def make(number):
        api.call("POST", f"{JOBS}/namespaces/{NAMESPACE}/streamingjobs", job(f"job-{number}", 9090))
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        list(pool.map(make, range(count)))


def settled(servers, operator):
    """The time at which two quiet seconds begin."""
    while True:
        before, begun = len(servers.writes()), time.monotonic()
        time.sleep(2)
        if len(servers.writes()) == before:
            return begun


def start(program, servers, kubeconfig):
    begun = time.monotonic()
    operator = Operator(program, kubeconfig, [NAMESPACE], "--no-leader-elect", "--progress-interval", "10s")
    return operator, begun


def edit(api, number):
    """Seconds from an edit of a job to that of its Deployment."""
    path = f"{JOBS}/namespaces/{NAMESPACE}/streamingjobs/job-{number}"
    api.patch(path, {"spec": {"workers": 2}})
    begun = time.monotonic()
    while api.get(f"{DEPLOYMENTS}/job-{number}-workers")["spec"]["replicas"] != 2:
        time.sleep(0.005)
    return time.monotonic() - begun


def show(name, value):
    print(f"| {name} | {value} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--edits", type=int, default=50)
    parser.add_argument("--idle", type=float, default=60)
    options = parser.parse_args()
    with Cluster() as servers:
        servers.job_namespace(NAMESPACE)
        make_jobs(servers.api, options.jobs)
        kubeconfig = servers.kubeconfig(servers.server.folder / "kubeconfig")
        operator, begun = start(options.program, servers, kubeconfig)
        wait_for("all Deployments", lambda: len(servers.api.items(DEPLOYMENTS)) == options.jobs, 1800)
        show(f"objects of {options.jobs} new jobs made", f"{time.monotonic() - begun:.1f} s")
        settled(servers, operator)
        operator.stop()
        operator, begun = start(options.program, servers, kubeconfig)
        wait_for("a pass over each job", lambda: passes(operator) >= options.jobs, 600)
        show(f"{options.jobs} jobs listed and looked at after a restart", f"{time.monotonic() - begun:.1f} s")
        show("processor time of that", f"{cpu_seconds(operator.process.pid):.2f} s")
        settled(servers, operator)
        used = cpu_seconds(operator.process.pid)
        time.sleep(options.idle)
        show("processor while nothing happens", f"{100 * (cpu_seconds(operator.process.pid) - used) / options.idle:.2f} %")
        show("resident memory", f"{memory_bytes(operator.process.pid) / 1e6:.0f} MB")
        took = sorted(edit(servers.api, number) for number in range(options.edits))
        show("an edit to the Deployment, median", f"{1000 * statistics.median(took):.0f} ms")
        show("an edit to the Deployment, longest", f"{1000 * took[-1]:.0f} ms")
        operator.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())

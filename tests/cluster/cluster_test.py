#!/usr/bin/env python3
"""A job on a whole Kubernetes node: the chart by Helm, workers and operator as pods under the Restricted level, Kafka beside the node.
Records are written all the time, and after each trouble every output must hold each record once.

Usage: cluster_test.py REPOSITORY [--image ARCHIVE] [--programs FOLDER] [--only TEXT]... [--keep]
  --image     the project's image, as scripts/image.sh --archive writes it; otherwise one is made of the programs in FOLDER (build/release)
  --only      of the troubles, those with this in their name
  --keep      leaves the node running when the test fails
Exits with 77 (skipped) without root, containerd or the programs that `make test-cluster` builds.
"""
import argparse
import pathlib
import sys
import time

TESTS = pathlib.Path(__file__).resolve().parent.parent
sys.path += [str(TESTS / name) for name in ("workers", "kafka", "redis")]

import images  # noqa: E402
import node  # noqa: E402
import release  # noqa: E402
import traces  # noqa: E402
import troubles  # noqa: E402
from broker import Cluster  # noqa: E402
from fleet import Broken, wait  # noqa: E402
from layout import ADDRESS  # noqa: E402
from pods import SPACE, SYSTEM, PodFlow  # noqa: E402

IMAGE, NEXT_IMAGE, REDIS_IMAGE = "millrace:0.1.0", "millrace:next", "redis:7.2"
SKIPPED = 77


def load_images(given):
    if given.image:
        images.load(given.image)
    else:
        programs = [given.programs / name for name in ("millrace", "millrace-operator")]
        images.load_programs(f"docker.io/library/{IMAGE}", programs, {"Entrypoint": ["millrace"], "Cmd": ["help"]})
    images.tag(f"docker.io/library/{IMAGE}", f"docker.io/library/{NEXT_IMAGE}")
    images.load_programs(f"docker.io/library/{REDIS_IMAGE}", ["/usr/bin/redis-server", "/usr/bin/redis-cli"], {"Cmd": ["redis-server"]})


def first_batch(flow):
    """Seconds from `kubectl apply` to the first row that a reader of committed records sees, and from the start of a pod to its readiness."""
    begin = time.monotonic()
    flow.apply()
    started, ready = {}, {}

    def committed():
        now = time.monotonic()
        for pod in flow.pods():
            name, state = pod["metadata"]["name"], pod["status"].get("containerStatuses", [{}])[0]
            if "running" in state.get("state", {}):
                started.setdefault(name, now)
            if state.get("ready"):
                ready.setdefault(name, now)
        return flow.reader.read()["copies"]

    wait(committed, "a first row was committed")
    took = time.monotonic() - begin
    wait(lambda: committed() and len(ready) >= flow.job["spec"]["workers"], "the workers were ready")
    longest = max(ready[name] - started[name] for name in ready)
    print(f"apply to first committed batch: {took:.1f} s; start of a pod to ready: {longest:.1f} s", flush=True)


def memory():
    """Resident bytes of each worker."""
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().split(b"\0")
            if words[:2] == [b"millrace", b"worker"]:
                pages = int((path.parent / "statm").read_text().split()[1])
                found.append(pages * 4096)
        except (OSError, IndexError):
            continue
    return found


def run_troubles(given, kafka):
    with PodFlow(kafka, "orders", workers=2) as flow:
        time.sleep(1)  # something to read is there
        first_batch(flow)
        flow.wait_phase("Running")
        for trouble in troubles.ALL:
            name = trouble.__name__.replace("_", " ")
            if given.only and not any(text in name for text in given.only):
                continue
            begin = time.monotonic()
            trouble(flow, kafka)
            count = flow.settle()
            print(f"{name}: ok, {time.monotonic() - begin:.0f} s, {count} records, each once; restarts {flow.restarts()}", flush=True)
        print(f"memory of workers: {', '.join(f'{each / 1e6:.0f} MB' for each in memory())}", flush=True)
        print(f"{flow.finish()} records, each once, in all four outputs", flush=True)
        troubles.delete_job(flow)
        print("delete the job: nothing is left", flush=True)


def explain():
    for command in (["get", "sjob,pods,deployments,events", "-A", "-o", "wide"], ["-n", SPACE, "describe", "sjob"],
                    ["-n", SPACE, "logs", "-l", "app.kubernetes.io/component=worker", "--tail=15", "--prefix"],
                    ["-n", SYSTEM, "logs", "-l", "app.kubernetes.io/component=operator", "--tail=15", "--prefix"]):
        print(f"---- kubectl {' '.join(command)}\n{node.kubectl(*command, check=False)[-8000:]}", flush=True)


def arguments():
    parser = argparse.ArgumentParser(description="A job on a whole Kubernetes node.")
    parser.add_argument("repository", type=pathlib.Path)
    parser.add_argument("--image")
    parser.add_argument("--programs", type=pathlib.Path)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    given.repository = given.repository.resolve()
    given.programs = given.programs or given.repository / "build/release"
    return given


def test(given):
    begin = time.monotonic()
    node.up()
    print(f"node: ready after {time.monotonic() - begin:.0f} s", flush=True)
    load_images(given)
    release.install(given.repository)
    release.first_job(given.repository)
    with Cluster(host=ADDRESS) as kafka:
        run_troubles(given, kafka)
    release.uninstall()


def main():
    given = arguments()
    lacking = node.missing() + release.missing()
    if lacking:
        print(f"skipped: no {', '.join(lacking)}; make test-cluster gets all but root")
        return SKIPPED
    kept = False
    try:
        test(given)
    except BaseException as failure:
        if not isinstance(failure, KeyboardInterrupt):
            explain()
        kept = given.keep
        raise
    finally:
        if not kept:
            node.down()
    left = traces.left()
    if left:
        print("the node left:\n" + "\n".join(left))
    return 1 if left else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as failure:
        sys.exit(f"FAILED: {failure}")

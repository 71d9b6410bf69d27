#!/usr/bin/env python3
"""Installs, upgrades, rolls back and removes the chart on a real API server, applies deploy/millrace.yaml, and asks the server what the
operator's account may do. No kubelet, so no pod runs: the operator's command runs here, with the arguments of its Deployment and the
rights of its account, and what `helm test` asks it is asked.

Usage: release_test.py REPOSITORY [OPERATOR MILLRACE]
Exits with 77 (skipped) while the server or helm is not built: `make test-cluster` builds both.
"""
import base64
import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else ".").resolve()
sys.path[:0] = [str(ROOT / "tests/crd"), str(ROOT / "tests/ship")]

import apiserver  # noqa: E402

try:
    import yaml

    import catalogue
    import chart
except ImportError as error:
    print(f"skipped: {error}; install python3-yaml")
    sys.exit(77)

SPACE = "millrace-system"
WAIT_SECONDS = 120
CRD = "streamingjobs.streaming.millrace.io"
ACCOUNT = f"system:serviceaccount:{SPACE}:millrace"
# Verb, object, namespace, and whether the operator may.
QUESTIONS = [
    ("list", "streamingjobs.streaming.millrace.io", SPACE, True),
    ("patch", "streamingjobs.streaming.millrace.io/status", SPACE, True),
    ("create", "deployments.apps", SPACE, True),
    ("update", "leases.coordination.k8s.io", SPACE, True),
    ("get", "namespaces", SPACE, True),
    ("get", "secrets", SPACE, False),
    ("list", "secrets", "default", False),
    ("create", "pods", SPACE, False),
    ("create", "deployments.apps", "default", False),
    ("list", "streamingjobs.streaming.millrace.io", "default", False),
    ("update", "leases.coordination.k8s.io", "kube-system", False),
    ("create", "rolebindings.rbac.authorization.k8s.io", SPACE, False),
]
JOB = """
apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: kept, namespace: millrace-system}
spec:
  state: {redis: {addresses: ["redis:6379"]}}
  sources: [{name: numbers, generator: {fields: {i: seq}, rate: 10}}]
  sinks: [{name: screen, from: numbers, console: {}}]
"""


class Cluster:
    """The server with helm and kubectl on it; `check` ends the test with what went wrong."""

    def __init__(self, server):
        self.server = server
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "here",
                  "clusters": [{"name": "here", "cluster": {"server": f"https://127.0.0.1:{server.port}", "insecure-skip-tls-verify": True}}],
                  "users": [{"name": "admin", "user": {"token": server.token}}],
                  "contexts": [{"name": "here", "context": {"cluster": "here", "user": "admin"}}]}
        self.config = server.folder / "kubeconfig"
        self.config.write_text(json.dumps(config))

    def helm(self, *arguments):
        environment = {"KUBECONFIG": str(self.config), "HOME": str(self.server.folder), "PATH": "/usr/bin:/bin"}
        done = subprocess.run([chart.HELM, *arguments, "--namespace", SPACE], env=environment, capture_output=True, text=True, timeout=300, check=False)
        check(done.returncode == 0, f"helm {' '.join(map(str, arguments))}: {done.stderr}")
        return done.stdout

    def get(self, *what):
        done = self.server.kubectl("get", *what, "-o", "json")
        return json.loads(done.stdout) if done.returncode == 0 else None

    def apply(self, text):
        done = self.server.kubectl("apply", "-f", "-", text=text)
        check(done.returncode == 0, done.stderr)
        return done.stdout


def check(condition, message):
    if not condition:
        sys.exit(f"failed: {message}")


def deployment(cluster):
    return cluster.get("deployment", "millrace", "-n", SPACE)


def installs(cluster):
    notes = cluster.helm("install", "millrace", ROOT / "helm/millrace", "--create-namespace")
    check("kubectl -n millrace-system rollout status deployment/millrace" in notes, f"the notes name no next command:\n{notes}")
    check(deployment(cluster)["spec"]["replicas"] == 2, "two replicas are wanted")
    waited = cluster.server.kubectl("wait", "--for=condition=Established", f"crd/{CRD}", "--timeout=60s")
    check(waited.returncode == 0, waited.stderr)
    cluster.apply(JOB)


def may_do_what_it_needs_and_no_more(cluster):
    for verb, what, namespace, allowed in QUESTIONS:
        answer = cluster.server.kubectl("auth", "can-i", verb, *subresource(what), "-n", namespace, "--as", ACCOUNT).stdout.strip()
        check((answer == "yes") == allowed, f"may {ACCOUNT} {verb} {what} in {namespace}? {answer}")


def subresource(what):
    name, _, part = what.partition("/")
    return [name, f"--subresource={part}"] if part else [name]


@contextlib.contextmanager
def operator(cluster, program):
    """The operator as its Deployment starts it, but for the address and the way to the API server; gives its port."""
    arguments = list(deployment(cluster)["spec"]["template"]["spec"]["containers"][0]["args"])
    arguments[arguments.index("--metrics-address") + 1] = "127.0.0.1:0"
    authority = base64.b64encode(cluster.server.certificate.read_bytes()).decode()
    config = cluster.server.folder / "operator.kubeconfig"
    config.write_text(json.dumps({
        "current-context": "here", "contexts": [{"name": "here", "context": {"cluster": "here", "user": "operator"}}],
        "clusters": [{"name": "here", "cluster": {"server": f"https://127.0.0.1:{cluster.server.port}", "certificate-authority-data": authority}}],
        "users": [{"name": "operator", "user": {"token": cluster.server.tokens[ACCOUNT]}}]}))
    path = cluster.server.folder / "operator.log"
    with open(path, "wb") as log:
        process = subprocess.Popen([program, *arguments, "--kubeconfig", config], stderr=log, env={**os.environ, "POD_NAMESPACE": SPACE})
    try:
        port = wait_for("the operator's port", lambda: re.search(r'"port":"(\d+)"', path.read_text()), process, path)
        yield int(port.group(1)), process, path
    finally:
        process.terminate()
        process.wait(30)


def wait_for(what, condition, process, log):
    deadline = time.monotonic() + WAIT_SECONDS
    while True:
        found = condition()
        if found:
            return found
        check(time.monotonic() < deadline and process.poll() is None, f"waited for {what}; the operator said\n{log.read_text()[-3000:]}")
        time.sleep(0.2)


def answers_what_helm_test_asks(cluster):
    if len(sys.argv) < 4 or not all(pathlib.Path(each).exists() for each in sys.argv[2:4]):
        print("(left out: the operator is not built)")
        return
    program, millrace = sys.argv[2:4]
    hooks = yaml.safe_load_all(cluster.helm("get", "hooks", "millrace"))
    job = next(each["data"]["job.yaml"] for each in hooks if each and each["kind"] == "ConfigMap")
    with operator(cluster, program) as (port, process, log):
        asked = re.sub(r"http://[^/]+/", f"http://127.0.0.1:{port}/", job)
        check(asked != job, f"no address in\n{job}")
        file = cluster.server.folder / "probe.yaml"
        file.write_text(asked)
        wait_for("readiness, asked as helm test does", lambda: runs(millrace, file), process, log)
        wait_for("the workers of a job", lambda: cluster.get("deployment", "kept-workers", "-n", SPACE), process, log)
        text = subprocess.run(["curl", "-sf", f"http://127.0.0.1:{port}/metrics"], capture_output=True, text=True, check=True).stdout
        board = json.loads((ROOT / "dashboards/operator.json").read_text())
        wanted = {name for panel in board["panels"] for target in panel.get("targets", []) for name in catalogue.used(target["expr"])}
        check(not [name for name in wanted if f"\n{name}{{" not in text], f"the operator serves not all of {sorted(wanted)}:\n{text}")
    file.write_text(job.replace("http://", "http://127.0.0.1:1/"))
    check(not runs(millrace, file), "helm test passes without an operator")


def runs(millrace, file):
    return subprocess.run([millrace, "run", file], capture_output=True, check=False).returncode == 0


def upgrades_and_rolls_back(cluster):
    # A release of before, with an older manifest: the upgrade brings the new one, unlike a folder crds/ would.
    older = cluster.get("crd", CRD)
    patch = [{"op": "remove", "path": "/spec/versions/0/additionalPrinterColumns"}]
    done = cluster.server.kubectl("patch", "crd", CRD, "--type=json", "-p", json.dumps(patch))
    check(done.returncode == 0, done.stderr)
    cluster.helm("upgrade", "millrace", ROOT / "helm/millrace", "--set", "replicas=3,redis.enabled=true")
    check(deployment(cluster)["spec"]["replicas"] == 3, "the upgrade changes nothing")
    check(cluster.get("statefulset", "millrace-redis", "-n", SPACE), "no redis came with the upgrade")
    columns = cluster.get("crd", CRD)["spec"]["versions"][0].get("additionalPrinterColumns")
    check(columns == older["spec"]["versions"][0]["additionalPrinterColumns"], "the upgrade does not mend the manifest")
    cluster.helm("rollback", "millrace", "1")
    check(deployment(cluster)["spec"]["replicas"] == 2, "the roll-back changes nothing")
    check(cluster.get("statefulset", "millrace-redis", "-n", SPACE) is None, "the roll-back leaves redis")


def removes_all_but_jobs(cluster):
    cluster.helm("uninstall", "millrace")
    for kind in ("deployment", "role", "rolebinding", "networkpolicy", "poddisruptionbudget", "service"):
        left = [each["metadata"]["name"] for each in cluster.get(kind, "-n", SPACE, "-l", "app.kubernetes.io/managed-by=Helm")["items"]]
        check(not left, f"uninstall leaves {kind} {left}")
    check(cluster.get("sjob", "kept", "-n", SPACE), "uninstall takes the jobs along")
    # The next release takes the manifest over.
    cluster.helm("install", "millrace", ROOT / "helm/millrace")
    cluster.helm("uninstall", "millrace")


def applies_without_helm(cluster):
    text = (ROOT / "deploy/millrace.yaml").read_text()
    cluster.apply(text)
    again = cluster.apply(text)
    # kubectl always sends a budget's selector, and says "configured" though nothing changes.
    changed = [line for line in again.splitlines() if not line.endswith("unchanged") and not line.startswith("poddisruptionbudget")]
    check(not changed, f"a second apply changes {changed}")
    wanted = [(each["kind"], each["metadata"]["name"]) for each in yaml.safe_load_all(text) if each]
    check(len(wanted) == len(again.splitlines()), "not every object was applied")
    may_do_what_it_needs_and_no_more(cluster)


def main():
    missing = apiserver.missing_programs() + ([] if chart.HELM.exists() else ["helm"])
    if missing:
        print(f"skipped: no {', '.join(missing)}; make test-cluster builds them")
        sys.exit(77)
    with apiserver.ApiServer([ACCOUNT]) as server:
        cluster = Cluster(server)
        for step in (installs, may_do_what_it_needs_and_no_more, answers_what_helm_test_asks, upgrades_and_rolls_back, removes_all_but_jobs, applies_without_helm):
            step(cluster)
            print(step.__name__.replace("_", " "))


if __name__ == "__main__":
    main()

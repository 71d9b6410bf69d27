"""What the tests of the operator on a real API server are made of: one server for each file, one namespace, one operator and one
stand-in for nodes for each test."""
import pathlib
import sys
import time
import unittest

import cluster
from cluster import JOBS, Nodes, Operator, StatusServer, job, wait_for

# Namespaces whose API server was restarted: it refuses everybody until it has read its roles.
RESTARTED = set()
# The program under test, and the server of the file that runs.
PROGRAM = None
CLUSTER = None
CHILDREN = [("api/v1", "serviceaccounts"), ("api/v1", "configmaps"), ("api/v1", "services"), ("apis/networking.k8s.io/v1", "networkpolicies"),
            ("apis/policy/v1", "poddisruptionbudgets"), ("apis/apps/v1", "deployments"), ("apis/apps/v1", "controllerrevisions")]


def start():
    global CLUSTER
    CLUSTER = cluster.Cluster().__enter__()


def end():
    CLUSTER.__exit__()


class OperatorCase(unittest.TestCase):
    serial = 0

    def setUp(self):
        OperatorCase.serial += 1
        self.namespace = CLUSTER.job_namespace(f"team-{OperatorCase.serial}")
        self.api = CLUSTER.api
        self.status_server = StatusServer()
        self.addCleanup(self.status_server.stop)
        self.kubeconfig = CLUSTER.kubeconfig(CLUSTER.server.folder / f"kubeconfig-{OperatorCase.serial}")

    def nodes(self):
        nodes = Nodes(self.api, self.namespace)
        self.addCleanup(nodes.stop)
        return nodes

    def operator(self, *flags):
        """One that leads without a lease, which a busy machine might not let it renew in time."""
        return self.candidate("--no-leader-elect", *flags)

    def candidate(self, *flags):
        started = Operator(PROGRAM, self.kubeconfig, [self.namespace], "--lease-name", self.namespace, *flags)
        self.addCleanup(self.end, started)
        return started

    def end(self, operator):
        operator.stop()
        if any(error for _, error in self._outcome.result.failures + self._outcome.result.errors if self.id() in str(_)):
            print(operator.log())

    def path(self, name="words"):
        return f"{JOBS}/namespaces/{self.namespace}/streamingjobs/{name}"

    def apply(self, name="words", **spec):
        return self.api.call("PATCH", self.path(name) + "?fieldManager=user&force=true", job(name, self.status_server.port, **spec),
                             "application/apply-patch+yaml")

    def status(self, name="words"):
        return self.api.get(self.path(name)).get("status", {})

    def wait_for_phase(self, phase, name="words"):
        wait_for(f"phase {phase}", lambda: self.status(name).get("phase") == phase or self.status(name) and None)
        return self.status(name)

    def child(self, group, plural, name="words-workers"):
        return self.api.get(f"/{group}/namespaces/{self.namespace}/{plural}/{name}")

    def children(self, group, plural):
        """The objects of that kind in the namespace that carry a job's label."""
        return self.api.items(f"/{group}/namespaces/{self.namespace}/{plural}?labelSelector={cluster.UID_LABEL}")

    def deployment(self):
        return self.child("apis/apps/v1", "deployments")

    def running(self, *flags, **spec):
        """A job that runs, and its operator."""
        self.nodes()
        operator = self.operator(*flags)
        self.apply(**spec)
        self.wait_for_phase("Running")
        return operator

    def quiet(self):
        """The number of the operator's requests once a second has passed without a write."""
        def settled():
            before = len(CLUSTER.writes())
            time.sleep(1)
            return len(CLUSTER.writes()) == before
        wait_for("a quiet second", settled)
        return len(CLUSTER.requests())

    def events(self):
        return {event["reason"]: event for event in self.api.items(f"/api/v1/namespaces/{self.namespace}/events")}

    def condition(self, kind, name="words"):
        return next((c for c in self.status(name).get("conditions", []) if c["type"] == kind), {})

    def refusal(self, name="words"):
        """Why the spec is refused, once it is."""
        return wait_for("the refusal", lambda: self.condition("Accepted", name).get("status") == "False" and self.condition("Accepted", name))["message"]

    def writes_of(self, resource, since=0):
        """The operator's writes of that kind in the namespace of this test, from request number `since` on."""
        return [line for line in CLUSTER.writes(since) if f"/namespaces/{self.namespace}/{resource}" in line]


def main():
    global PROGRAM
    missing = cluster.apiserver.missing_programs()
    if missing:
        print(f"skipped: no {', '.join(missing)}; run make test-cluster")
        return 77
    PROGRAM = str(pathlib.Path(sys.argv.pop(1)).resolve())
    return 0 if unittest.main(module="__main__", verbosity=2, exit=False).result.wasSuccessful() else 1

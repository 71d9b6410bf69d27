#!/usr/bin/env python3
"""millrace-operator behind a proxy that breaks requests in every way an API server or a network does. After each fault a job
must still come to run, and an edit must still arrive.

Usage: faults_test.py MILLRACE_OPERATOR [TESTS...]
Exits with 77 (skipped) while the API server is not built: `make test-cluster` builds and runs it.
"""
import signal
import sys
import time

try:
    import case
except ImportError as error:
    print(f"skipped: {error}; install python3-yaml")
    sys.exit(77)

import cluster
from cluster import wait_for
from fault_proxy import Fault, FaultProxy, is_list, is_watch, is_write

GONE_EVENT = '{"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"Expired","code":410,"message":"too old"}}\n'


setUpModule, tearDownModule = case.start, case.end


class FaultsTest(case.OperatorCase):
    """Each test injects faults, then `works` says that the operator still does its work."""

    def setUp(self):
        super().setUp()
        server = case.CLUSTER.server
        folder = server.folder / self.namespace
        folder.mkdir()
        self.proxy = FaultProxy(server.port, server.certificate, folder)
        self.addCleanup(self.proxy.stop)
        self.kubeconfig = case.CLUSTER.kubeconfig(folder / "kubeconfig", self.proxy.url, self.proxy.certificate)

    def works(self, workers=3):
        self.apply(workers=workers)
        wait_for(f"{workers} workers", lambda: self.status().get("workers", {}).get("ready") == workers and self.status()["phase"] == "Running")

    def test_watches_that_answer_gone_are_listed_again(self):
        fault = self.proxy.inject(Fault(is_watch, count=20, status=410))
        self.running()
        self.assertGreaterEqual(fault.hits, 10)
        self.assertGreaterEqual(self.proxy.lists("deployments"), 2)
        self.works()

    def test_watches_that_say_gone_in_an_event_are_listed_again(self):
        fault = self.proxy.inject(Fault(is_watch, count=10, lines=GONE_EVENT))
        self.running()
        self.assertEqual(fault.hits, 10)
        self.works()

    def test_a_busy_server_is_asked_again_and_not_listed(self):
        self.proxy.inject(Fault(lambda method, path: "/leases" not in path, count=40, status=429, headers=[("Retry-After", "1")]))
        self.running()
        lists = self.proxy.lists("deployments")
        watches = self.proxy.inject(Fault(is_watch, count=3, status=429))
        self.proxy.inject(Fault(is_write, count=3, status=429, headers=[("Retry-After", "1")]))
        self.works()
        self.assertEqual(self.proxy.lists("deployments"), lists, watches.hits)

    def test_conflicts_are_decided_anew(self):
        operator = self.running()
        fault = self.proxy.inject(Fault(is_write, count=6, status=409))
        self.works()
        self.assertEqual(fault.hits, 6)
        self.assertGreaterEqual(operator.metric('controller_runtime_reconcile_errors_total'), 6)

    def test_a_server_that_fails_is_asked_again(self):
        self.proxy.inject(Fault(lambda method, path: "/leases" not in path, count=30, status=500))
        self.running()
        self.proxy.inject(Fault(is_write, count=5, status=500))
        self.works()

    def test_connections_that_break_are_made_again(self):
        self.running()
        self.proxy.inject(Fault(is_write, count=5, reset=True))
        self.proxy.inject(Fault(is_list, count=3, reset=True))
        self.works()

    def test_watches_that_are_cut_lose_nothing(self):
        fault = self.proxy.inject(Fault(is_watch, count=30, cut=True))
        self.running()
        self.works()
        self.assertGreater(fault.hits, 8)

    def test_a_dead_watch_does_not_stop_the_operator_for_ever(self):
        """The watch of jobs hangs from its beginning; the workers' own news keep the rest going, and the watchdog ends the hang."""
        frozen = self.proxy.inject(Fault(lambda method, path: is_watch(method, path) and "/streamingjobs?" in path, freeze=True))
        self.nodes()
        operator = self.operator()
        self.apply()
        wait_for("the frozen watch", lambda: frozen.hits == 1)
        time.sleep(1)
        self.apply(workers=2)
        wait_for("two workers", lambda: self.status().get("workers", {}).get("ready") == 2, 240)
        self.assertEqual(operator.fetch("/healthz")[0], 200)

    def test_etcd_that_restarts_loses_no_job(self):
        operator = self.running()
        case.CLUSTER.server.restart_etcd()
        wait_for("the server", lambda: self.reachable(), 240)
        self.works()
        self.assertIsNone(operator.process.poll())

    def reachable(self):
        try:
            return self.api.get(self.path())
        except (cluster.Refused, OSError):
            return None

    def test_a_leader_that_was_frozen_through_edits_writes_nothing_when_it_wakes(self):
        self.nodes()
        first = self.candidate()
        wait_for("a leader", first.leads)
        self.apply()
        self.wait_for_phase("Running")
        second = self.candidate()
        first.send(signal.SIGSTOP)
        self.apply(workers=2, image="millrace:new")
        wait_for("the other leader", second.leads, 60)
        wait_for("the edit", lambda: self.status()["workers"].get("ready") == 2 and self.status()["phase"] == "Running")
        self.quiet()
        version = self.deployment()["metadata"]["generation"]
        first.send(signal.SIGCONT)
        wait_for("the end of the first", lambda: first.process.poll() is not None, 30)
        self.assertEqual(first.process.returncode, 1)
        self.assertEqual(self.deployment()["metadata"]["generation"], version)


if __name__ == "__main__":
    sys.exit(case.main())

#!/usr/bin/env python3
"""What a controller must get right, point by point as docs/operator.md counts them, where it takes a whole server to see it: a real API
server, behind a proxy where something has to go wrong.

Usage: acceptance_test.py MILLRACE_OPERATOR [TESTS...]
Exits with 77 (skipped) while the API server is not built: `make test-cluster` builds and runs it.
"""
import concurrent.futures
import json
import random
import signal
import sys
import time

try:
    import case
except ImportError as error:
    print(f"skipped: {error}; install python3-yaml")
    sys.exit(77)

from cluster import JOBS, OPERATOR_NAMESPACE, memory_bytes, wait_for
from fault_proxy import Fault, FaultProxy, is_watch

setUpModule, tearDownModule = case.start, case.end

GONE = b'{"type":"ERROR","object":{"kind":"Status","status":"Failure","reason":"Expired","code":410,"message":"too old"}}'
ACCOUNT = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/serviceaccounts/millrace-operator"
SECRETS = f"/api/v1/namespaces/{OPERATOR_NAMESPACE}/secrets"


class AcceptanceTest(case.OperatorCase):
    def proxied(self, **options):
        """The operator of this test reaches the server through the proxy that is returned."""
        server = case.CLUSTER.server
        folder = server.folder / self.namespace
        folder.mkdir(exist_ok=True)
        proxy = FaultProxy(server.port, server.certificate, folder)
        self.addCleanup(proxy.stop)
        self.kubeconfig = case.CLUSTER.kubeconfig(folder / "kubeconfig", proxy.url, proxy.certificate, **options)
        return proxy

    def works(self, workers):
        self.apply(workers=workers)
        wait_for(f"{workers} workers", lambda: self.status().get("workers", {}).get("ready") == workers and self.status()["phase"] == "Running", 240)

    def token(self, secret):
        """One that is good for as long as the Secret of that name exists."""
        made = self.api.call("POST", SECRETS, {"metadata": {"name": secret}})
        asked = {"spec": {"expirationSeconds": 600, "boundObjectRef": {"kind": "Secret", "apiVersion": "v1", "name": secret, "uid": made["metadata"]["uid"]}}}
        return self.api.call("POST", ACCOUNT + "/token", asked)["status"]["token"]

    # ---- 7: tokens and authorities are read again

    def test_p07_a_token_that_has_ended_is_read_again(self):
        if not self.api.get(ACCOUNT):
            self.api.call("POST", ACCOUNT.rsplit("/", 1)[0], {"metadata": {"name": "millrace-operator"}})
        file = case.CLUSTER.server.folder / f"token-{self.namespace}"
        file.write_text(self.token(f"first-{self.namespace}"))
        self.kubeconfig = case.CLUSTER.kubeconfig(case.CLUSTER.server.folder / f"by-token-{self.namespace}", token_file=file)
        self.running()
        self.api.call("DELETE", f"{SECRETS}/first-{self.namespace}")
        time.sleep(15)  # the server believes a token it has seen for ten seconds
        file.write_text(self.token(f"second-{self.namespace}"))
        self.works(2)
        refused = [entry for entry in case.CLUSTER.requests_of_all() if entry["responseStatus"].get("code") == 401]
        self.assertTrue(refused, "the first token has ended")

    def test_p07_another_authority_is_taken_from_its_file(self):
        proxy = self.proxied(by_file=True)
        self.running()
        proxy.renew_certificate()
        proxy.inject(Fault(is_watch, count=100, cut=True))  # connections end, so that new ones see the new certificate
        self.works(2)

    # ---- 8: the kind, order and number of events decide nothing

    def test_p08_events_of_any_kind_repeated_or_lost_lead_to_the_same_end(self):
        seed = 8
        dice, lost = random.Random(seed), []

        def mangle(line):
            for old, new in ((b'"type":"ADDED"', b'"type":"MODIFIED"'), (b'"type":"MODIFIED"', b'"type":"ADDED"')):
                if line.startswith(b"{" + old):
                    line = line.replace(old, new, 1) if dice.random() < 0.5 else line
                    break
            chance = dice.random()
            if chance < 0.2 and b'"BOOKMARK"' not in line[:20]:
                lost.append(line[:200])
                return [GONE] if dice.random() < 0.5 else [GONE, line]
            return [line] * (3 if chance > 0.8 else 1)
        proxy = self.proxied()
        proxy.inject(Fault(is_watch, count=10_000, mangle=mangle))
        self.running()
        for workers in (3, 0, 2):
            self.apply(workers=workers)
            wait_for(f"{workers} workers, seed {seed}", lambda: self.deployment()["spec"]["replicas"] == workers, 240)
        self.assertGreater(len(lost), 3)

    # ---- 10: own writes are waited for

    def test_p10_what_the_caches_do_not_show_yet_is_not_written_twice(self):
        proxy = self.proxied()
        proxy.inject(Fault(is_watch, count=1000, delay=2))
        self.running()
        since = self.quiet()
        self.apply(resources={"requests": {"cpu": "250m", "memory": "256Mi"}})
        wait_for("the edit", lambda: self.status()["observedGeneration"] == 2 and self.status()["edit"] == "None", 240)
        time.sleep(5)
        writes = self.writes_of("deployments", since)
        self.assertEqual(len(writes), 1, writes)

    # ---- 12: the number of workers belongs to whoever scales

    def test_p12_an_autoscaler_and_the_manifest_of_a_user_do_not_fight(self):
        self.running(autoscaling={"mode": "External"})
        since = len(case.CLUSTER.requests())
        scale = self.api.get(self.path() + "/scale")
        scale["spec"]["replicas"] = 3
        self.api.call("PUT", self.path() + "/scale?fieldManager=hpa", scale)
        wait_for("three workers", lambda: self.status()["workers"].get("ready") == 3)
        self.apply(autoscaling={"mode": "External"}, batchInterval="2s")
        wait_for("the edit", lambda: self.status()["observedGeneration"] == 3 and self.status()["edit"] == "None")
        self.assertEqual((self.deployment()["spec"]["replicas"], self.api.get(self.path())["spec"]["workers"]), (3, 3))
        self.api.patch(f"/apis/apps/v1/namespaces/{self.namespace}/deployments/words-workers/scale", {"spec": {"replicas": 9}})
        wait_for("the number of the job", lambda: self.deployment()["spec"]["replicas"] == 3)
        own = [line for line in self.writes_of("streamingjobs", since) if "/status" not in line]
        self.assertEqual(own, [], "the operator never writes a spec")

    # ---- 14: a status has a size

    def test_p14_a_status_stays_small_whatever_workers_say(self):
        self.nodes()
        self.status_server.answer["phase"] = "invalid: " + "x" * 1_000_000
        self.status_server.answer["errors"] = [{"time": "2024-06-01T00:00:05Z", "batch": i, "attempt": 1, "error": "y" * 100_000} for i in range(20)]
        self.operator()
        self.apply(pod={"labels": {f"l{i}": "v" for i in range(100)}})
        self.wait_for_phase("Failed")
        status = self.status()
        self.assertLessEqual(len(status["lastError"]["message"]), 2051)
        self.assertTrue(all(len(condition["message"]) <= 2048 for condition in status["conditions"]))
        self.assertLess(len(json.dumps(status)), 16_384)

    # ---- 18: who decided on old facts writes nothing

    def test_p18_two_operators_that_both_believe_to_lead_come_to_one_end(self):
        self.nodes()
        first, second = self.operator(), self.operator()
        self.apply()
        for number in range(1, 6):
            self.apply(workers=number % 3 + 1, image=f"millrace:{number}")
            time.sleep(0.5)
        wait_for("the last edit", lambda: self.status().get("phase") == "Running" and self.status()["observedGeneration"] == self.api.get(self.path())["metadata"]["generation"])
        self.assertEqual(self.deployment()["spec"]["template"]["spec"]["containers"][0]["image"], "millrace:5")
        since = self.quiet()
        time.sleep(3)
        self.assertEqual(case.CLUSTER.writes(since), [], "they do not undo each other's work")
        self.assertTrue(first.process.poll() is None and second.process.poll() is None)

    def test_p18_an_operator_with_old_caches_cannot_undo_a_newer_one(self):
        proxy = self.proxied()
        stale = self.running()
        proxy.hold_watches()
        self.kubeconfig = case.CLUSTER.kubeconfig(case.CLUSTER.server.folder / f"fresh-{self.namespace}")
        fresh = self.operator()
        self.apply(image="millrace:new")
        wait_for("the edit", lambda: self.deployment()["spec"]["template"]["spec"]["containers"][0]["image"] == "millrace:new")
        self.wait_for_phase("Running")
        version = self.deployment()["metadata"]["generation"]
        self.status_server.answer["phase"] = "halted by a test"  # news that make both pass again
        self.wait_for_phase("Failed")
        time.sleep(3)
        self.assertEqual(self.deployment()["metadata"]["generation"], version)
        self.assertTrue(stale.process.poll() is None and fresh.process.poll() is None)

    # ---- 19: memory holds jobs and their objects

    def test_p19_pods_of_others_take_no_memory(self):
        operator = self.running()
        wait_for("readiness", lambda: operator.fetch("/readyz")[0] == 200)
        before = memory_bytes(operator.process.pid)
        pod = {"spec": {"containers": [{"name": "c", "image": "i"}]}}

        def make(number):
            self.api.call("POST", f"/api/v1/namespaces/{self.namespace}/pods", {
                "metadata": {"name": f"other-{number}", "labels": {"app": "other"}, "annotations": {"text": "x" * 2000}}, **pod})
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            list(pool.map(make, range(5000)))
        self.works(2)
        grown = memory_bytes(operator.process.pid) - before
        self.assertLess(grown, 8 << 20)
        self.assertLess(memory_bytes(operator.process.pid), 80 << 20)

    # ---- 20: probes

    def test_p20_a_server_that_does_not_answer_restarts_no_operator(self):
        operator = self.running()
        server = case.CLUSTER.server.processes[-1]
        server.send_signal(signal.SIGSTOP)
        try:
            begun = time.monotonic()
            while time.monotonic() - begun < 60:
                self.assertEqual((operator.fetch("/healthz")[0], operator.fetch("/readyz")[0]), (200, 200))
                time.sleep(1)
        finally:
            server.send_signal(signal.SIGCONT)
        self.works(2)

    def test_p20_an_operator_is_ready_only_with_full_caches(self):
        proxy = self.proxied()
        refused = proxy.inject(Fault(lambda method, path: method == "GET" and "/deployments?" in path, count=5, status=500))
        operator = self.operator()
        wait_for("a refused list", lambda: refused.hits >= 1)
        self.assertEqual((operator.fetch("/healthz")[0], operator.fetch("/readyz")[0]), (200, 503))
        wait_for("readiness", lambda: operator.fetch("/readyz")[0] == 200)

    # ---- 22: the end

    def test_p22_an_operator_that_is_stopped_under_load_ends_in_time_and_loses_nothing(self):
        self.nodes()
        first = self.candidate()
        wait_for("a leader", first.leads)
        for number in range(100):
            self.apply(f"job-{number}")
        begun = time.monotonic()
        self.assertEqual(first.stop(), 0)
        self.assertLess(time.monotonic() - begun, 25, "the grace of its pod is 30 s")
        lease = self.api.get(f"/apis/coordination.k8s.io/v1/namespaces/{OPERATOR_NAMESPACE}/leases/{self.namespace}")
        self.assertEqual(lease["spec"].get("holderIdentity", ""), "")
        self.candidate()
        wait_for("all jobs", lambda: all(item.get("status", {}).get("phase") in ("Running", "Starting") for item in
                                         self.api.items(f"{JOBS}/namespaces/{self.namespace}/streamingjobs")), 300)


if __name__ == "__main__":
    sys.exit(case.main())

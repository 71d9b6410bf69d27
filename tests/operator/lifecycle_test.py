#!/usr/bin/env python3
"""How millrace-operator judges revisions and workers: roll-back, failures, the end of a job, drift. On a real API server with
simulated workers, whose /status and pods say what real ones do.

Usage: lifecycle_test.py MILLRACE_OPERATOR [TESTS...]
Exits with 77 (skipped) while the API server is not built: `make test-cluster` builds and runs it.
"""
import json
import sys
import time

try:
    import case
except ImportError as error:
    print(f"skipped: {error}; install python3-yaml")
    sys.exit(77)

from cluster import StatusServer, ended, wait_for

setUpModule, tearDownModule = case.start, case.end

ROLLBACK = {"rollback": {"enabled": True, "deadline": "4s"}}
# A worker that leads and gets nothing done.
STUCK = {"phase": "starting", "committedBatch": 7, "lagRecords": 50, "worker": {"leading": True, "epoch": 2}, "batches": [], "errors": [
    {"time": "2024-06-01T00:00:05Z", "batch": 8, "attempt": 1, "error": "broker kafka:9092 does not answer"}]}


class LifecycleTest(case.OperatorCase):
    def image(self):
        return self.deployment()["spec"]["template"]["spec"]["containers"][0]["image"]

    def generation(self):
        """That of the job file of the workers."""
        volume = self.deployment()["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"]
        file = self.child("api/v1", "configmaps", volume)
        return json.loads(file["data"]["job.yaml"])["metadata"]["generation"] if file else None

    def two_revisions(self):
        """A job that ran with one image and was given another, whose workers get nothing done."""
        broken = StatusServer("127.0.0.2", self.status_server.port)
        self.addCleanup(broken.stop)
        broken.answer = STUCK
        nodes = self.nodes()
        nodes.address = lambda template: "127.0.0.2" if "broken" in template["spec"]["containers"][0]["image"] else "127.0.0.1"
        operator = self.operator()
        self.apply(image="millrace:good", upgrade=ROLLBACK)
        self.wait_for_phase("Running")
        wait_for("a good revision", lambda: json.loads(self.status()["memory"])["rollout"].get("good"))
        self.apply(image="millrace:broken", upgrade=ROLLBACK)
        wait_for("the new image", lambda: self.image() == "millrace:broken")
        return operator, broken

    # ---- roll-back

    def test_a_revision_that_commits_no_batch_in_time_is_taken_back(self):
        self.two_revisions()
        tried = self.deployment()["spec"]["template"]["metadata"]["labels"]["streaming.millrace.io/revision"]
        wait_for("the good image", lambda: self.image() == "millrace:good")
        wait_for("the good revision to run", lambda: self.status()["phase"] == "Running" and self.condition("Stalled").get("reason") == "RolledBack")
        self.assertIn(tried, self.condition("Stalled")["message"])
        self.assertEqual(self.condition("Ready")["status"], "False")
        self.assertNotEqual(self.status()["revision"], tried)
        self.assertEqual(self.events()["RolledBack"]["type"], "Warning")
        self.assertEqual(self.api.get(self.path())["spec"]["image"], "millrace:broken", "the spec is the user's")

    def test_a_rollback_holds_through_other_edits_and_another_operator_and_ends_with_a_mended_spec(self):
        operator, _ = self.two_revisions()
        wait_for("the good image", lambda: self.image() == "millrace:good")
        operator.kill()
        self.operator()
        self.apply(image="millrace:broken", upgrade=ROLLBACK, workers=3)
        wait_for("three workers", lambda: self.status()["workers"].get("ready") == 3)
        self.assertEqual(self.image(), "millrace:good")
        self.apply(image="millrace:mended", upgrade=ROLLBACK, workers=3)
        wait_for("the mended image", lambda: self.image() == "millrace:mended" and self.condition("Ready")["status"] == "True")

    def test_a_revision_that_commits_in_time_stays(self):
        _, broken = self.two_revisions()
        broken.answer = {**self.status_server.answer, "committedBatch": 8}
        wait_for("the new revision to be good", lambda: json.loads(self.status()["memory"])["rollout"].get("good") == self.status()["revision"])
        time.sleep(6)
        wait_for("the job to be ready", lambda: self.condition("Ready")["status"] == "True")
        self.assertEqual(self.image(), "millrace:broken")

    def test_the_job_file_carries_a_number_that_only_grows(self):
        self.two_revisions()
        numbers = [self.generation()]
        wait_for("the good image", lambda: self.image() == "millrace:good")
        numbers.append(wait_for("the file", self.generation))
        self.apply(image="millrace:mended", upgrade=ROLLBACK)
        wait_for("the mended image", lambda: self.image() == "millrace:mended")
        numbers.append(wait_for("the file", self.generation))
        self.assertEqual(sorted(set(numbers)), numbers)
        self.apply(image="millrace:mended", upgrade=ROLLBACK, workers=2, batchInterval="3s")
        wait_for("the edit", lambda: self.status()["observedGeneration"] == 4 and self.status()["edit"] == "None")
        self.assertEqual(self.generation(), numbers[-1], "workers of one revision stay equal")

    def test_a_few_revisions_are_kept(self):
        self.running()
        for number in range(7):
            self.apply(image=f"millrace:{number}")
            wait_for("the image", lambda: self.image() == f"millrace:{number}")
        self.wait_for_phase("Running")

        def kept():
            return sorted(item["revision"] for item in self.children("apis/apps/v1", "controllerrevisions"))
        wait_for("five revisions", lambda: len(kept()) == 5)
        data = max(self.children("apis/apps/v1", "controllerrevisions"), key=lambda item: item["revision"])["data"]
        self.assertEqual(data["spec"]["image"], "millrace:6")

    # ---- workers that fail, workers that end

    def test_a_crash_loop_is_failed_says_why_and_is_left_by_itself(self):
        nodes = self.nodes()
        self.operator()
        nodes.container = ended(1, "failed: redis:6379: connection refused", 4)
        self.status_server.stop()
        self.apply()
        self.wait_for_phase("Failed")
        self.assertEqual(self.condition("Stalled")["reason"], "CrashLoop")
        self.assertIn("connection refused", self.condition("Stalled")["message"])
        self.assertEqual(self.deployment()["spec"]["replicas"], 1)
        self.status_server = StatusServer(port=self.status_server.port)
        self.addCleanup(self.status_server.stop)
        nodes.container = {"ready": True, "restartCount": 4, "state": {"running": {"startedAt": "2024-06-01T00:00:02Z"}}, "lastState": {}}
        self.wait_for_phase("Running")

    def test_too_many_restarts_stop_a_job_until_it_is_edited(self):
        nodes = self.nodes()
        self.operator()
        self.apply(restartPolicy={"maxRestarts": 3})
        self.wait_for_phase("Running")
        nodes.container = ended(1, "failed: bad record", 4)
        self.wait_for_phase("Failed")
        wait_for("no workers", lambda: self.deployment()["spec"]["replicas"] == 0)
        self.assertEqual(self.condition("Stalled")["reason"], "TooManyRestarts")
        self.assertEqual(self.status()["restarts"], 4)
        self.assertIn("TooManyRestarts", self.events())
        nodes.container = None
        self.apply(restartPolicy={"maxRestarts": 30})
        self.wait_for_phase("Running")

    def test_the_end_of_a_job_is_seen_when_its_workers_have_gone(self):
        """A worker ends with its job, before anybody could ask it: its pod says so."""
        nodes = self.nodes()
        self.operator()
        self.apply()
        self.wait_for_phase("Running")
        self.status_server.stop()
        nodes.container = ended(0, "completed", 2)
        self.wait_for_phase("Completed")
        wait_for("no workers", lambda: self.deployment()["spec"]["replicas"] == 0)
        self.status_server = StatusServer(port=self.status_server.port)

    def test_a_worker_that_was_only_stopped_does_not_complete_its_job(self):
        nodes = self.nodes()
        self.operator()
        self.apply()
        self.wait_for_phase("Running")
        nodes.container = ended(0, "", 2)
        time.sleep(3)
        self.assertNotEqual(self.status()["phase"], "Completed")
        self.assertEqual(self.deployment()["spec"]["replicas"], 1)

    # ---- drift

    def test_what_others_change_in_our_objects_is_put_back(self):
        self.running()
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments/words-workers"
        volume = self.deployment()["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"]
        edits = [
            (path, {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 1}}}},
             lambda: self.deployment()["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 60),
            (f"/api/v1/namespaces/{self.namespace}/configmaps/{volume}", {"data": {"job.yaml": "{}"}},
             lambda: "sources" in self.child("api/v1", "configmaps", volume)["data"]["job.yaml"]),
            (f"/api/v1/namespaces/{self.namespace}/services/words-workers", {"metadata": {"labels": {"app.kubernetes.io/managed-by": "me"}}},
             lambda: self.child("api/v1", "services")["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "millrace-operator"),
            (f"/apis/networking.k8s.io/v1/namespaces/{self.namespace}/networkpolicies/words-workers", {"spec": {"ingress": [{}]}},
             lambda: self.child("apis/networking.k8s.io/v1", "networkpolicies")["spec"]["ingress"] != [{}]),
            (f"/apis/policy/v1/namespaces/{self.namespace}/poddisruptionbudgets/words-workers", {"spec": {"maxUnavailable": 7}},
             lambda: self.child("apis/policy/v1", "poddisruptionbudgets")["spec"]["maxUnavailable"] == 1),
            (f"/api/v1/namespaces/{self.namespace}/serviceaccounts/words-workers", {"automountServiceAccountToken": True},
             lambda: self.child("api/v1", "serviceaccounts")["automountServiceAccountToken"] is False)]
        for target, change, mended in edits:
            self.api.patch(target, change)
            wait_for(f"the repair of {target}", mended)
        self.wait_for_phase("Running")

    def test_a_repair_is_one_write(self):
        self.running()
        since = self.quiet()
        self.api.patch(f"/apis/policy/v1/namespaces/{self.namespace}/poddisruptionbudgets/words-workers", {"spec": {"maxUnavailable": 7}})
        wait_for("the repair", lambda: self.child("apis/policy/v1", "poddisruptionbudgets")["spec"]["maxUnavailable"] == 1)
        self.quiet()
        self.assertEqual(len(self.writes_of("poddisruptionbudgets", since)), 1, case.CLUSTER.writes(since))


if __name__ == "__main__":
    sys.exit(case.main())

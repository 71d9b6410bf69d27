#!/usr/bin/env python3
"""millrace-operator on a real API server: with its own role, and with a stand-in for the controllers that make pods.

Usage: operator_test.py MILLRACE_OPERATOR [TESTS...]
Exits with 77 (skipped) while the API server is not built: `make test-cluster` builds and runs it.
"""
import json
import signal
import subprocess
import sys
import time
import unittest

try:
    import yaml
    import case
    import cluster
except ImportError as error:
    print(f"skipped: {error}; install python3-yaml")
    sys.exit(77)

from case import CHILDREN, RESTARTED, OperatorCase
from cluster import JOBS, ROOT, wait_for

CLEANUP_DONE = {"status": {
    "startTime": "2024-06-01T00:00:00Z", "completionTime": "2024-06-01T00:00:01Z", "succeeded": 1,
    "conditions": [{"type": "SuccessCriteriaMet", "status": "True", "lastTransitionTime": "2024-06-01T00:00:01Z"},
                   {"type": "Complete", "status": "True", "lastTransitionTime": "2024-06-01T00:00:01Z"}]}}


setUpModule, tearDownModule = case.start, case.end


class OperatorTest(OperatorCase):
    # ---- what a job gets

    def test_a_job_gets_its_objects_owned_and_labelled(self):
        self.operator()
        made = self.apply()
        self.wait_for_phase("Pending")
        for group, plural in CHILDREN:
            child = wait_for(plural, lambda: next(iter(self.children(group, plural)), None))
            owner = child["metadata"]["ownerReferences"][0]
            self.assertEqual((owner["uid"], owner["controller"], owner["blockOwnerDeletion"]), (made["metadata"]["uid"], True, True), plural)
            self.assertEqual(child["metadata"]["labels"][cluster.UID_LABEL], made["metadata"]["uid"], plural)
            managers = {entry["manager"]: entry["operation"] for entry in child["metadata"]["managedFields"]}
            self.assertEqual(managers, {"millrace-operator": "Apply"}, plural)
        self.assertIn("streaming.millrace.io/state", self.api.get(self.path())["metadata"]["finalizers"])

    def test_a_job_comes_to_run_and_shows_its_progress(self):
        self.running()
        status = self.status()
        self.assertEqual(status["workers"], {"desired": 1, "current": 1, "ready": 1, "updated": 1})
        self.assertEqual((status["batch"]["committed"], status["lagRecords"], status["observedGeneration"]), (7, 0, 1))
        self.assertEqual(status["batch"]["duration"], "12.5ms")
        conditions = {condition["type"]: condition["status"] for condition in status["conditions"]}
        self.assertEqual(conditions, {"Accepted": "True", "Ready": "True", "Reconciling": "False", "Stalled": "False"})
        self.assertIn("Running", self.events())

    def test_a_second_look_writes_nothing(self):
        operator = self.running()
        before = self.quiet()
        operator.stop()
        again = self.operator()
        wait_for("passes", lambda: (again.metric('controller_runtime_reconcile_total{controller="streamingjob",result="requeue_after"}') or 0) >= 1)
        self.quiet()
        self.assertEqual(case.CLUSTER.writes(before), [])

    def test_every_example_gets_its_objects(self):
        self.operator("--workers", "2")
        names = []
        for path in sorted((ROOT / "examples").glob("*.yaml")):
            made = yaml.safe_load(path.read_text())
            made["metadata"] = {"name": made["metadata"]["name"]}
            if "redis" not in made["spec"].get("state", {}):
                made["spec"]["state"] = {"redis": {"addresses": ["redis:6379"]}}
            self.api.call("POST", f"{JOBS}/namespaces/{self.namespace}/streamingjobs", made)
            names.append(made["metadata"]["name"])

        def missing():
            have = {item["metadata"]["labels"]["app.kubernetes.io/instance"] for item in self.api.items(f"/apis/apps/v1/namespaces/{self.namespace}/deployments")}
            refused = {name for name in names if any(c["type"] == "Accepted" and c["status"] == "False" for c in self.status(name).get("conditions", []))}
            return set(names) - have - refused
        wait_for("deployments of all examples", lambda: not missing())
        have = self.api.items(f"/apis/apps/v1/namespaces/{self.namespace}/deployments")
        self.assertGreaterEqual(len(have), len(names) // 2, "most examples can run in a cluster as they are")

    # ---- edits

    def test_an_edit_is_shown_and_rolled_out(self):
        self.running()
        before = self.deployment()["spec"]["template"]
        def files():
            return {item["metadata"]["name"] for item in self.children("api/v1", "configmaps")}
        old = files()
        self.apply(onError="Skip", resources={"requests": {"cpu": "250m", "memory": "256Mi"}})
        wait_for("another template", lambda: self.deployment()["spec"]["template"] != before)
        self.wait_for_phase("Running")
        wait_for("the new generation", lambda: self.status()["observedGeneration"] == 2 and self.status()["edit"] == "None")
        container = self.deployment()["spec"]["template"]["spec"]["containers"][0]
        self.assertEqual(container["resources"]["requests"]["cpu"], "250m")
        wait_for("one job file, the new one", lambda: len(files()) == 1 and files() != old)

    def test_kubectl_scale_changes_the_workers_and_nothing_else(self):
        self.running()
        template = self.deployment()["spec"]["template"]
        scaled = case.CLUSTER.server.kubectl("scale", "-n", self.namespace, "sjob/words", "--replicas", "3")
        self.assertEqual(scaled.returncode, 0, scaled.stderr)
        wait_for("three workers", lambda: self.status()["workers"].get("ready") == 3 and self.status()["phase"] == "Running")
        self.assertEqual(self.deployment()["spec"]["template"], template)
        scale = self.api.get(self.path() + "/scale")
        self.assertEqual(scale["status"]["replicas"], 3)
        pods = self.api.items(f"/api/v1/namespaces/{self.namespace}/pods?labelSelector=" + scale["status"]["selector"].replace("=", "%3D"))
        self.assertEqual(len(pods), 3)

    def test_a_suspended_job_has_no_workers_and_resumes(self):
        self.running()
        self.apply(suspend=True)
        self.wait_for_phase("Suspended")
        self.assertEqual(self.api.items(f"/api/v1/namespaces/{self.namespace}/pods"), [])
        self.apply(suspend=False)
        self.wait_for_phase("Running")

    def test_a_spec_that_cannot_work_is_refused_and_changes_nothing_that_runs(self):
        self.running()
        before = self.deployment()["metadata"]["resourceVersion"]
        self.apply(sinks=[{"name": "out", "from": "nobody", "console": {}}])

        def refused():
            return [c for c in self.status().get("conditions", []) if c["type"] == "Accepted" and c["status"] == "False"]
        self.assertIn("nobody", wait_for("the refusal", refused)[0]["message"])
        self.assertEqual(self.deployment()["metadata"]["resourceVersion"], before)
        event = wait_for("the event", lambda: self.events().get("Refused"))
        self.assertEqual(event["type"], "Warning")

    def test_a_halted_job_says_why(self):
        self.running()
        self.status_server.answer["phase"] = "invalid: batch 8 cannot be read"
        self.status_server.answer["errors"] = [{"time": "2024-06-01T00:00:05Z", "batch": 8, "attempt": 3, "error": "bad record"}]
        status = self.wait_for_phase("Failed")
        self.assertEqual(status["lastError"]["message"], "bad record")

    # ---- other people's objects

    def test_a_deployment_of_our_name_that_is_not_ours_stops_the_pass(self):
        path = f"/apis/apps/v1/namespaces/{self.namespace}/deployments"
        theirs = self.api.call("POST", path, {"metadata": {"name": "words-workers"}, "spec": {
            "selector": {"matchLabels": {"a": "b"}}, "template": {"metadata": {"labels": {"a": "b"}}, "spec": {"containers": [{"name": "c", "image": "i"}]}}}})
        self.operator()
        self.apply()

        def refused():
            return [c for c in self.status().get("conditions", []) if c["type"] == "Accepted" and c["status"] == "False"]
        message = wait_for("the refusal", refused)[0]["message"]
        self.assertIn("Deployment/words-workers exists and is not of this job", message)
        self.assertEqual(self.deployment()["metadata"]["resourceVersion"], theirs["metadata"]["resourceVersion"])
        self.assertIsNone(self.child("api/v1", "services"), "no half of a job")

    def test_fields_and_annotations_of_others_stay(self):
        self.running()
        self.api.patch(f"/apis/apps/v1/namespaces/{self.namespace}/deployments/words-workers", {"metadata": {"annotations": {"team": "payments"}}})
        self.apply(resources={"requests": {"cpu": "300m", "memory": "256Mi"}})
        wait_for("the edit", lambda: self.deployment()["spec"]["template"]["spec"]["containers"][0]["resources"]["requests"]["cpu"] == "300m")
        self.assertEqual(self.deployment()["metadata"]["annotations"]["team"], "payments")
        labelled = self.api.patch(self.path(), {"metadata": {"finalizers": ["example.com/other", "streaming.millrace.io/state"], "labels": {"a": "b"}}})
        self.assertIn("example.com/other", labelled["metadata"]["finalizers"])
        self.api.patch(self.path(), {"metadata": {"finalizers": ["streaming.millrace.io/state"]}})

    def test_what_is_deleted_comes_back(self):
        self.running()
        self.api.call("DELETE", f"/api/v1/namespaces/{self.namespace}/services/words-workers")
        self.api.call("DELETE", f"/apis/apps/v1/namespaces/{self.namespace}/deployments/words-workers")
        wait_for("both again", lambda: self.child("api/v1", "services") and self.deployment())
        self.wait_for_phase("Running")

    def test_an_account_that_is_no_longer_wanted_is_deleted(self):
        self.running()
        self.apply(pod={"serviceAccountName": "mine"})
        wait_for("the account to go", lambda: self.child("api/v1", "serviceaccounts") is None)
        self.wait_for_phase("Running")

    # ---- the end of a job

    def test_a_completed_job_goes_after_its_time(self):
        self.running(ttlAfterFinished="1s", deletion={"deleteState": False})
        self.status_server.answer["phase"] = "completed"
        wait_for("the end of the job", lambda: self.api.get(self.path()) is None)
        self.assertIn("Completed", self.events())

    def test_a_deleted_job_stops_cleans_up_and_goes(self):
        self.running()
        self.api.call("DELETE", self.path())
        cleanup = wait_for("the cleanup", lambda: self.child("apis/batch/v1", "jobs", "words-cleanup"))
        self.assertIsNone(self.deployment())
        self.assertEqual(self.api.items(f"/api/v1/namespaces/{self.namespace}/pods"), [])
        self.assertIn("reset", cleanup["spec"]["template"]["spec"]["containers"][0]["args"])
        self.api.patch(f"/apis/batch/v1/namespaces/{self.namespace}/jobs/words-cleanup/status", CLEANUP_DONE)
        wait_for("the end of the job", lambda: self.api.get(self.path()) is None)
        self.assertIn("StateDeleted", self.events())

    def test_a_deletion_that_cannot_clean_up_ends_after_its_timeout(self):
        self.running(deletion={"timeout": "2s"})
        self.api.call("DELETE", self.path())
        wait_for("the end of the job", lambda: self.api.get(self.path()) is None)
        self.assertIn("CleanupTimedOut", self.events())

    def test_the_annotation_lets_a_job_go_at_once(self):
        self.running(deletion={"timeout": "1h"})
        self.api.patch(self.path(), {"metadata": {"annotations": {"streaming.millrace.io/skip-cleanup": "true"}}})
        self.api.call("DELETE", self.path())
        wait_for("the end of the job", lambda: self.api.get(self.path()) is None)

    def test_a_vanishing_namespace_is_not_held_up(self):
        self.running(deletion={"timeout": "1h"})
        self.api.call("DELETE", f"/api/v1/namespaces/{self.namespace}")
        self.api.call("DELETE", self.path())
        wait_for("the end of the job", lambda: self.api.get(self.path()) is None)

    # ---- several operators, restarts

    def test_one_of_two_operators_leads_and_a_frozen_one_ends_when_it_wakes(self):
        first = self.candidate()
        wait_for("a leader", first.leads)
        second = self.candidate()
        wait_for("the caches of the second", lambda: second.fetch("/readyz")[0] == 200)
        self.assertFalse(second.leads())
        self.assertEqual((first.metric("leader_election_master_status"), second.metric("leader_election_master_status")), (1, 0))
        first.send(signal.SIGSTOP)
        wait_for("the other leader", second.leads, 40)
        first.send(signal.SIGCONT)
        wait_for("the end of the first", lambda: first.process.poll() is not None, 20)
        self.assertEqual(first.process.returncode, 1)
        self.apply()
        self.wait_for_phase("Pending")
        lease = self.api.get(f"/apis/coordination.k8s.io/v1/namespaces/{cluster.OPERATOR_NAMESPACE}/leases/{self.namespace}")
        self.assertEqual(lease["spec"]["leaseTransitions"], 1)

    def test_a_stopped_operator_hands_the_lease_over_at_once(self):
        first = self.candidate()
        wait_for("a leader", first.leads)
        second = self.candidate()
        wait_for("the second", lambda: second.fetch("/readyz")[0] == 200)
        begun = time.monotonic()
        self.assertEqual(first.stop(), 0)
        wait_for("the other leader", second.leads)
        self.assertLess(time.monotonic() - begun, 10, "less than the 15 s of a lease")

    def test_another_replica_goes_on_where_the_first_was_killed(self):
        first = self.running()
        memory = self.status()["memory"]
        first.kill()
        self.operator()
        self.apply(workers=2)
        wait_for("two workers", lambda: self.status()["workers"].get("ready") == 2)
        self.assertEqual(set(json.loads(memory)["applied"]), set(json.loads(self.status()["memory"])["applied"]))

    def test_an_api_server_that_restarts_is_found_again(self):
        operator = self.running()
        RESTARTED.add(self.namespace)
        case.CLUSTER.server.stop_server()
        self.assertEqual(operator.fetch("/healthz")[0], 200, "no restart because of the API server")
        case.CLUSTER.server.start_server()
        self.apply(workers=2)
        wait_for("two workers", lambda: self.status()["workers"].get("ready") == 2)

    def test_the_plugin_of_kubectl_shows_and_steers_a_job(self):
        self.running()
        config = case.CLUSTER.kubeconfig(case.CLUSTER.server.folder / "admin", user="admin")

        def plugin(*arguments):
            command = [sys.executable, str(ROOT / "operator/plugin/kubectl-millrace"), "--kubeconfig", str(config), "-n", self.namespace, *arguments]
            answer = subprocess.run(command, capture_output=True, text=True, timeout=120)
            return answer.returncode, answer.stdout + answer.stderr
        code, shown = plugin("status", "words")
        self.assertEqual(code, 0, shown)
        for part in (f"{self.namespace}/words", "Running", "1 ready", "Accepted", "7 at 2024-06-01"):
            self.assertIn(part, shown)
        self.assertIn("workers are ready", plugin("history", "words")[1])
        self.assertRegex(plugin("revisions", "words")[1], r"^1 +[0-9a-f]{10} .*in force$")
        self.assertEqual(plugin("scale", "words", "2")[0], 0)
        wait_for("two workers", lambda: self.status()["workers"].get("ready") == 2)
        self.assertEqual(plugin("restart", "words")[0], 0)
        self.assertIn("kubectl.kubernetes.io/restartedAt", json.dumps(self.deployment()["spec"]["template"]))
        self.assertEqual(plugin("suspend", "words")[0], 0)
        self.wait_for_phase("Suspended")
        self.assertEqual(plugin("resume", "words")[0], 0)
        self.wait_for_phase("Running")
        self.assertIn("wrong number of arguments", plugin("scale", "words")[1])
        self.assertIn("no command", plugin("dance", "words")[1])
        self.assertNotEqual(plugin("status", "nobody")[0], 0)

    def test_a_dry_run_plans_and_writes_nothing(self):
        before = len(case.CLUSTER.requests())
        operator = self.operator("--dry-run")
        self.apply()
        wait_for("the plan", lambda: operator.logged("dry run: would act"))
        operator.stop()
        self.assertEqual(case.CLUSTER.writes(before), [])

    def test_probes_and_metrics_answer_from_the_start(self):
        operator = self.operator()
        wait_for("readiness", lambda: operator.fetch("/readyz")[0] == 200)
        self.assertEqual(operator.fetch("/healthz")[0], 200)
        text = operator.fetch("/metrics")[1]
        for series in ('controller_runtime_reconcile_total{controller="streamingjob",result="error"} 0',
                       'controller_runtime_reconcile_errors_total{controller="streamingjob"} 0',
                       'workqueue_retries_total{controller="streamingjob",name="streamingjob"} 0', "leader_election_master_status{"):
            self.assertIn(series, text)
        listed = [line for line in text.splitlines() if line.startswith('rest_client_requests_total{code="200"') and 'method="GET"' in line]
        self.assertGreater(float(listed[0].rsplit(" ", 1)[1]), 0)


class RbacTest(unittest.TestCase):
    """After all others, in the order of the names of classes."""

    def test_the_role_is_enough(self):
        refused = [f"{entry['verb']} {entry['requestURI']}" for entry in case.CLUSTER.requests() if entry["responseStatus"]["code"] == 403]
        excused = [f"/namespaces/{namespace}/" for namespace in RESTARTED]
        # A namespace takes no new objects while it goes, whoever asks.
        refused = [line for line in refused if not any(part in line for part in excused) and not (line.startswith("create") and "/events" in line)]
        self.assertEqual(refused, [])

    def test_the_role_has_no_verb_that_is_not_used(self):
        used = {(entry["objectRef"].get("apiGroup", ""), entry["objectRef"]["resource"] + ("/" + entry["objectRef"]["subresource"] if "subresource" in entry["objectRef"] else ""),
                 entry["verb"]) for entry in case.CLUSTER.requests()}
        unused = []
        for which in ("own", "watched"):
            for rule in yaml.safe_load((ROOT / f"operator/rbac/{which}.yaml").read_text()):
                for resource in rule["resources"]:
                    self.assertNotIn("secrets", resource)
                    unused += [(resource, verb) for verb in rule["verbs"] if (rule["apiGroups"][0], resource, verb) not in used]
        # Needed by a rule of the API server (blockOwnerDeletion) or for a kind that is not installed here; an apply that makes an
        # object counts as a patch in the log, and needs the right to create it.
        excused = {("streamingjobs/finalizers", "update")} | {("podmonitors", verb) for verb in ("get", "watch", "create", "patch", "delete")}
        self.assertEqual([use for use in unused if use not in excused and use[1] != "create"], [])


if __name__ == "__main__":
    sys.exit(case.main())

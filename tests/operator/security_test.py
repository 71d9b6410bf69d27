#!/usr/bin/env python3
"""What somebody who may write StreamingJobs of one namespace, and nothing else, tries in order to get further. Each attempt is refused
with a message, by the API server or in the job's status, and nothing runs.

Usage: security_test.py MILLRACE_OPERATOR [TESTS...]
Exits with 77 (skipped) while the API server is not built: `make test-cluster` builds and runs it.
"""
import json
import sys

try:
    import case
except ImportError as error:
    print(f"skipped: {error}; install python3-yaml")
    sys.exit(77)

from cluster import JOBS, Refused, job, wait_for

setUpModule, tearDownModule = case.start, case.end


def volume(path="/data", **kind):
    return {"pod": {"volumes": [{"name": "v", "mountPath": path, **(kind or {"emptyDir": {}})}]}}


def redis(**more):
    return {"state": {"redis": {"addresses": ["redis:6379"], **more}}}


TABLE = {"name": "t", "key": ["k"], "format": {"csv": {"header": True, "schema": {"k": "string"}}}}
# What is tried: the spec, and what the refusal says. All of them are sent as they are, with unknown fields refused by the server.
ATTEMPTS = {
    # Out of the namespace.
    "namespace_by_a_secret_name": (redis(auth={"secretName": "kube-system/admin"}), "secretName"),
    "namespace_by_a_secret_path": (redis(auth={"secretName": "../admin"}), "secretName"),
    "namespace_of_a_secret": (redis(auth={"secretName": "s", "namespace": "kube-system"}), "unknown field"),
    "namespace_of_a_volume": (volume(secret={"secretName": "s", "namespace": "kube-system"}), "unknown field"),
    "namespace_by_a_config_map": ({"tables": [{**TABLE, "file": {"configMapKeyRef": {"name": "other/map", "key": "k"}}}]}, "configMapKeyRef"),
    "namespace_by_an_account": ({"pod": {"serviceAccountName": "kube-system:admin"}}, "serviceAccountName"),
    "namespace_by_a_pull_secret": ({"imagePullSecrets": ["other/registry"]}, "imagePullSecrets"),
    "namespace_of_the_workers": ({"namespace": "kube-system"}, "unknown field"),
    # Onto the host.
    "host_path": (volume(hostPath={"path": "/"}), "unknown field"),
    "host_network": ({"pod": {"hostNetwork": True}}, "unknown field"),
    "host_processes": ({"pod": {"hostPID": True}}, "unknown field"),
    "host_state": ({"state": {"directory": {"path": "/var/lib/kubelet"}}}, "state"),
    "host_devices": (volume("//dev/"), "belongs to the image"),
    "host_port": ({"metrics": {"port": 80}}, "metrics.port"),
    "over_the_root": (volume("/./"), "belongs to the image"),
    "over_the_job_file": (volume("/etc/millrace/job"), "belongs to the image"),
    "over_the_token": (volume("/var/run/secrets/kubernetes.io/serviceaccount"), "belongs to the image"),
    "mount_options": (volume("/data:rw,exec"), "\":\""),
    # More privileges.
    "privileged": ({"pod": {"securityContext": {"privileged": True}}}, "unknown field"),
    "a_container_of_ones_own": ({"pod": {"containers": [{"name": "c", "image": "i", "securityContext": {"privileged": True}}]}}, "unknown field"),
    "an_init_container": ({"pod": {"initContainers": []}}, "unknown field"),
    "a_token": ({"pod": {"automountServiceAccountToken": True}}, "unknown field"),
    "no_seccomp": ({"pod": {"annotations": {"seccomp.security.alpha.kubernetes.io/pod": "unconfined"}}}, "of a domain that controllers act upon"),
    "no_apparmor": ({"pod": {"annotations": {"container.apparmor.security.beta.kubernetes.io/worker": "unconfined"}}}, "of a domain that controllers act upon"),
    "priority_of_the_system": ({"pod": {"priorityClassName": "system-node-critical"}}, "is for system pods"),
    # Others' secrets and objects.
    "a_secret_in_the_environment": ({"pod": {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}}, "unknown field"),
    "the_address_of_another_pod": ({"pod": {"env": [{"name": "POD_IP", "value": "10.0.0.1"}]}}, "POD_IP is set by the operator"),
    "the_labels_of_another_job": ({"pod": {"labels": {"streaming.millrace.io/job-uid": "another"}}}, "of a domain that controllers act upon"),
    "the_selector_of_another_job": ({"pod": {"labels": {"app.kubernetes.io/instance": "another"}}}, "of a domain that controllers act upon"),
    "the_ports_of_the_workers": ({"metrics": {"port": 7077}}, "7077"),
}


class SecurityTest(case.OperatorCase):
    def attempt(self, spec, message):
        self.operator()
        wanted = job("words", self.status_server.port, **spec)
        if "metrics" not in spec:
            wanted["spec"]["metrics"] = {"port": self.status_server.port}
        try:
            self.api.call("POST", f"{JOBS}/namespaces/{self.namespace}/streamingjobs?fieldValidation=Strict", wanted)
        except Refused as refused:
            self.assertIn(refused.code, (400, 422))
            self.assertIn(message, json.loads(str(refused).split(": ", 1)[1])["message"])
            return
        self.assertIn(message, self.refusal())
        self.assertEqual(self.status()["phase"], "Failed")
        self.assertEqual(self.api.items(f"/apis/apps/v1/namespaces/{self.namespace}/deployments"), [])
        self.assertEqual(self.api.items(f"/api/v1/namespaces/{self.namespace}/configmaps?labelSelector=app.kubernetes.io/instance"), [])

    def test_a_job_of_the_name_of_anothers_objects_takes_none_of_them(self):
        """A ServiceAccount that a job would be given is somebody's own, with rights: it is not taken over, and no pod runs under it."""
        accounts = f"/api/v1/namespaces/{self.namespace}/serviceaccounts"
        self.api.call("POST", accounts, {"metadata": {"name": "words-workers"}})
        self.operator()
        self.apply()
        self.assertIn("ServiceAccount/words-workers exists and is not of this job", self.refusal())
        self.assertIsNone(self.deployment())

    def test_a_status_that_is_forged_brings_no_revision_of_others(self):
        """The notebook in the status names what to return to; only what the job owns is believed."""
        self.running()
        path = f"/apis/apps/v1/namespaces/{self.namespace}/controllerrevisions"
        forged = {"apiVersion": "streaming.millrace.io/v1alpha1", "kind": "StreamingJob", "metadata": {"name": "words"},
                  "spec": {**self.api.get(self.path())["spec"], "image": "evil:1"}}
        self.api.call("POST", path, {"metadata": {"name": "words-forged"}, "revision": 1, "data": forged})
        memory = json.loads(self.status()["memory"])
        memory["rollout"].update(good="forged", refused=memory["rollout"]["revision"])
        self.api.patch(self.path() + "/status", {"status": {"memory": json.dumps(memory)}})
        self.apply(upgrade={"rollback": {"enabled": True}}, workers=2)
        wait_for("two workers", lambda: self.status()["workers"].get("ready") == 2)
        self.assertNotEqual(self.deployment()["spec"]["template"]["spec"]["containers"][0]["image"], "evil:1")


def named(name, spec, message):
    def test(self):
        self.attempt(spec, message)
    test.__name__ = f"test_{name}_is_refused"
    return test


for each, (attempt, answer) in ATTEMPTS.items():
    setattr(SecurityTest, f"test_{each}_is_refused", named(each, attempt, answer))


if __name__ == "__main__":
    sys.exit(case.main())

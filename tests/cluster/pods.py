"""The job of tests/workers as pods: what the tests there compare, of workers that Kubernetes starts and ends."""
import json
import types
import urllib.request

import yaml

from api import Api
from fleet import Broken, wait
from flows import Flow
from node import kubectl

SPACE = "shop"
SYSTEM = "millrace-system"
REDIS = f"millrace-redis.{SYSTEM}:6379"
METRICS_PORT = 9090
CALM_SECONDS = 120


class PodFlow(Flow):
    """A StreamingJob `name` in SPACE, fed from its beginning on, and the reader of its outputs."""

    def __init__(self, cluster, name, workers):
        super().__init__(None, cluster, types.SimpleNamespace(address=REDIS), name)
        self.api = Api()
        with open(self.job_file, encoding="utf-8") as text:
            self.job = yaml.safe_load(text)
        self.job["metadata"]["namespace"] = SPACE
        self.job["spec"].update(workers=workers, resources={"requests": {"cpu": "50m", "memory": "32Mi"}, "limits": {"memory": "256Mi"}})
        self.job["spec"]["pod"] = {"terminationGracePeriod": "20s"}

    def apply(self):
        return kubectl("apply", "-f", "-", text=json.dumps(self.job))

    def patch(self, spec):
        kubectl("-n", SPACE, "patch", "sjob", self.name, "--type=merge", "-p", json.dumps({"spec": spec}))

    def scale(self, count):
        kubectl("-n", SPACE, "scale", f"sjob/{self.name}", "--replicas", str(count))
        self.wait_workers(count)

    def status(self):
        found = self.api.get(f"/apis/streaming.millrace.io/v1alpha1/namespaces/{SPACE}/streamingjobs/{self.name}")
        return (found or {}).get("status", {})

    def wait_phase(self, phase):
        wait(lambda: self.status().get("phase") == phase, f"the job was {phase}", CALM_SECONDS)

    def pods(self):
        """Those of the workers, the leaving ones left out."""
        labels = f"app.kubernetes.io/instance={self.name},app.kubernetes.io/component=worker"
        found = self.api.items(f"/api/v1/namespaces/{SPACE}/pods?labelSelector={labels}")
        return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]

    def wait_workers(self, count, condition=lambda pod: True):
        def there():
            pods = self.pods()
            return len(pods) == count and all(is_ready(pod) and condition(pod) for pod in pods)
        wait(there, f"{count} workers were ready", CALM_SECONDS)

    def leader(self):
        """Name of the pod that leads; empty for none."""
        return next((pod["metadata"]["name"] for pod in self.pods() if asked(pod).get("leading")), "")

    def restarts(self):
        return sum(each["restartCount"] for pod in self.pods() for each in pod["status"].get("containerStatuses", []))

    # --- what Fleet asks of processes -------------------------------------------------------------------------------------------

    def running(self):
        return []

    def check_alive(self):
        if self.status().get("phase") in ("Failed", "Stalled"):
            raise Broken(f"the job is {self.status()}")


def is_ready(pod):
    return any(each["type"] == "Ready" and each["status"] == "True" for each in pod["status"].get("conditions", []))


def asked(pod):
    """What a worker says of itself; nothing while it does not answer."""
    try:
        with urllib.request.urlopen(f"http://{pod['status']['podIP']}:{METRICS_PORT}/status", timeout=5) as answer:
            return json.load(answer).get("worker", {})
    except (OSError, KeyError, ValueError):
        return {}

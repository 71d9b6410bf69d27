"""What happens to a job on a node, one thing after the other. Each gets the job and the brokers, and returns when the job is well again."""
import time

from fleet import wait
from node import kubectl
from pods import CALM_SECONDS, SPACE, SYSTEM, Broken

OPERATORS = "app.kubernetes.io/component=operator"
# What could be left of a job.
KINDS = "deployments,replicasets,pods,services,configmaps,serviceaccounts,networkpolicies,poddisruptionbudgets,jobs,endpointslices"


def delete_pod(flow, name, *flags):
    kubectl("-n", SPACE, "delete", "pod", name, *flags)
    wait(lambda: all(pod["metadata"]["name"] != name for pod in flow.pods()), f"{name} was gone", CALM_SECONDS)


def delete_the_leader(flow, kafka):
    del kafka
    delete_pod(flow, wait(flow.leader, "somebody led"))
    flow.wait_workers(2)


def delete_one_that_does_not_lead(flow, kafka):
    del kafka
    leader = wait(flow.leader, "somebody led")
    delete_pod(flow, next(pod["metadata"]["name"] for pod in flow.pods() if pod["metadata"]["name"] != leader))
    flow.wait_workers(2)


def kill_the_leader(flow, kafka):
    """Without time to hand over."""
    del kafka
    delete_pod(flow, wait(flow.leader, "somebody led"), "--grace-period=0", "--force")
    flow.wait_workers(2)


def scale_to_4_and_1_and_2(flow, kafka):
    del kafka
    for count in (4, 1, 2):
        flow.scale(count)


def suspend_and_resume(flow, kafka):
    del kafka
    flow.patch({"suspend": True})
    flow.wait_phase("Suspended")
    flow.wait_workers(0)
    flow.patch({"suspend": False})
    flow.wait_workers(2)
    flow.wait_phase("Running")


def upgrade_one_by_one(flow, kafka):
    """Another image and another environment."""
    del kafka
    flow.patch({"image": "millrace:next", "pod": {"labels": {"round": "two"}}})
    flow.wait_workers(2, lambda pod: pod["metadata"]["labels"].get("round") == "two" and pod["spec"]["containers"][0]["image"] == "millrace:next")
    flow.wait_phase("Running")


def live_without_an_operator(flow, kafka):
    """A worker is replaced meanwhile; what was asked of the operator is done when it is back."""
    kubectl("-n", SYSTEM, "scale", "deployment/millrace", "--replicas=0")
    wait(lambda: not flow.api.items(f"/api/v1/namespaces/{SYSTEM}/pods?labelSelector={OPERATORS}"), "no operator ran", CALM_SECONDS)
    delete_the_leader(flow, kafka)
    flow.settle()
    kubectl("-n", SPACE, "scale", f"sjob/{flow.name}", "--replicas", "3")
    kubectl("-n", SYSTEM, "scale", "deployment/millrace", "--replicas=2")
    flow.wait_workers(3)
    flow.scale(2)


def replace_the_leading_operator(flow, kafka):
    del kafka
    kubectl("-n", SYSTEM, "delete", "pod", "-l", OPERATORS, "--grace-period=0", "--force")
    flow.scale(3)
    flow.scale(2)


def restart_redis(flow, kafka):
    del kafka
    kubectl("-n", SYSTEM, "delete", "pod", "millrace-redis-0")
    kubectl("-n", SYSTEM, "rollout", "status", "statefulset/millrace-redis", "--timeout=120s")


def restart_kafka(flow, kafka):
    del flow
    kafka.restart()


ALL = [delete_the_leader, delete_one_that_does_not_lead, kill_the_leader, scale_to_4_and_1_and_2, suspend_and_resume, upgrade_one_by_one,
       live_without_an_operator, replace_the_leading_operator, restart_redis, restart_kafka]


def delete_job(flow):
    """Nothing is left of it: no object, no key."""
    kubectl("-n", SPACE, "delete", "sjob", flow.name, "--timeout=120s")
    deadline = time.monotonic() + CALM_SECONDS
    while True:
        objects = kubectl("-n", SPACE, "get", KINDS, "-l", f"app.kubernetes.io/instance={flow.name}", "-o", "name").split()
        keys = kubectl("-n", SYSTEM, "exec", "millrace-redis-0", "--", "redis-cli", "--scan", "--pattern", f"*{flow.name}*").split()
        if not objects and not keys:
            return
        if time.monotonic() > deadline:
            raise Broken(f"the deleted job left {objects} {keys}")
        time.sleep(0.5)

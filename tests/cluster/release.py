"""The chart on the node, as docs/install.md says: installed, tried by `helm test`, used for a first job, removed."""
import json
import os
import pathlib
import re
import subprocess
import time

from fleet import wait
from layout import DATA, KUBECONFIG, PROGRAMS, RUN
from node import kubectl
from pods import CALM_SECONDS, SPACE, SYSTEM, Broken

HELM = PROGRAMS / "helm"
# Pods below the Restricted level are refused.
RESTRICTED = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}


def missing():
    return [name for name, path in {"helm": HELM, "redis-server": pathlib.Path("/usr/bin/redis-server")}.items() if not path.exists()]


def helm(*arguments):
    done = subprocess.run([HELM, *arguments, "--namespace", SYSTEM], capture_output=True, text=True, check=False, timeout=300,
                          env={**os.environ, "KUBECONFIG": str(KUBECONFIG), "HOME": str(RUN)})
    if done.returncode:
        raise Broken(f"helm {' '.join(map(str, arguments))}: {done.stderr}\n{done.stdout}")
    return done.stdout


def apply(*objects):
    return kubectl("apply", "-f", "-", text=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))


def make_volume():
    """A folder of the node, for the Redis of the chart: nobody provides volumes here."""
    folder = DATA / "redis"
    folder.mkdir(exist_ok=True)
    os.chown(folder, 10001, 10001)
    apply({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": "redis"},
           "spec": {"capacity": {"storage": "2Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": str(folder)},
                    "persistentVolumeReclaimPolicy": "Retain"}})


def install(root):
    apply(*({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": RESTRICTED}} for name in (SYSTEM, SPACE)))
    make_volume()
    begin = time.monotonic()
    helm("install", "millrace", root / "helm/millrace", "--set", "redis.enabled=true,watch.allNamespaces=true")
    for what in ("deployment/millrace", "statefulset/millrace-redis"):
        kubectl("-n", SYSTEM, "rollout", "status", what, "--timeout=120s")
    print(f"helm install: operator and redis are ready after {time.monotonic() - begin:.0f} s", flush=True)
    begin = time.monotonic()
    helm("test", "millrace", "--timeout", "3m")
    print(f"helm test: ok, {time.monotonic() - begin:.0f} s", flush=True)
    kubectl("-n", SYSTEM, "delete", "sjob", "--all", "--timeout=120s")


def first_job(root):
    """The job of docs/install.md, by its own commands."""
    text = (root / "docs/install.md").read_text()
    job = re.search(r"<!-- file job.yaml -->\n```yaml\n(.*?)```", text, re.DOTALL).group(1)
    begin = time.monotonic()
    kubectl("apply", "-f", "-", text=job)

    def printed():
        return "-- screen  batch" in kubectl("-n", SYSTEM, "logs", "-l", "app.kubernetes.io/instance=numbers,app.kubernetes.io/component=worker", check=False)

    wait(printed, "the job printed a window", CALM_SECONDS)
    print(f"first job of docs/install.md: its first window is printed after {time.monotonic() - begin:.0f} s", flush=True)
    kubectl("-n", SYSTEM, "wait", "--for=condition=Ready", "sjob/numbers", "--timeout=60s")
    kubectl("-n", SYSTEM, "scale", "sjob/numbers", "--replicas", "1")
    kubectl("-n", SYSTEM, "delete", "sjob", "numbers", "--timeout=120s")


def uninstall():
    helm("uninstall", "millrace")
    wait(lambda: not json.loads(kubectl("-n", SYSTEM, "get", "pods", "-o", "json"))["items"], "no pod of the release was left", CALM_SECONDS)

"""Renders the chart with helm, and looks at what comes out."""
import copy
import functools
import json
import os
import pathlib
import subprocess
import tempfile

import yaml

HELM = pathlib.Path(os.environ.get("MILLRACE_KUBE", pathlib.Path.home() / ".cache/millrace-kube")) / "helm"


@functools.cache
def template(folder, values, version, files):
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(values)
        file.flush()
        command = [HELM, "template", "rel", folder, "--namespace", "spot", "--kube-version", version, "--values", file.name]
        for each in files:
            command += ["--values", each]
        return subprocess.run(command, capture_output=True, text=True, check=False)


@functools.cache
def parse(text):
    found = {}
    for each in yaml.load_all(text, Loader=StrictLoader):
        if not each:
            continue
        key = (each["kind"], each["metadata"]["name"], each["metadata"].get("namespace", ""))
        if key in found:
            raise AssertionError(f"{key} twice")
        found[key] = each
    return found


class Chart:
    """`render` gives the objects by (kind, name, namespace); `refuse` the message with which helm declines."""

    def __init__(self, root):
        self.folder = root / "helm/millrace"

    def render(self, values=None, version="1.32.0", files=()):
        # The manifest of the custom resource takes seconds to read; those who want it ask for it.
        values = {"crds": {"install": False}, **(values or {})}
        done = template(self.folder, json.dumps(values), version, tuple(files))
        if done.returncode:
            raise AssertionError(done.stderr)
        return copy.copy(parse(done.stdout))

    def refuse(self, values):
        done = template(self.folder, json.dumps(values), "1.32.0", ())
        return done.stderr if done.returncode else None


class StrictLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    """Refuses a key that stands twice in one map, of which YAML readers keep either."""

    def construct_mapping(self, node, deep=False):
        keys = [self.construct_object(key, deep=True) for key, _ in node.value]
        if len(set(keys)) != len(keys):
            raise AssertionError(f"a key twice: {sorted(keys)} {node.start_mark}")
        return super().construct_mapping(node, deep)


def of_kind(objects, kind):
    return [each for (name, _, _), each in objects.items() if name == kind]


def pod_specs(objects):
    for (kind, name, _), each in objects.items():
        if kind == "Pod":
            yield f"{kind} {name}", each["spec"]
        elif kind in ("Deployment", "StatefulSet"):
            yield f"{kind} {name}", each["spec"]["template"]["spec"]


def weaknesses(objects):
    """What keeps pods from the Restricted level of the pod security standards, and from ours above it."""
    for where, spec in pod_specs(objects):
        pod = spec.get("securityContext", {})
        if not pod.get("runAsNonRoot") or pod.get("runAsUser", 0) < 10000 or pod.get("seccompProfile") != {"type": "RuntimeDefault"}:
            yield f"{where}: pod security {pod}"
        if any(spec.get(field) for field in ("hostNetwork", "hostPID", "hostIPC")) or "automountServiceAccountToken" not in spec:
            yield f"{where}: shares the host, or does not say whether it has a token"
        for volume in spec.get("volumes", []):
            if set(volume) - {"name", "configMap", "secret", "emptyDir", "persistentVolumeClaim"}:
                yield f"{where}: volume {volume}"
            if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
                yield f"{where}: {volume['name']} has no limit"
        for container in spec["containers"] + spec.get("initContainers", []):
            yield from container_weaknesses(f"{where}/{container['name']}", container)


def container_weaknesses(where, container):
    own = container.get("securityContext", {})
    wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    if own != wanted:
        yield f"{where}: container security {own}"
    if "memory" not in container["resources"].get("limits", {}) or "cpu" not in container["resources"].get("requests", {}):
        yield f"{where}: resources {container['resources']}"
    if container["image"].endswith(":latest") or not (":" in container["image"].rsplit("/", 1)[-1] or "@" in container["image"]):
        yield f"{where}: image {container['image']}"
    if any("hostPort" in port for port in container.get("ports", [])):
        yield f"{where}: a port of the host"

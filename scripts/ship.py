#!/usr/bin/env python3
"""Writes what the chart and deploy/ copy from other places; with --check it only says what differs, and fails.

Usage: ship.py [--check] [--helm HELM]

values.schema.json is the one description of the chart's values: values.yaml and the table in the chart's README are printed from it.
The manifest of the custom resource, the operator's rights, the alerts and the dashboards
are copied. deploy/ is rendered by helm (left out when it is not
given and not built).
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
CHART = ROOT / "helm/millrace"
NAMESPACE = "millrace-system"
BEGIN, END = "<!-- values -->\n", "<!-- end -->\n"
WIDTH = 120


def leaves(schema, path=""):
    """Yields (path, schema) of every value; an object with fixed members is not one itself."""
    for name, member in schema["properties"].items():
        if "properties" in member:
            yield from leaves(member, path + name + ".")
        elif name != "global":
            yield path + name, member


def type_name(member):
    names = {"texts": "map of texts", "labels": "labels", "quantities": "cpu, memory, ephemeral-storage", "duration": "duration", "quantity": "quantity"}
    if "$ref" in member:
        return names[member["$ref"].rsplit("/", 1)[1]]
    if "enum" in member:
        return ", ".join(member["enum"])
    if member["type"] == "array":
        return "list"
    return " or ".join(member["type"]) if isinstance(member["type"], list) else member["type"]


def comment(name, text, indent):
    words, line, lines = text.split(), f"{indent}# {name}:", []
    for word in words:
        if len(line) + 1 + len(word) > WIDTH:
            lines.append(line)
            line = f"{indent}#"
        line += " " + word
    return lines + [line]


def values_lines(schema, indent=""):
    for name, member in schema["properties"].items():
        if name == "global":
            continue
        yield from comment(name, member["description"], indent)
        if "properties" in member:
            yield f"{indent}{name}:"
            yield from values_lines(member, indent + "  ")
        else:
            yield f"{indent}{name}: {json.dumps(member['default'])}"
        if not indent:
            yield ""


def values_yaml(schema):
    head = "# Printed from values.schema.json by scripts/ship.py, which a test repeats. Every key is checked; an unknown one is refused.\n\n"
    return head + "\n".join(values_lines(schema)).rstrip() + "\n"


def values_table(schema):
    rows = ["| value | type | default | meaning |", "|---|---|---|---|"]
    for path, member in leaves(schema):
        rows.append(f"| `{path}` | {type_name(member)} | `{json.dumps(member['default'])}` | {member['description']} |")
    return "\n".join(rows) + "\n"


def readme(schema):
    text = (CHART / "README.md").read_text()
    head, rest = text.split(BEGIN)
    return head + BEGIN + values_table(schema) + END + rest.split(END)[1]


def render(helm, *arguments):
    command = [helm, "template", "millrace", str(CHART), "--namespace", NAMESPACE, "--no-hooks", "--kube-version", "1.32.0", *arguments]
    text = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    # Nobody but helm needs to know that helm rendered it.
    drop = ("helm.sh/chart:", "helm.sh/resource-policy:", "# Source:")
    lines = [line for line in text.splitlines() if not line.strip().startswith(drop)]
    text = "\n".join(line.replace("managed-by: Helm", "managed-by: kubectl") for line in lines) + "\n"
    return text.replace("  annotations:\n  creationTimestamp", "  creationTimestamp").replace("  annotations:\n  labels:", "  labels:")


def deploy(helm):
    made = "# Made by scripts/ship.py from helm/millrace; a test compares the two.\n"
    space = f"apiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n  labels:\n    pod-security.kubernetes.io/enforce: restricted\n"
    crd = render(helm, "--show-only", "templates/crd.yaml")
    rest = render(helm, "--set", "crds.install=false,tests.enabled=false")
    yield ROOT / "deploy/base/namespace.yaml", made + space
    yield ROOT / "deploy/base/crd.yaml", made + crd
    yield ROOT / "deploy/base/operator.yaml", made + rest
    yield ROOT / "deploy/millrace.yaml", made + "---\n" + space + crd + rest


def wanted(helm):
    schema = json.loads((CHART / "values.schema.json").read_text())
    yield CHART / "values.yaml", values_yaml(schema)
    yield CHART / "README.md", readme(schema)
    yield CHART / "files/streamingjob.yaml", (ROOT / "crds/streamingjob.yaml").read_text()
    for path in sorted((ROOT / "operator/rbac").glob("*.yaml")):
        yield CHART / "files/rbac" / path.name, path.read_text()
    alerts = ROOT / "dashboards/alerts/millrace.yaml"
    if alerts.exists():
        yield CHART / "files/alerts.yaml", alerts.read_text()
    for path in sorted((ROOT / "dashboards").glob("*.json")):
        yield CHART / "files/dashboards" / path.name, path.read_text()


def write_or_compare(outputs, check):
    stale = []
    for path, text in outputs:
        if path.exists() and path.read_text() == text:
            continue
        stale.append(str(path.relative_to(ROOT)))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return stale


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--check", action="store_true")
    cache = pathlib.Path(os.environ.get("MILLRACE_KUBE", pathlib.Path.home() / ".cache/millrace-kube"))
    parser.add_argument("--helm", type=pathlib.Path, default=cache / "helm")
    arguments = parser.parse_args()
    stale = write_or_compare(wanted(arguments.helm), arguments.check)
    if arguments.helm.exists():
        stale += write_or_compare(deploy(arguments.helm), arguments.check)
    elif not arguments.check:
        print("ship: no helm, deploy/ is left as it is; tests/ship/build_helm.sh builds one")
    if arguments.check and stale:
        sys.exit("not what scripts/ship.py writes: " + ", ".join(stale))
    for path in stale:
        print("wrote", path)


if __name__ == "__main__":
    main()

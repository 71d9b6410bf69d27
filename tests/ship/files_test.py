#!/usr/bin/env python3
"""Checks what needs no tool: copies and printed files are not stale, the chart's rights are the operator's, kustomize builds the base.

Usage: files_test.py REPOSITORY
"""
import pathlib
import shutil
import subprocess
import sys

try:
    import yaml
except ImportError as error:
    print(f"skipped: {error}; install python3-yaml")
    sys.exit(77)


def rights(rules):
    """{(group, resource, verb)}."""
    return {(group, resource, verb) for rule in rules for group in rule["apiGroups"] for resource in rule["resources"] for verb in rule["verbs"]}


def stale(root):
    done = subprocess.run([sys.executable, root / "scripts/ship.py", "--check"], capture_output=True, text=True, check=False)
    if done.returncode:
        yield done.stderr.strip()


def right_problems(root):
    chart = root / "helm/millrace/files/rbac"
    for name in ("watched", "own"):
        rules = yaml.safe_load((chart / f"{name}.yaml").read_text())
        for group, resource, verb in rights(rules):
            if "*" in (group, resource, verb) or resource == "secrets":
                yield f"{name}.yaml allows {verb} {resource}"


def kustomize_problems(root):
    if not shutil.which("kubectl"):
        return
    for folder in sorted((root / "deploy").glob("*/")):
        done = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True, check=False)
        if done.returncode:
            yield f"kubectl kustomize {folder.name}: {done.stderr}"
            continue
        if not any(each["kind"] == "Deployment" for each in yaml.safe_load_all(done.stdout)):
            yield f"{folder.name} has no Deployment"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    found = [*stale(root), *right_problems(root), *kustomize_problems(root)]
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()

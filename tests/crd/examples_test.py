#!/usr/bin/env python3
"""Checks every job of examples/ against the schema of crds/streamingjob.yaml, and that broken jobs are refused.

Usage: examples_test.py REPOSITORY
Needs python3-jsonschema and python3-yaml; exits with 77 (skipped) without them. Rules in CEL are for an API server to check:
see apiserver_test.py.
"""
import copy
import pathlib
import sys

try:
    import jsonschema
    import yaml
except ImportError as error:
    print(f"skipped: {error}; install python3-jsonschema and python3-yaml")
    sys.exit(77)

# What a job must not say, as changes of a good one: path of the value, the value.
BROKEN = [
    (["spec", "workers"], -1),
    (["spec", "workers"], "3"),
    (["spec", "batchInterval"], "1d"),
    (["spec", "batchInterval"], "0s"),
    (["spec", "onError"], "Ignore"),
    (["spec", "maxParallelism"], 5000),
    (["spec", "sources"], []),
    (["spec", "sources", 0, "name"], "no-name"),
    (["spec", "sources", 0, "nonsense"], True),
    (["spec", "sources", 0, "format"], {"text": {}, "json": {}}),
    (["spec", "sinks", 0, "from"], ""),
    (["metadata", "name"], "Upper"),
]


def strict(schema):
    """The schema as `kubectl apply` uses it: members that it does not name are errors."""
    if not isinstance(schema, dict):
        return schema
    made = {key: strict(value) for key, value in schema.items() if key not in ("properties", "additionalProperties")}
    if "properties" in schema:
        made["properties"] = {name: strict(value) for name, value in schema["properties"].items()}
    if "additionalProperties" in schema:
        made["additionalProperties"] = strict(schema["additionalProperties"])
    elif schema.get("type") == "object" and "x-kubernetes-preserve-unknown-fields" not in schema:
        made["additionalProperties"] = False
    return made


def read_schema(root):
    manifest = yaml.safe_load((root / "crds/streamingjob.yaml").read_text())
    schema = strict(manifest["spec"]["versions"][0]["schema"]["openAPIV3Schema"])
    schema["properties"]["metadata"]["additionalProperties"] = True  # the server has its own schema of it
    return schema


def with_change(job, path, value):
    changed = copy.deepcopy(job)
    at = changed
    for part in path[:-1]:
        at = at[part]
    at[path[-1]] = value
    return changed


def main():
    root = pathlib.Path(sys.argv[1])
    validator = jsonschema.Draft7Validator(read_schema(root))
    failures = 0
    jobs = sorted((root / "examples").glob("*.yaml"))
    for path in jobs:
        for error in validator.iter_errors(yaml.safe_load(path.read_text())):
            failures += 1
            print(f"{path.name}: {'.'.join(map(str, error.absolute_path))}: {error.message[:200]}")
    good = yaml.safe_load((root / "examples/top-words-socket.yaml").read_text())
    for path, value in BROKEN:
        if validator.is_valid(with_change(good, path, value)):
            failures += 1
            print(f"accepted: {'.'.join(map(str, path))} = {value!r}")
    print(f"{len(jobs)} jobs, {len(BROKEN)} broken ones, {failures} failures")
    return 1 if failures or not jobs else 0


if __name__ == "__main__":
    sys.exit(main())

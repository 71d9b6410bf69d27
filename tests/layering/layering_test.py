#!/usr/bin/env python3
"""Reads the #include lines of the sources and fails on an edge that the architecture forbids, or on a cycle.

Usage: layering_test.py REPOSITORY
"""
import pathlib
import re
import sys

# Folder -> folders it may include (besides itself). The lists are the architecture: add an edge only on purpose.
ALLOWED = {
    "crds/base": set(),
    "crds/api": {"crds/base"},
    "crds/crd": {"crds/base", "crds/api"},
    "worker/data": {"crds/base", "crds/api"},
    "worker/expr": {"crds/base", "crds/api", "worker/data"},
    "worker/exec": {"crds/base"},
    "worker/state": {"crds/base", "worker/data"},
    "worker/client": {"crds/base", "crds/api"},
    "worker/window": {"crds/base", "crds/api", "worker/data", "worker/expr", "worker/state"},
    "worker/table": {"crds/base", "crds/api", "worker/data", "worker/expr", "worker/state", "worker/client"},
    "worker/step": {"crds/base", "crds/api", "worker/data", "worker/expr", "worker/exec", "worker/state", "worker/window", "worker/table"},
    "worker/coordination": {"crds/base", "worker/state", "worker/client"},
    "worker/source": {"crds/base", "crds/api", "worker/data", "worker/expr", "worker/client"},
    "worker/sink": {"crds/base", "crds/api", "worker/data", "worker/expr", "worker/client"},
    "worker/plan": {"crds/base", "crds/api", "worker/data", "worker/expr", "worker/exec", "worker/step", "worker/source", "worker/sink",
                    "worker/table"},
    "worker/schedule": {"crds/base", "crds/api", "worker/data", "worker/expr", "worker/exec", "worker/state", "worker/step", "worker/plan",
                        "worker/coordination", "worker/source", "worker/sink", "worker/table"},
    "worker/metrics": {"crds/base", "worker/client", "worker/schedule", "worker/exec", "worker/coordination"},
    "worker/runtime": {"crds/base", "crds/api", "worker/data", "worker/plan", "worker/schedule", "worker/metrics", "worker/client", "worker/source",
                       "worker/sink", "worker/table", "worker/coordination", "worker/exec", "worker/state", "worker/step"},
    "worker": {"worker/runtime"},
    "operator/queue": {"crds/base"},
    "operator/kube": {"crds/base", "crds/api", "operator/queue"},
    "operator/resources": {"crds/base", "crds/api"},
    "operator/reconcile": {"crds/base", "crds/api", "operator/resources"},
    "operator/controller": {"crds/base", "crds/api", "operator/queue", "operator/kube", "operator/resources", "operator/reconcile"},
    "operator/runtime": {"crds/base", "operator/kube", "operator/controller", "worker/client"},
}
# Third-party headers and the only folders that may include them.
FENCED = {
    r"yaml-cpp/": {"crds/api"},
    r"httplib\.h": {"worker/client"},
    r"prometheus/": {"worker/metrics", "operator/runtime"},
    r"cpprest/": {"operator/kube"},
    r"librdkafka/": {"worker/client"},
    r"hiredis/": {"worker/client"},
    r"zmq(\.h|\.hpp|_addon\.hpp)$": {"worker/client"},
    r"zstd\.h|zlib\.h|lz4|snappy": {"worker/client"},
    r"CLI/": {"worker/runtime", "operator/runtime"},
}
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def folder_of(path):
    parts = path.split("/")
    return "/".join(parts[:2]) if len(parts) > 2 else parts[0]


def check_own(path, folder, target, edges, errors):
    to = folder_of(target)
    if to == folder:
        return
    edges.setdefault(folder, set()).add(to)
    if to not in ALLOWED.get(folder, set()):
        errors.append(f"{path}: {folder} may not include {target} ({to})")


def check_foreign(path, folder, header, errors):
    for pattern, allowed in FENCED.items():
        if re.match(pattern, header) and folder not in allowed:
            errors.append(f"{path}: <{header}> belongs behind {', '.join(sorted(allowed))}")


def find_cycle(edges):
    done, trail = set(), []

    def visit(folder):
        if folder in trail:
            return trail[trail.index(folder):] + [folder]
        if folder in done:
            return None
        trail.append(folder)
        for target in sorted(edges.get(folder, ())):
            cycle = visit(target)
            if cycle:
                return cycle
        trail.pop()
        done.add(folder)
        return None

    for folder in sorted(edges):
        cycle = visit(folder)
        if cycle:
            return cycle
    return None


def main():
    root = pathlib.Path(sys.argv[1])
    edges, errors, files = {}, [], 0
    for top in ("crds", "worker", "operator"):
        for source in sorted((root / top).rglob("*")):
            if source.suffix not in (".h", ".cc"):
                continue
            files += 1
            path = source.relative_to(root).as_posix()
            if path.endswith(("_test.cc", "_fuzz.cc")):
                continue
            for line in source.read_text().splitlines():
                match = INCLUDE.match(line)
                if not match:
                    continue
                if match.group(1) == '"':
                    check_own(path, folder_of(path), match.group(2), edges, errors)
                else:
                    check_foreign(path, folder_of(path), match.group(2), errors)
    cycle = find_cycle(edges)
    if cycle:
        errors.append("cycle: " + " -> ".join(cycle))
    for error in errors:
        print(error)
    print(f"{files} files, {sum(len(t) for t in edges.values())} folder edges, {len(errors)} violations")
    return 1 if errors or files == 0 else 0


if __name__ == "__main__":
    sys.exit(main())

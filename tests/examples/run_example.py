#!/usr/bin/env python3
"""Runs one job of examples/ and checks what it prints.

Usage: run_example.py MILLRACE NAME [--update]

Rows are compared sorted, per sink, because their order within a batch and the batch they leave in are no promise.
`--update` writes the golden file instead of comparing with it.
"""
import difflib
import os
import pathlib
import subprocess
import sys
import tempfile

import oracles
import peers

ROOT = pathlib.Path(__file__).resolve().parents[2]
GOLDEN = pathlib.Path(__file__).resolve().parent / "golden"
TIMEOUT_S = 90


def tables(text):
    """{sink: [rows]} of console tables in a pipe; runs of blanks become one."""
    found, rows, skip_header = {}, None, False
    for line in text.splitlines():
        if line.startswith("-- "):
            rows, skip_header = found.setdefault(line.split()[1], []), True
            continue
        cells = " ".join(line.split())
        if rows is None or not cells:
            continue
        if skip_header:
            skip_header = False
            if not rows:
                rows.append("# " + cells)
            continue
        rows.append(cells)
    return found


# Sinks of updating streams, whose versions depend on where batches are cut: the first so many columns are the row's key, and only
# the last version of each counts.
KEY_COLUMNS = {"averages": 2, "byStatus": 1, "funnel": 1, "reasons": 2}


def canonical(text):
    lines = []
    for sink, rows in sorted(tables(text).items()):
        header, rows = rows[0], rows[1:]
        if sink in KEY_COLUMNS:
            rows = {tuple(row.split()[:KEY_COLUMNS[sink]]): row for row in rows}.values()
        lines += [f"== {sink}", header, *sorted(rows)]
    return "\n".join(lines) + "\n"


def run(millrace, name, extra=(), peer=None):
    """Standard output of the job; fails with its standard error when it does not end well."""
    command = [millrace, "run", f"examples/{name}.yaml", "--state", "memory", "--quiet", *extra]
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               env={**os.environ, "NO_COLOR": "1"})
    try:
        if peer is not None:
            peer(process)
        out, err = process.communicate(timeout=TIMEOUT_S)
    except BaseException:
        process.kill()
        print(process.communicate()[1], file=sys.stderr)
        raise
    if process.returncode != 0:
        sys.exit(f"{' '.join(command)}\nexited with {process.returncode}\n{err}")
    return out


def compare(name, got, update):
    path = GOLDEN / f"{name}.txt"
    if update:
        path.write_text(got)
        return
    want = path.read_text()
    if got != want:
        diff = difflib.unified_diff(want.splitlines(), got.splitlines(), str(path), "printed", lineterm="")
        sys.exit("\n".join(diff))


def order_lines(millrace, update):
    """Files by hour: the folder of each row is checked, not only the row."""
    with tempfile.TemporaryDirectory() as folder:
        out = run(millrace, "order-lines", ["--set", f"spec.sinks.lake.file.path={folder}/lake"])
        rows = []
        for file in sorted(pathlib.Path(folder, "lake").rglob("dt=*/**/*.csv")):
            header, *lines = file.read_text().splitlines()
            rows += [f"{file.parent.relative_to(folder)}: {line}" for line in lines]
        compare("order-lines", canonical(out) + "== files\n# " + header + "\n" + "\n".join(sorted(rows)) + "\n", update)


def main():
    millrace, name = sys.argv[1:3]
    update = "--update" in sys.argv[3:]
    runner = lambda extra=(), peer=None: run(millrace, name, extra, peer)
    if name in oracles.CHECKS:
        sys.exit(oracles.CHECKS[name](runner, tables))
    if name == "order-lines":
        order_lines(millrace, update)
    elif name in peers.PEERS:
        compare(name, canonical(peers.PEERS[name](runner)), update)
    else:
        compare(name, canonical(runner()), update)


if __name__ == "__main__":
    main()

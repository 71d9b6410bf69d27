#!/usr/bin/env python3
"""Visits every interleaving of a Promela model with spin. Fails on a violation; with --leave-out CHECK, which defines NO_CHECK in the
model, fails unless there is one.

search.py MODEL [--leave-out CHECK]

Exit code 77: spin or a C compiler is not installed.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
SEARCH_SECONDS = 300
MAX_MEMORY_MB = 3000
MAX_DEPTH = 100_000
COMPILER = ["cc", "-O2", "-w", "-DSAFETY", "-DNOCLAIM", "-DCOLLAPSE", f"-DMEMLIM={MAX_MEMORY_MB}", "-o", "pan", "pan.c"]


def search(model, defines):
    """What the generated program prints."""
    with tempfile.TemporaryDirectory(prefix="millrace-spin-") as folder:
        shutil.copy(model, folder)
        subprocess.run(["spin", *defines, "-a", model.name], cwd=folder, check=True, stdout=subprocess.DEVNULL)
        subprocess.run(COMPILER, cwd=folder, check=True)
        result = subprocess.run(["./pan", "-E", f"-m{MAX_DEPTH}"], cwd=folder, check=True, stdout=subprocess.PIPE, text=True,
                                timeout=SEARCH_SECONDS)
    return result.stdout


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--leave-out", metavar="CHECK")
    args = parser.parse_args()
    for tool in ("spin", "cc"):
        if shutil.which(tool) is None:
            print(f"{tool} is not installed")
            return SKIPPED
    define = f"NO_{args.leave_out.upper()}" if args.leave_out else None
    if define and define not in args.model.read_text(encoding="utf-8"):
        sys.exit(f"{args.model} knows no {define}")
    printed = search(args.model, [f"-D{define}"] if define else [])
    violations = re.findall(r"assertion violated (.+)", printed)
    states = re.search(r"(\d+) states, stored", printed)
    if define:
        print(f"without {args.leave_out}: {violations[0] if violations else 'no violation'}")
        return 0 if violations else 1
    complete = "errors: 0" in printed and "Search not completed" not in printed and "max search depth too small" not in printed
    unreached = [line for line in re.findall(r"\((\d+) of \d+ states\)", printed) if line != "0"]
    if not complete or unreached or states is None:
        print(printed)
        return 1
    print(f"{int(states.group(1)):,} states, no violation, every statement reached")
    return 0


if __name__ == "__main__":
    sys.exit(main())

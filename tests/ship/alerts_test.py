#!/usr/bin/env python3
"""Runs the tests of the alerts: each fires for the job or namespace "bad" and for nothing else. Needs promtool.

Usage: alerts_test.py REPOSITORY
"""
import pathlib
import shutil
import subprocess
import sys


def main():
    folder = pathlib.Path(sys.argv[1]) / "dashboards/alerts"
    if not shutil.which("promtool"):
        print("skipped: no promtool; scripts/install-deps.sh --monitoring installs it")
        sys.exit(77)
    for command in (["check", "rules", "millrace.yaml"], ["test", "rules", "millrace_test.yaml", "millrace_slow_test.yaml"]):
        done = subprocess.run(["promtool", *command], cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode:
            sys.exit(done.stdout)


if __name__ == "__main__":
    main()

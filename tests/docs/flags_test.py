#!/usr/bin/env python3
"""Fails when a command or flag that `millrace --help` prints is missing in docs/cli.md, docs/millrace.1 or the completions.

Usage: flags_test.py REPOSITORY MILLRACE
"""
import pathlib
import re
import subprocess
import sys

COMMANDS_WITH_FLAGS = ["run", "worker", "state", "check", "explain"]


def output(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def main():
    root, millrace = pathlib.Path(sys.argv[1]), sys.argv[2]
    commands = re.findall(r"^  (\w+)  ", output(millrace, "--help").split("Subcommands:")[1], re.MULTILINE)
    flags = {flag for command in COMMANDS_WITH_FLAGS
             for flag in re.findall(r"^  (?:-h,)?(--[a-z-]+)", output(millrace, command, "--help"), re.MULTILINE)} - {"--help"}
    texts = {
        "docs/cli.md": (root / "docs/cli.md").read_text(),
        "docs/millrace.1": (root / "docs/millrace.1").read_text().replace("\\-", "-"),
        "completion bash": output(millrace, "completion", "bash"),
        "completion zsh": output(millrace, "completion", "zsh"),
        "completion fish": output(millrace, "completion", "fish").replace("-l ", "--"),
    }
    missing = [f"{name}: no {word}" for name, text in texts.items() for word in [*commands, *sorted(flags)] if word not in text]
    if not commands or len(flags) < 8:
        missing.append(f"cannot read the help: {commands} {flags}")
    if missing:
        sys.exit("\n".join(missing))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Runs the shell blocks of the documents that a line `<!-- tested -->` marks, and compares what they print.

Usage: commands_test.py REPOSITORY MILLRACE

The blocks of one document run in order in one copy of a folder that holds examples/, with `millrace` on the PATH. A ```text block right
behind a marked one is what it must print; `...` on a line of its own stands for any lines. Times, and how many batches there were, are
not compared.
A ```yaml block marked `<!-- file NAME -->` is written to NAME first.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"<!-- (tested|file (\S+)|tested fails) -->\n```(?:sh|yaml|csv|json)\n(.*?)```\n(?:\n```text\n(.*?)```\n)?", re.DOTALL)
BATCH = re.compile(r"batch \d+  \S+Z")
SUMMARY = re.compile(r"^(millrace: \w+: )\d+ batch(?:es)?, (.*), in \S+$", re.MULTILINE)


def without_times(text):
    return SUMMARY.sub(r"\1# batches, \2, in #", BATCH.sub("batch #", text))


def pattern_of(expected):
    parts = [re.escape(line) if line != "..." else None for line in without_times(expected).splitlines()]
    text = ""
    for part in parts:
        text += "(?:.*\n)*" if part is None else part + "\n"
    return re.compile(text)


def run_block(kind, script, expected, folder, millrace):
    environment = {**os.environ, "PATH": f"{millrace.parent}:{os.environ['PATH']}", "NO_COLOR": "1"}
    done = subprocess.run(["bash", "-euo", "pipefail", "-c", script], cwd=folder, env=environment, text=True, timeout=120,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if (done.returncode != 0) != (kind == "tested fails"):
        return f"exit code {done.returncode} of\n{script}\n{done.stdout}"
    printed = without_times(done.stdout)
    if expected and not pattern_of(expected).fullmatch(printed):
        return f"{script}\nprinted\n{printed}\nbut the document says\n{expected}"
    return None


def check(document, root, millrace):
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(root / "examples", pathlib.Path(folder, "examples"))
        for kind, name, body, expected in BLOCK.findall(document.read_text()):
            if name:
                pathlib.Path(folder, name).write_text(body)
                continue
            problem = run_block(kind, body, expected, folder, millrace)
            if problem:
                yield f"{document.relative_to(root)}: {problem}"


def main():
    root, millrace = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    documents = [root / "README.md", *sorted(root.glob("docs/*.md"))]
    found = [problem for document in documents for problem in check(document, root, millrace)]
    if found:
        sys.exit("\n\n".join(found))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Fails when a document does not hold what a program prints.

Usage: drift_test.py DOCUMENT COMMAND... [--update]

The printed text stands between the document's lines `<!-- printed -->` and `<!-- end -->`, or is the whole document when there
are none.
"""
import difflib
import pathlib
import subprocess
import sys

BEGIN, END = "<!-- printed -->\n", "<!-- end -->\n"


def main():
    arguments = [a for a in sys.argv[1:] if a != "--update"]
    path, command = pathlib.Path(arguments[0]), arguments[1:]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    now = path.read_text() if path.exists() else ""
    want = printed
    if BEGIN in now:
        head, rest = now.split(BEGIN)
        want = head + BEGIN + printed + END + rest.split(END)[1]
    if "--update" in sys.argv:
        path.write_text(want)
    elif now != want:
        diff = difflib.unified_diff(now.splitlines(), want.splitlines(), str(path), " ".join(command), lineterm="")
        sys.exit("\n".join(diff) + f"\nrun drift_test.py {path} {' '.join(command)} --update")


if __name__ == "__main__":
    main()

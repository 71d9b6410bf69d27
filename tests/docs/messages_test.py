#!/usr/bin/env python3
"""Fails when a message that docs/errors.md quotes is no longer in the sources.

Usage: messages_test.py REPOSITORY

Quotes are the first cells of the tables; `...` and capital placeholders like N stand for values and cut a quote into parts.
"""
import pathlib
import re
import sys


def quotes(text):
    for cell in re.findall(r"^\| `([^`]+)`", text, re.MULTILINE):
        yield cell, [part.strip(' "') for part in re.split(r'\.\.\.|\bN\b', cell) if len(part.strip(' "')) > 3]


def main():
    root = pathlib.Path(sys.argv[1])
    sources = [path for folder in ("crds", "worker") for path in (root / folder).rglob("*.cc") if not path.stem.endswith("_test")]
    # Literals that a line break of the source cuts read as one.
    code = "\n".join(re.sub(r'"\s*\n\s*"', "", path.read_text()) for path in sources)
    missing = [f"docs/errors.md quotes `{cell}`, but no source has \"{part}\""
               for cell, parts in quotes((root / "docs/errors.md").read_text()) for part in parts if part not in code]
    if missing:
        sys.exit("\n".join(missing))


if __name__ == "__main__":
    main()

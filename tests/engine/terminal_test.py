#!/usr/bin/env python3
"""`millrace run` in terminals of any size: what it draws fits, and it ends as it should.

terminal_test.py --millrace PATH
"""

import argparse
import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import unicodedata
import unittest

MILLRACE = ""
DEADLINE_SECONDS = 60

JOB = """apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: wide}
spec:
  batchInterval: 50ms
  sources: [{name: numbers, generator: {fields: {number: seq}, rate: 400, count: %d}}]
  streams:
    - name: rows
      from: numbers
      steps:
        - map: {number: number, long: '"the quick brown fox jumps over the lazy dog " + string(number)', wide: '"\u4e16\u754c\u4e16\u754c\u4e16\u754c"'}
    - name: totals
      from: rows
      steps:
        - set: {group: string(number %% 7)}
        - aggregate: {key: [group], window: {global: {}}, values: {rows: count(), last: last(long)}}
  sinks:
    - {name: appended, from: rows, console: {rows: 3}}
    - {name: updated, from: totals, console: {}}
"""
SIZES = [(80, 24), (20, 24), (8, 5), (1, 1), (200, 2)]


class Terminal:
    """Follows the cursor through what a program writes: text, CR, LF and the CSI sequences that millrace uses."""

    def __init__(self, columns):
        self.columns, self.column, self.wraps, self.wrapping, self.unknown = columns, 0, 0, True, []

    def feed(self, text):
        for token in re.findall(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b.|.", text, re.DOTALL):
            if token.startswith("\x1b"):
                self.escape(token)
            elif token in "\r\n":
                self.column = 0
            else:
                self.put(2 if unicodedata.east_asian_width(token) in "WF" else 1)

    def escape(self, token):
        if token in ("\x1b[?7l", "\x1b[?7h"):
            self.wrapping = token.endswith("h")
        elif not re.fullmatch(r"\x1b\[[0-9;]*[AJKm]", token):
            self.unknown.append(token)

    def put(self, width):
        if self.column + width > self.columns:
            self.wraps += self.wrapping
            self.column = 0 if self.wrapping else self.columns - width
        self.column += width


class TerminalTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="millrace-terminal-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def job(self, count):
        path = os.path.join(self.folder, "job.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(JOB % count)
        return path

    def run_in(self, columns, rows, arguments, env=None, resize=None):
        """Exit code and all that was written to a terminal of this size; `resize` is the size after the first output."""
        master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        process = subprocess.Popen([MILLRACE, *arguments], stdin=slave, stdout=slave, stderr=slave,
                                   env={**os.environ, "TERM": "xterm", **(env or {})}, start_new_session=True)
        written, end = b"", time.monotonic() + DEADLINE_SECONDS
        os.close(slave)
        while time.monotonic() < end:
            if not select.select([master], [], [], 0.1)[0]:
                continue
            try:
                data = os.read(master, 65536)
            except OSError:  # the last writer closed it
                break
            if not data:
                break
            written += data
            if resize:
                fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", resize[1], resize[0], 0, 0))
                process.send_signal(signal.SIGWINCH)
                resize = None
        os.close(master)
        if process.poll() is None and time.monotonic() >= end:
            process.kill()
        return process.wait(DEADLINE_SECONDS), written.decode("utf-8")

    def test_nothing_wraps_at_any_size(self):
        job = self.job(100)
        for columns, rows in SIZES:
            with self.subTest(columns=columns, rows=rows):
                code, text = self.run_in(columns, rows, ["run", job])
                terminal = Terminal(columns)
                terminal.feed(text.split("millrace: completed")[0])
                self.assertEqual(code, 0, text)
                self.assertIn("millrace: completed", text.replace("\r\n", "\n"))
                self.assertEqual((terminal.wraps, terminal.unknown), (0, []), repr(text[-2000:]))
                self.assertTrue(terminal.wrapping, "the terminal is left as it was")

    def test_survives_a_resize(self):
        code, text = self.run_in(80, 24, ["run", self.job(200)], resize=(12, 4))
        self.assertEqual(code, 0, text)

    def test_writes_no_colours_where_none_are_wanted(self):
        for env in ({"NO_COLOR": "1"}, {"TERM": "dumb"}, {"TERM": ""}):
            with self.subTest(env=env):
                code, text = self.run_in(80, 24, ["run", self.job(20)], env=env)
                self.assertEqual(code, 0, text)
                self.assertIsNone(re.search(r"\x1b\[[0-9;]*m", text))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", required=True)
    options, rest = parser.parse_known_args()
    MILLRACE = os.path.abspath(options.millrace)
    unittest.main(argv=sys.argv[:1] + rest)

#!/usr/bin/env python3
"""A file sink whose disk is full: the batch waits, nothing cut is visible, and all goes on when there is room.

disk_test.py --millrace PATH

Mounts a small tmpfs, which takes root; says so and is skipped otherwise.
"""

import argparse
import glob
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

MILLRACE = ""
RECORDS = 3000
DISK_BYTES = 1 << 20
WAIT_SECONDS = 60

JOB = """apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: disk}
spec:
  batchInterval: 50ms
  restartPolicy: {backoffBase: 50ms, backoffCap: 200ms%s}
  sources: [{name: rows, generator: {fields: {v: seq, text: '"some text that fills the disk"'}, rate: 1000000, count: %d}, maxRatePerPartition: 4000}]
  sinks: [{name: out, from: rows, file: {path: %s}, format: {json: {}}}]
"""


class FullDiskTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="millrace-disk-")
        self.addCleanup(folder.cleanup)
        self.disk = os.path.join(folder.name, "disk")
        os.mkdir(self.disk)
        mount = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "millrace-test", self.disk], capture_output=True, text=True,
                               check=False) if os.getuid() == 0 else None
        if mount is None or mount.returncode != 0:
            self.skipTest("mounting a tmpfs takes root: " + (mount.stderr if mount else "this is another user"))
        self.addCleanup(subprocess.run, ["umount", self.disk], check=True)
        self.ballast = os.path.join(self.disk, "ballast")
        self.out = os.path.join(self.disk, "out")
        self.job = os.path.join(folder.name, "job.yaml")

    def fill(self):
        """Leaves no free page."""
        with open(self.ballast, "ab", buffering=0) as ballast:
            try:
                while ballast.write(b"x" * 4096):
                    pass
            except OSError:
                pass

    def start(self, more=""):
        with open(self.job, "w", encoding="utf-8") as out:
            out.write(JOB % (more, RECORDS, self.out))
        process = subprocess.Popen([MILLRACE, "run", self.job], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process

    def wait_for_files(self):
        deadline = time.monotonic() + WAIT_SECONDS
        while not glob.glob(self.out + "/rows-*"):
            self.assertLess(time.monotonic(), deadline, "no file appeared")
            time.sleep(0.005)

    def values(self):
        """All visible rows; a line that was cut does not parse."""
        rows = []
        for name in glob.glob(self.out + "/rows-*"):
            with open(name, encoding="utf-8") as lines:
                rows += [json.loads(line)["v"] for line in lines]
        return sorted(rows)

    def test_waits_for_room_and_goes_on(self):
        process = self.start()
        self.wait_for_files()
        self.fill()
        errors = [process.stderr.readline() for _ in range(3)]
        for line in errors:
            self.assertIn("batch failed, trying again", line)
            self.assertIn("No space left on device", line)
        self.assertIsNone(process.poll(), "a full disk does not end the job")
        seen = self.values()
        self.assertEqual(seen, list(range(len(seen))), "whole batches only")
        os.unlink(self.ballast)
        _, rest = process.communicate(timeout=WAIT_SECONDS)
        self.assertEqual(process.returncode, 0, rest)
        self.assertEqual(self.values(), list(range(RECORDS)))

    def test_ends_at_max_restarts_with_the_cause(self):
        process = self.start(", maxRestarts: 2")
        self.wait_for_files()
        self.fill()
        _, errors = process.communicate(timeout=WAIT_SECONDS)
        self.assertEqual(process.returncode, 1)
        self.assertRegex(errors, r'millrace: sink "out"( after commit)?: file sink: [a-z]+ .*: No space left on device\n')
        seen = self.values()
        self.assertEqual(seen, list(range(len(seen))), "whole batches only")

    def test_stops_while_it_waits(self):
        process = self.start()
        self.wait_for_files()
        self.fill()
        process.stderr.readline()
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=WAIT_SECONDS)
        self.assertEqual(process.returncode, 0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", required=True)
    options, rest = parser.parse_known_args()
    MILLRACE = os.path.abspath(options.millrace)
    unittest.main(argv=sys.argv[:1] + rest)

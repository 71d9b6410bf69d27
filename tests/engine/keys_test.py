#!/usr/bin/env python3
"""Keys at both ends: all records under one, or every record under its own. Memory follows the number of keys, not that of records.

keys_test.py --millrace PATH [--keys N] [--records N]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import unittest

MILLRACE = ""
RECORDS = 0
KEYS = 0

JOB = """apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: keys}
spec:
  batchInterval: 100ms
  sources: [{name: numbers, generator: {fields: {key: "%s", value: seq}, rate: 2000000, count: %d}}]
  streams:
    - name: counts
      from: numbers
      steps:
        - aggregate: {key: [key], window: {global: {}}, values: {records: count(), total: sum(value)}}
    - {name: heavy, from: counts, steps: [{filter: key == 0}]}
  sinks: [{name: out, from: heavy, console: {rows: 1000000}, format: {json: {}}}]
"""


class KeysTest(unittest.TestCase):
    def run_job(self, key, count):
        """The last row of key 0 and the peak of resident memory in bytes."""
        with tempfile.TemporaryDirectory(prefix="millrace-keys-") as folder:
            with open(os.path.join(folder, "job.yaml"), "w", encoding="utf-8") as out:
                out.write(JOB % (key, count))
            with subprocess.Popen([MILLRACE, "run", "job.yaml", "--quiet", "--threads", "1"], cwd=folder, stdout=subprocess.PIPE) as process:
                rows = [json.loads(line) for line in process.stdout]
                _, status, usage = os.wait4(process.pid, 0)
                process.returncode = os.waitstatus_to_exitcode(status)
            self.assertEqual(process.returncode, 0)
            return rows[-1], usage.ru_maxrss * 1024

    def test_one_key_takes_the_memory_of_a_batch(self):
        row, memory = self.run_job("0", RECORDS)
        self.assertEqual((row["records"], row["total"]), (RECORDS, RECORDS * (RECORDS - 1) // 2))
        self.assertLess(memory, 100e6)
        print(f"{RECORDS:,} records of one key: peak {memory / 1e6:.0f} MB", file=sys.stderr)

    def test_many_keys_take_memory_in_proportion(self):
        row, memory = self.run_job("seq", KEYS)
        self.assertEqual(row["records"], 1)
        self.assertLess(memory, 100e6 + 250 * KEYS)
        print(f"{KEYS:,} keys: peak {memory / 1e6:.0f} MB", file=sys.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--keys", type=int, default=500000)
    parser.add_argument("--records", type=int, default=5000000)
    options, rest = parser.parse_known_args()
    MILLRACE = os.path.abspath(options.millrace)
    KEYS, RECORDS = options.keys, options.records
    unittest.main(argv=sys.argv[:1] + rest)

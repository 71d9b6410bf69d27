#!/usr/bin/env python3
"""Bad records on their way through a whole job: the good ones arrive, and each bad one says where it stood and what is wrong with it.

records_test.py --millrace PATH
"""

import argparse
import base64
import gzip
import json
import os
import subprocess
import sys
import tempfile
import unittest

MILLRACE = ""

JOB = """apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: records}
spec:
  batchInterval: 50ms
  onError: DeadLetter
  sources: [{name: lines, file: {path: %s, watch: false}, format: %s%s}]
  streams: %s
  sinks:
    - {name: out, from: %s, console: {rows: 1000}, format: {json: {}}}
    - {name: dead, from: deadLetters, onError: Skip, console: {rows: 1000}, format: {json: {}}}
"""
TIMED = ", eventTime: {timestampExpr: at}"
MATHS = """
    - name: result
      from: lines
      steps:
        - map: {quotient: 10 / a, rest: 10 % a, product: a * 9223372036854775807, real: string(1.0 / double(a)), log: string(math.sqrt(double(a)))}
"""


class RecordsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="millrace-records-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def run_job(self, data, form, name="in", more="", streams="[]", read="lines"):
        with open(os.path.join(self.folder, name), "wb") as out:
            out.write(data)
        with open(os.path.join(self.folder, "job.yaml"), "w", encoding="utf-8") as out:
            out.write(JOB % (name, form, more, streams, read))
        return subprocess.run([MILLRACE, "run", "job.yaml", "--quiet"], cwd=self.folder, capture_output=True, timeout=60, check=False)

    def rows(self, data, form, **more):
        """The rows of the job and (message, bytes of the record) of its dead letters."""
        done = self.run_job(data, form, **more)
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        rows = [json.loads(line) for line in done.stdout.decode().split("\n") if line]
        letters = [row for row in rows if "origin" in row]
        return ([row for row in rows if "origin" not in row],
                [(letter["message"], base64.b64decode(letter["value"])) for letter in letters])

    def test_json(self):
        bad = [(b'{"a":', "in:2: not JSON: unexpected end at byte 5"),
               (b'\xef\xbb\xbf{"a":1}', "in:3: not JSON: byte order mark at byte 0"),
               (b'{"a":1}x', "in:4: not JSON: unexpected text behind the value at byte 7"),
               (b'{"a":\xff}', "in:5: not JSON: invalid UTF-8 at byte 5"),
               (b'{"a":9223372036854775808}', 'in:6: field "a": 9223372036854775808 is out of range for int'),
               (b"\0", "in:7: not JSON: expected a value at byte 0"),
               (b'{"a":"1"}', 'in:8: field "a": expected int, found string "1"')]
        data = b'{"a":1}\n' + b"".join(record + b"\n" for record, _ in bad) + b'\n{"a":2}\n'
        rows, letters = self.rows(data, "{json: {schema: {a: int}}}")
        self.assertEqual(rows, [{"a": 1}, {"a": 2}])
        self.assertEqual(letters, [(message, record) for record, message in bad])

    def test_csv(self):
        data = b'a,b\r\n1,x\r\n2\n3,"multi\nline"\n4,"say ""hi"""\n5,x"y\n"6"z,b\n7,"open\n8,b\n'
        rows, letters = self.rows(data, "{csv: {header: true, schema: {a: int, b: string}}}")
        self.assertEqual(rows, [{"a": 1, "b": "x"}, {"a": 3, "b": "multi\nline"}, {"a": 4, "b": 'say "hi"'}, {"a": 5, "b": 'x"y'}])
        self.assertEqual(letters, [("in:3: the record has 1 columns, expected 2", b"2"),
                                   ("in:8: text behind the closing quote at byte 2", b'"6"z,b'),
                                   ("in:9: the quote at byte 2 is not closed", b'7,"open\n8,b\n')])

    def test_times_far_ahead(self):
        rows, letters = self.rows(b'{"at":"2024-06-01T00:00:00Z"}\n{"at":"9999-12-31T00:00:00Z"}\n{"at":null}\n',
                                  '{json: {schema: {at: "timestamp?"}}}', more=TIMED)
        self.assertEqual(rows, [{"at": "2024-06-01T00:00:00Z"}])
        self.assertEqual(sorted(message.split(" of the batch time")[0] for message, _ in letters),
                         ["in:2: event time 9999-12-31T00:00:00Z is more than maxFuture 1h ahead", "in:3: eventTime: timestampExpr is null"])
        for message, _ in letters:
            self.assertRegex(message, r"^in:3:|^in:2: .* ahead of the batch time 20\d\d-[0-9T:.-]+Z$")

    def test_arithmetic(self):
        rows, letters = self.rows(b'{"a":0}\n{"a":1}\n{"a":2}\n', "{json: {schema: {a: int}}}", streams=MATHS, read="result")
        self.assertEqual(rows, [{"quotient": 10, "rest": 0, "product": 9223372036854775807, "real": "1", "log": "1"}])
        self.assertEqual([message for message, _ in letters], ["division by zero", "integer overflow"])
        reals = """
    - {name: result, from: lines, steps: [{map: {above: string(a / 0.0), root: string(math.sqrt(a)), none: string(a * 0.0 / 0.0)}}]}
"""
        rows, letters = self.rows(b'{"a":1}\n{"a":-1}\n', "{json: {schema: {a: double}}}", streams=reals, read="result")
        self.assertEqual(rows, [{"above": "Infinity", "root": "1", "none": "NaN"}, {"above": "-Infinity", "root": "NaN", "none": "NaN"}])
        self.assertEqual(letters, [])

    def test_sums_that_overflow_name_the_step(self):
        total = "\n    - {name: result, from: lines, steps: [{aggregate: {window: {batch: {}}, values: {total: sum(a)}}}]}\n"
        done = self.run_job(b'{"a":9223372036854775807}\n{"a":1}\n', "{json: {schema: {a: int}}}", streams=total, read="result")
        self.assertEqual((done.returncode, done.stdout, done.stderr.decode()), (
            1, b"", "millrace: batch 1 failed 3 times: result.aggregate: sum(a): sum() overflows 64 bits; use double()\n"))

    def test_unpacking_is_bounded(self):
        done = self.run_job(gzip.compress(bytes(100 << 20)), "{text: {}}", name="in.gz")
        self.assertEqual((done.returncode, done.stderr.decode()), (
            1, "millrace: batch 1 failed 3 times: in.gz:1: a record is longer than 16777216 bytes\n"))

    def test_text_of_users_stays_one_value(self):
        texts = ['"', "\\", "a\r\nb", "'; DROP TABLE users; --", "a,b", "\u2028", "</script>", "\x1b[31m", "${HOME} $(id) `id`", "=1+1"]
        data = "".join(json.dumps({"v": text}) + "\n" for text in texts).encode()
        rows, letters = self.rows(data, "{json: {schema: {v: string}}}")
        self.assertEqual((rows, letters), ([{"v": text} for text in texts], []))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", required=True)
    options, rest = parser.parse_known_args()
    MILLRACE = os.path.abspath(options.millrace)
    unittest.main(argv=sys.argv[:1] + rest)

#!/usr/bin/env python3
"""The `millrace` command from outside: what it says and which exit code it gives when something is wrong.

cli_test.py --millrace PATH
"""

import argparse
import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

MILLRACE = ""
STOP_SECONDS = 1  # from Ctrl-C to the end, when the batch in work is short
SEE_HELP = "See millrace --help.\n"

JOB = """apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: lines}
spec:
  batchInterval: 50ms
  sources: [{name: lines, generator: {fields: {v: seq}, rate: 200%s}}]
  sinks: [{name: out, from: lines, console: {}}]
"""
HTTP_JOB = """apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: lines}
spec:
  batchInterval: 50ms
  sources: [{name: lines, http: {port: %d}, format: {text: {}}}]
  sinks: [{name: out, from: lines, console: {}}]
"""
LOCALE_JOB = """apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: locale}
spec:
  batchInterval: 50ms
  sources: [{name: lines, generator: {fields: {v: seq}, rate: 1000, count: 10}}]
  streams:
    - name: texts
      from: lines
      steps:
        - map:
            half: double(v) / 2.0
            parsed: double("1.5") + double(v)
            upper: '("i" + string(v)).upperAscii()'
            at: fromUnixMillis(v * 86400000 * 45)
            day: formatTimestamp(fromUnixMillis(v * 86400000 * 45), "%A %d %B %Y %H:%M")
  sinks: [{name: out, from: texts, file: {path: ROOT/out}, format: {json: {}}}]
"""


class CliTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="millrace-cli-")
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        self.job = self.write("job.yaml", JOB % ", count: 20")
        self.endless = self.write("endless.yaml", JOB % "")

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as out:
            out.write(text)
        return path

    def run_cli(self, *arguments, env=None, **more):
        return subprocess.run([MILLRACE, *arguments], cwd=self.folder, env={**os.environ, **(env or {})}, capture_output=True, text=True,
                              timeout=60, check=False, **more)

    def start(self, *arguments, **more):
        process = subprocess.Popen([MILLRACE, *arguments], cwd=self.folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, **more)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process


class UsageTest(CliTest):
    """B67: wrong flags and arguments, exit code 2."""

    CASES = [
        (["run", "job.yaml", "--threds=2"], "millrace: unknown flag --threds. Did you mean --threads?\n" + SEE_HELP),
        (["rnu"], "millrace: unknown command rnu. Did you mean run?\n" + SEE_HELP),
        (["run", "job.yaml", "--threads"], "millrace: --threads: 1 required N:INT in [1 - 1024] missing\n" + SEE_HELP),
        (["run", "job.yaml", "--threads=abc"], "millrace: --threads: Value abc not in range 1 to 1024\n" + SEE_HELP),
        (["run", "job.yaml", "--threads", "0"], "millrace: --threads: Value 0 not in range 1 to 1024\n" + SEE_HELP),
        (["run", "job.yaml", "--threads", "1", "--threads", "2"], "millrace: --threads: At Most 1 required but received 2\n" + SEE_HELP),
        (["run", "job.yaml", "--batches", "-1"], "millrace: --batches: Value -1 not in range 1 to 1000000000000\n" + SEE_HELP),
        (["run", "job.yaml", "--sink", "file"], "millrace: --sink: file not in {console,none}\n" + SEE_HELP),
        (["run", "job.yaml", "more"], "millrace: unexpected argument more\n" + SEE_HELP),
        (["run"], "millrace: JOB is required\n" + SEE_HELP),
        (["run", "job.yaml", "--until-idle", "5"],
         '--until-idle: "5" is not a duration: a unit is missing; write 5s for seconds or 5ms for milliseconds\n'),
        (["run", "job.yaml", "--set", "workers"], "--set workers: expected path=value, for example --set spec.batchInterval=200ms\n"),
        (["run", "job.yaml", "--metrics-address", "127.0.0.1:99999"],
         "millrace: --metrics-address 127.0.0.1:99999: expected HOST:PORT, for example 127.0.0.1:9090\n"),
    ]

    def test_says_what_is_wrong_with_the_arguments(self):
        for arguments, message in self.CASES:
            with self.subTest(arguments=arguments):
                result = self.run_cli(*arguments)
                self.assertEqual((result.stderr, result.stdout, result.returncode), (message, "", 2))


class JobFileTest(CliTest):
    """B68: job files that are none, exit code 2 and bounded memory."""

    def test_says_what_is_wrong_with_the_file(self):
        os.mkdir(os.path.join(self.folder, "folder"))
        self.write("empty.yaml", "")
        with open(os.path.join(self.folder, "binary.yaml"), "wb") as out:
            out.write(bytes(range(256)))
        with open(os.path.join(self.folder, "huge.yaml"), "wb") as out:
            out.truncate(1 << 30)
        cases = [
            ("missing.yaml", "job file missing.yaml: No such file or directory\n"),
            ("folder", "job file folder is a directory; name a YAML or JSON file in it\n"),
            ("empty.yaml", "empty.yaml: no job found: the text is empty\n"),
            ("binary.yaml", "job file binary.yaml is binary, not YAML or JSON\n"),
            ("huge.yaml", "job file huge.yaml has 1073741824 bytes; the limit is 1 MiB\n"),
            ("/dev/null", "job file /dev/null is not a regular file\n"),
        ]
        for name, message in cases:
            for command in ("run", "check", "explain"):
                with self.subTest(name=name, command=command):
                    result = self.run_cli(command, name)
                    self.assertEqual((result.stderr, result.stdout, result.returncode), (message, "", 2))

    def test_says_that_a_file_is_unreadable(self):
        os.chmod(self.folder, 0o755)
        os.chmod(self.job, 0)
        as_nobody = {"user": 65534} if os.getuid() == 0 else {}  # root reads everything
        try:
            result = self.run_cli("run", self.job, **as_nobody)
        except PermissionError:
            self.skipTest("nobody may not run the binary where it is")
        self.assertEqual((result.stderr, result.returncode), (f"open {self.job}: Permission denied\n", 2))


class OutputTest(CliTest):
    """B74: standard output that is closed, full or no terminal."""

    def test_ends_when_its_reader_goes_away(self):
        process = subprocess.Popen([MILLRACE, "run", self.endless, "--quiet"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        process.stdout.readline()
        process.stdout.close()
        errors = process.stderr.read().decode()
        process.stderr.close()
        self.assertEqual((process.wait(20), errors), (1, 'millrace: sink "out": standard output is closed: its reader went away\n'))

    def test_writes_no_escape_codes_without_a_terminal(self):
        for env in ({}, {"NO_COLOR": "1"}, {"TERM": "dumb"}, {"COLUMNS": "20"}):
            with self.subTest(env=env):
                result = self.run_cli("run", self.job, env=env)
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertNotIn("\x1b", result.stdout + result.stderr)
                self.assertEqual(re.findall(r"^ *(\d+)$", result.stdout, re.M), [str(n) for n in range(20)])


    def test_other_commands_end_well_when_their_reader_goes_away(self):
        for command in (["help"], ["--help"], ["metrics"], ["version"], ["completion", "bash"], ["check", self.job], ["explain", self.job]):
            with self.subTest(command=command):
                read, write = os.pipe()
                os.close(read)
                done = subprocess.run([MILLRACE, *command], stdout=write, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
                os.close(write)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_says_that_output_could_not_be_written(self):
        for command in (["help"], ["metrics"], ["check", self.job]):
            with self.subTest(command=command), open("/dev/full", "w", encoding="utf-8") as full:
                done = subprocess.run([MILLRACE, *command], stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
                self.assertEqual((done.returncode, done.stderr), (1, "millrace: write to standard output: No space left on device\n"))

    def test_sums_up_at_the_end(self):
        result = self.run_cli("run", self.job, "--sink", "none")
        self.assertEqual(result.returncode, 0)
        self.assertRegex(result.stderr, r"\Amillrace: completed: \d+ batch(es)?, 20 records in, 20 rows out, in [0-9.]+m?s\n\Z")
        stopped = self.run_cli("run", self.endless, "--sink", "none", "--batches", "1")
        self.assertRegex(stopped.stderr, r"\Amillrace: stopped: 1 batch, \d+ records? in, ")
        self.assertEqual(self.run_cli("run", self.job, "--sink", "none", "--quiet").stderr, "")


class LocalRunTest(CliTest):
    """Fields of a job that mean something only in a cluster."""

    def test_names_what_it_leaves_aside_in_one_line(self):
        more = "  workers: 3\n  resources: {limits: {memory: 2Gi}}\n  ttlAfterFinished: 1h\n  logging: {format: Text}\n"
        job = self.write("cluster.yaml", JOB % ", count: 20" + more)
        for quiet in ([], ["--quiet"]):
            lines = self.run_cli("run", job, "--sink", "none", *quiet).stderr.splitlines()
            self.assertEqual(lines[0], f"{job}: warning: a local run leaves these fields aside: spec.workers, spec.ttlAfterFinished, spec.resources")
            self.assertEqual(len([line for line in lines if "warning" in line]), 1)
        self.assertEqual(self.run_cli("check", job).stderr, "")

    def test_does_not_run_a_suspended_job(self):
        job = self.write("suspended.yaml", JOB % ", count: 20" + "  suspend: true\n")
        result = self.run_cli("run", job)
        self.assertEqual((result.returncode, result.stdout, result.stderr), (
            2, "", f"{job}:8:12: spec.suspend: the job is suspended, so it does not run; set this to false, or pass --set spec.suspend=false\n"))
        self.assertEqual(self.run_cli("check", job).returncode, 0)
        self.assertEqual(self.run_cli("run", job, "--quiet", "--set", "spec.suspend=false").returncode, 0)


class EnvironmentTest(CliTest):
    """B69: environment variables that hold nonsense change nothing."""

    def test_ignores_values_that_mean_nothing(self):
        expected = self.run_cli("run", self.job, "--quiet", "--sink", "none")
        self.assertEqual((expected.returncode, expected.stderr), (0, ""))
        for name in ("NO_COLOR", "TERM", "COLUMNS", "LC_ALL", "TZ", "HOME", "TMPDIR"):
            for value in (b"", b"a\nb", b'"quoted"', b"\xff\xfe", b"-1", b"99999999999999999999", b"x" * 100_000):
                with self.subTest(name=name, value=value[:20]):
                    environment = {**os.environb, name.encode(): value}
                    done = subprocess.run([MILLRACE, "run", self.job, "--quiet"], env=environment, capture_output=True, timeout=60, check=False)
                    self.assertEqual((done.returncode, done.stderr), (0, b""))
                    self.assertNotIn(b"\x1b", done.stdout)


class SignalTest(CliTest):
    """B75: Ctrl-C once finishes the batch, twice ends at once."""

    def started(self, *more):
        process = self.start("run", self.endless, "--quiet", "--sink", "none", *more)
        time.sleep(0.5)
        self.assertIsNone(process.poll())
        return process

    def test_finishes_the_batch_and_exits_well(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with self.subTest(signal=number.name):
                process = self.started()
                begin = time.monotonic()
                process.send_signal(number)
                self.assertEqual(process.wait(20), 0)
                self.assertLess(time.monotonic() - begin, STOP_SECONDS)
                self.assertEqual(process.stderr.read(), "")

    def test_does_not_wait_for_clients_of_an_http_source(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        job = self.write("http.yaml", HTTP_JOB % port)
        process = self.start("run", job, "--quiet", "--sink", "none")
        kept = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        self.addCleanup(kept.close)
        self.post_when_ready(kept, process)
        half = socket.create_connection(("127.0.0.1", port))
        self.addCleanup(half.close)
        half.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        time.sleep(0.2)
        begin = time.monotonic()
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), 0)
        self.assertLess(time.monotonic() - begin, STOP_SECONDS)

    def post_when_ready(self, connection, process):
        for _ in range(200):
            self.assertIsNone(process.poll(), "the job ended early")
            try:
                connection.request("POST", "/", "a line\n")
                self.assertEqual(connection.getresponse().read(), b'{"accepted":1}\n')
                return
            except ConnectionRefusedError:
                connection.close()
                time.sleep(0.05)
        self.fail("the source does not listen")

    def test_ends_at_once_when_asked_twice(self):
        with socket.create_server(("127.0.0.1", 0)) as silent:  # a receiver that takes requests and never answers
            url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
            slow = self.write("slow.yaml", (JOB % "").replace("console: {}", f"http: {{url: '{url}', timeout: 30s}}, format: {{json: {{}}}}"))
            process = self.start("run", slow, "--quiet")
            time.sleep(0.5)
            process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            self.assertIsNone(process.poll(), "the batch in work is finished first")
            process.send_signal(signal.SIGINT)
            self.assertEqual(process.wait(3), 130)


class LocaleTest(CliTest):
    """B80: language and time zone of the machine change no result."""

    def output(self, env):
        with tempfile.TemporaryDirectory() as root:
            job = self.write("locale.yaml", LOCALE_JOB.replace("ROOT", root))
            result = self.run_cli("run", job, "--quiet", env=env)
            self.assertEqual((result.returncode, result.stderr), (0, ""))
            rows = []
            for name in sorted(os.listdir(os.path.join(root, "out"))):
                if not name.startswith("_"):
                    with open(os.path.join(root, "out", name), encoding="utf-8") as text:
                        rows += text.readlines()
            return sorted(rows)

    def test_gives_the_same_rows_everywhere(self):
        expected = self.output({"LC_ALL": "C", "TZ": "UTC"})
        self.assertEqual(len(expected), 10)
        for env in ({"LC_ALL": "de_DE.UTF-8"}, {"LC_ALL": "tr_TR.UTF-8"}, {"LC_ALL": "no_such"}, {"TZ": "Asia/Kolkata"}, {"TZ": "America/St_Johns"},
                    {"TZ": "No/Such"}, {"TZDIR": "/nonexistent", "TZ": "Europe/Berlin"}):
            with self.subTest(env=env):
                self.assertEqual(self.output(env), expected)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", required=True)
    options, rest = parser.parse_known_args()
    MILLRACE = os.path.abspath(options.millrace)
    unittest.main(argv=sys.argv[:1] + rest)

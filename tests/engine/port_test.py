#!/usr/bin/env python3
"""The ports that `millrace run` listens on: taken, used and misused.

port_test.py --millrace PATH
"""

import argparse
import http.client
import os
import re
import signal
import socket
import sys
import time
import unittest

from contextlib import contextmanager

import cli_test


class MetricsTest(cli_test.CliTest):
    """B72 and B76: the status port, used and misused."""

    @contextmanager
    def serving(self):
        process = self.start("run", self.endless, "--sink", "none", "--quiet", "--metrics-address", "127.0.0.1:0")
        line = process.stderr.readline()
        port = int(re.search(r"port=(\d+)", line).group(1))
        yield process, port
        self.assertEqual(self.fetch(port, "GET", "/metrics")[0], 200, "the engine was affected")
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(20), 0)

    @staticmethod
    def fetch(port, method, path, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        try:
            connection.request(method, path, headers=headers or {})
            reply = connection.getresponse()
            return reply.status, reply.read().decode()
        finally:
            connection.close()

    def test_names_a_port_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            address = f"127.0.0.1:{taken.getsockname()[1]}"
            result = self.run_cli("run", self.job, "--quiet", "--metrics-address", address)
        self.assertEqual((result.stderr, result.returncode), (f"millrace: listen on {address}: the port is in use by another process\n", 1))

    def test_names_an_address_it_cannot_use(self):
        result = self.run_cli("run", self.job, "--quiet", "--metrics-address", "192.0.2.1:9090")
        self.assertEqual((result.stderr, result.returncode), ("millrace: listen on 192.0.2.1:9090: Cannot assign requested address\n", 1))

    def test_names_the_port_of_a_source_that_is_taken(self):
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            result = self.run_cli("run", self.write("http.yaml", cli_test.HTTP_JOB % port), "--quiet")
        self.assertEqual((result.stderr, result.returncode),
                         (f'millrace: source "lines": listen on 0.0.0.0:{port}: the port is in use by another process\n', 1))

    def test_closes_on_requests_without_end(self):
        with self.serving() as (process, port):
            for begin, more in ((b"GET /metrics HTTP/1.1\r\n", b"X-More: and more\r\n"), (b"GET /", b"metrics"),
                                (b"POST /metrics HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"0000")):
                with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                    client.sendall(begin)
                    with self.assertRaises(OSError):
                        for _ in range(1000):
                            client.sendall(more * 4000)
            with open(f"/proc/{process.pid}/status", encoding="ascii") as status:
                kib = int(re.search(r"VmHWM:\s+(\d+)", status.read()).group(1))
            self.assertLess(kib, 200_000, "memory of the process")

    def test_answers_beside_a_thousand_idle_connections(self):
        with self.serving() as (_, port):
            idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(1000)]
            begin = time.monotonic()
            self.assertEqual(self.fetch(port, "GET", "/healthz")[0], 200)
            self.assertLess(time.monotonic() - begin, 15)
            for connection in idle:
                connection.close()

    def test_serves_metrics_status_and_health(self):
        with self.serving() as (_, port):
            self.assertIn("# HELP", self.fetch(port, "GET", "/metrics")[1])
            self.assertIn('"job":"lines"', self.fetch(port, "GET", "/status")[1])
            self.assertEqual(self.fetch(port, "GET", "/healthz"), (200, "ok\n"))

    def test_refuses_what_it_does_not_serve(self):
        with self.serving() as (_, port):
            self.assertEqual(self.fetch(port, "GET", "/../../etc/passwd"), (404, '{"error":"no such path"}\n'))
            self.assertEqual(self.fetch(port, "GET", "/%2e%2e/%2e%2e/etc/passwd")[0], 404)
            self.assertEqual(self.fetch(port, "POST", "/metrics"), (405, '{"error":"use GET"}\n'))

    def test_closes_on_a_header_of_a_megabyte(self):
        with self.serving() as (_, port):
            try:
                status = self.fetch(port, "GET", "/metrics", {"X-Long": "x" * (1 << 20)})[0]
                self.assertIn(status // 100, (4,))
            except (OSError, http.client.HTTPException):
                pass  # closed: as good

    def test_serves_others_beside_slow_and_idle_connections(self):
        with self.serving() as (process, port):
            idle = [socket.create_connection(("127.0.0.1", port)) for _ in range(200)]
            slow = socket.create_connection(("127.0.0.1", port))
            slow.sendall(b"GET /metrics HT")
            self.assertIsNone(process.poll())
            for connection in idle:
                connection.close()
            self.assertEqual(self.fetch(port, "GET", "/readyz")[0], 200)
            slow.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", required=True)
    options, rest = parser.parse_known_args()
    cli_test.MILLRACE = os.path.abspath(options.millrace)
    unittest.main(argv=sys.argv[:1] + rest)

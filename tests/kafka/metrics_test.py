#!/usr/bin/env python3
"""The metrics of a job from a topic to a topic, as /metrics serves them: offsets and lag of partitions, and transactions.

Usage: metrics_test.py MILLRACE
"""

import os
import re
import sys
import unittest
import urllib.request

from broker import Cluster
from flow import Flow

MILLRACE = ""
SAMPLE = re.compile(r'^(\w+)\{([^}]*)\} (\S+)$')
LABEL = re.compile(r'(\w+)="([^"]*)"')
SCRAPE_SECONDS = 10


class MetricsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()

    def test_partitions_and_transactions(self):
        with Flow(MILLRACE, self.cluster, "metrics", flags=("--metrics-address", "127.0.0.1:0")) as flow:
            flow.wait_rows(500)
            flow.settle()
            ends = {str(partition): end for partition, (_, end) in flow.kafka.offsets(flow.input).items()}
            flow.wait(lambda: self.offsets(flow, "millrace_kafka_committed_offset") == ends, "the committed offsets were shown")
            self.assertEqual(self.offsets(flow, "millrace_kafka_end_offset"), ends)
            self.assertEqual(self.offsets(flow, "millrace_kafka_lag_records"), dict.fromkeys(ends, 0))
            samples = self.samples(flow)
            committed = self.of_sink(samples, "millrace_kafka_transactions_committed_total")
            self.assertGreater(committed, 1)
            self.assertEqual(self.of_sink(samples, "millrace_kafka_transaction_commit_seconds_count"), committed)
            self.assertGreater(self.of_sink(samples, "millrace_kafka_transaction_commit_seconds_sum"), 0)
            self.assertEqual(self.of_sink(samples, "millrace_kafka_producers_total"), 1)
            for trouble in ("transactions_aborted", "transactions_unknown", "fenced"):
                self.assertEqual(self.of_sink(samples, f"millrace_kafka_{trouble}_total"), 0)
            flow.stop()

    def samples(self, flow):
        """[(name, labels, value)] of everything that is exported."""
        port = re.search(r"serving metrics and status port=(\d+)", flow.said()).group(1)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=SCRAPE_SECONDS) as answer:
            lines = answer.read().decode().splitlines()
        return [(match[1], dict(LABEL.findall(match[2])), float(match[3])) for match in map(SAMPLE.match, lines) if match]

    def offsets(self, flow, name):
        """{partition: value} of the input topic."""
        return {labels["partition"]: value for found, labels, value in self.samples(flow)
                if found == name and labels["topic"] == flow.input and labels["source"] == "records"}

    def of_sink(self, samples, name):
        (value,) = [value for found, labels, value in samples if found == name and labels["sink"] == "out"]
        return value


if __name__ == "__main__":
    MILLRACE = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)

#!/usr/bin/env python3
"""What tests rely on of the brokers they start: delivery, isolation, restart, failover, and who is let in.

Usage: broker_test.py [CLASS[.TEST]...]
"""

import os
import select
import signal
import subprocess
import sys
import unittest

from confluent_kafka import KafkaError, KafkaException, Producer

from broker import Cluster
from client import Client
from metadata import read_metadata

HERE = os.path.dirname(os.path.abspath(__file__))
TOOL = os.path.join(HERE, "..", "..", "scripts", "kafka", "tool.sh")
ATTEMPTS = 20
TOPICS = 30
# With TLS 1.3 a client learns that its certificate is not wanted when the connection ends.
REFUSED = {KafkaError._AUTHENTICATION, KafkaError._SSL, KafkaError._TRANSPORT}  # pylint: disable=protected-access


class OneBroker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster().start()
        cls.addClassCleanup(cls.cluster.stop)
        cls.kafka = Client(cls.cluster)

    def test_records_come_back_with_all_their_parts(self):
        self.kafka.create_topic("parts", partitions=2)
        placed = self.kafka.produce("parts", [("k", "v", 1, 12345, [("h", b"1")]), (None, b"\xff", 0), ("gone", None, 1)])
        records = self.kafka.consume("parts")
        self.assertEqual(placed, [(1, 0), (0, 0), (1, 1)])
        self.assertEqual([(record.partition, record.key, record.value) for record in records],
                         [(0, None, b"\xff"), (1, b"k", b"v"), (1, b"gone", None)])
        self.assertEqual((records[1].timestamp, records[1].headers), (12345, (("h", b"1"),)))

    def test_aborted_and_open_transactions_are_seen_by_uncommitted_readers_only(self):
        self.kafka.create_topic("isolation")
        with self.kafka.transaction("writer") as transaction:
            transaction.produce("isolation", [(None, "aborted")])
            transaction.abort()
            transaction.begin()
            transaction.produce("isolation", [(None, "committed")])
            transaction.commit()
            transaction.begin()
            transaction.produce("isolation", [(None, "open")])
            committed = [record.value for record in self.kafka.consume("isolation")]
            everything = [record.value for record in self.kafka.consume("isolation", "read_uncommitted")]
        self.assertEqual(committed, [b"committed"])
        self.assertEqual(everything, [b"aborted", b"committed", b"open"])
        self.assertEqual(self.kafka.offsets("isolation"), {0: (0, 6)})

    def test_a_second_holder_of_a_transactional_id_fences_the_first(self):
        self.kafka.create_topic("fenced")
        with self.kafka.transaction("same") as first:
            first.produce("fenced", [(None, "first")])
            with self.kafka.transaction("same") as second:
                second.produce("fenced", [(None, "second")])
                second.commit()
            with self.assertRaises(KafkaException):
                first.commit()
            first.open = False
        self.assertEqual([record.value for record in self.kafka.consume("fenced")], [b"second"])

    def test_records_outlive_restart_and_kill(self):
        self.kafka.create_topic("durable")
        self.kafka.produce("durable", [(None, "1")])
        self.cluster.restart()
        self.kafka.produce("durable", [(None, "2")])
        self.cluster.kill()
        self.cluster.restart()
        self.assertEqual([record.value for record in self.kafka.consume("durable")], [b"1", b"2"])

    def test_a_deleted_topic_is_gone(self):
        self.kafka.create_topic("brief", config={"cleanup.policy": "compact"})
        self.kafka.delete_topic("brief")
        self.assertEqual(self.kafka.partitions("brief"), [])


class ThreeBrokers(unittest.TestCase):
    def test_every_broker_knows_a_new_topic(self):
        with Cluster(brokers=3) as cluster:
            kafka = Client(cluster)
            for number in range(TOPICS):
                kafka.create_topic(f"new-{number}", partitions=3)
                known = [read_metadata(broker.internal_port).topics.get(f"new-{number}", {}) for broker in cluster.brokers]
                self.assertEqual([len(partitions) for partitions in known], [3, 3, 3])

    def test_a_killed_leader_is_replaced_and_nothing_acknowledged_is_lost(self):
        with Cluster(brokers=3) as cluster:
            kafka = Client(cluster)
            kafka.create_topic("lines")
            kafka.produce("lines", [(None, "before")])
            leader = cluster.leader("lines")
            cluster.kill(leader)
            cluster.wait_until(lambda: cluster.leader("lines") not in (leader, -1), "another broker led")
            kafka.produce("lines", [(None, "after")])
            self.assertEqual([record.value for record in kafka.consume("lines")], [b"before", b"after"])
            cluster.restart(leader)
            cluster.wait_until(lambda: len(cluster.metadata().topics["lines"][0].in_sync) == 3, "all copies were in sync")


class Secured(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(security="sasl_ssl", properties={"listener.name.client.ssl.client.auth": "required"}).start()
        cls.addClassCleanup(cls.cluster.stop)
        Client(cls.cluster).create_topic("secret")

    def assert_let_in(self, want, certificate="client", authority="ca.crt", **changes):
        config = self.cluster.client_config(certificate=certificate, **changes)
        errors = []
        producer = Producer({**config, "ssl.ca.location": self.cluster.certificates.path(authority), "log_level": 0,
                             "error_cb": lambda error: errors.append(error.code())})
        for _ in range(ATTEMPTS):
            try:
                producer.list_topics(timeout=1)
                self.assertTrue(want, "was let in")
                return
            except KafkaException:
                producer.poll(0)
            if REFUSED & set(errors):
                self.assertFalse(want, f"was refused: {errors}")
                return
        self.fail(f"neither let in nor refused: {errors}")

    def test_only_the_right_password_is_let_in(self):
        self.assert_let_in(True, user="bob")
        self.assert_let_in(False, user="bob", password="wrong")

    def test_only_a_certificate_of_the_authority_is_let_in(self):
        self.assert_let_in(False, certificate=None)
        self.assert_let_in(False, certificate="stranger")

    def test_a_client_refuses_a_server_of_another_authority(self):
        self.assert_let_in(False, authority="stranger-ca.crt")

    def test_scram_users_are_let_in(self):
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512"):
            path = self.cluster.folder / "client.properties"
            self.cluster.java_config(path, "bob", "bob-secret", mechanism)
            listed = subprocess.run([TOOL, "topics", "--bootstrap-server", self.cluster.bootstrap, "--command-config", str(path), "--list"],
                                    capture_output=True, text=True, check=False)
            self.assertIn("secret", listed.stdout, f"{mechanism}: {listed.stderr}")

    def test_records_written_through_tls_are_read_in_plain_text(self):
        Client(self.cluster.client_config(certificate="client")).produce("secret", [(None, "hidden")])
        self.assertEqual([record.value for record in Client(self.cluster).consume("secret")], [b"hidden"])


class Leftovers(unittest.TestCase):
    def test_a_killed_test_leaves_no_broker(self):
        script = f"import sys; sys.path.insert(0, {HERE!r})\nfrom broker import Cluster\n" \
                 "cluster = Cluster().start()\nprint(cluster.brokers[0].process.pid, flush=True)\nsys.stdin.read()"
        with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as test:
            broker = os.pidfd_open(int(test.stdout.readline()))
            test.send_signal(signal.SIGKILL)
            self.assertTrue(ended_within(broker, 10))


def ended_within(pidfd, seconds):
    with os.fdopen(pidfd) as process:
        return bool(select.select([process], [], [], seconds)[0])


if __name__ == "__main__":
    unittest.main(verbosity=2)

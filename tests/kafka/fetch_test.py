#!/usr/bin/env python3
"""What the engine's reader gives of topics that a real broker holds, compared with what was written.

Usage: fetch_test.py KAFKA_DRAIN [CLASS[.TEST]...]
"""

import json
import os
import random
import subprocess
import sys
import tempfile
import threading
import unittest

from broker import Cluster
from client import Client

DRAIN = ""
SECONDS = 60
SEED = 11


def drain(cluster_or_address, topic, *words):
    """(exit code, records as dictionaries in order, standard error)."""
    address = cluster_or_address if isinstance(cluster_or_address, str) else cluster_or_address.internal_bootstrap
    done = subprocess.run([DRAIN, address, topic, "print", *words], capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.strip()


def values(records):
    return [None if record["value"] is None else bytes.fromhex(record["value"]) for record in records]


class Records(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(properties={"message.max.bytes": "20000000", "replica.fetch.max.bytes": "20000000"}).start()
        cls.addClassCleanup(cls.cluster.stop)
        cls.kafka = Client(cls.cluster)

    def read(self, topic, *words):
        code, records, error = drain(self.cluster, topic, *words)
        self.assertEqual((code, error), (0, ""))
        return records

    def test_keys_values_times_and_headers_come_back(self):
        self.kafka.create_topic("parts", partitions=2)
        self.kafka.produce("parts", [("k", "v", 1, 12345, [("h", b"1"), ("h", b"2"), ("n", None)]), (None, b"\xff", 0, 77), ("gone", None, 1, 5)])
        first, second, third = self.read("parts", "keys", "timestamps", "headers")
        self.assertEqual(first, {"partition": 0, "offset": 0, "value": "ff", "key": None, "timestamp": 77, "headers": []})
        self.assertEqual(second, {"partition": 1, "offset": 0, "value": "76", "key": "6b", "timestamp": 12345,
                                  "headers": [["h", "31"], ["h", "32"], ["n", None]]})
        self.assertEqual((third["key"], third["value"]), (b"gone".hex(), None))

    def test_every_codec_gives_the_same_records(self):
        rng = random.Random(SEED)
        written = [(None, bytes(rng.choices(b"abcd", k=rng.randint(0, 400)))) for _ in range(3000)]
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            with self.subTest(codec):
                self.kafka.create_topic(codec)
                self.kafka.produce(codec, written, compression_type=codec, linger_ms=20)
                self.assertEqual(values(self.read(codec)), [value for _, value in written])

    def test_a_broker_that_compresses_in_javas_way_is_read_too(self):
        written = [(None, f"value {number}") for number in range(2000)]
        for codec in ("snappy", "lz4", "zstd", "gzip"):
            with self.subTest(codec):
                topic = f"java-{codec}"
                self.kafka.create_topic(topic, config={"compression.type": codec})
                self.kafka.produce(topic, written, linger_ms=20)
                self.assertEqual(values(self.read(topic)), [value.encode() for _, value in written])

    def test_records_larger_than_a_fetch_come_whole(self):
        self.kafka.create_topic("large", config={"max.message.bytes": "20000000"})
        large = random.Random(SEED).randbytes(10_000_000)
        self.kafka.produce("large", [(None, "before"), (None, large), (None, "after")], message_max_bytes=20000000)
        self.assertEqual(values(self.read("large", "max.partition.fetch.bytes=100000")), [b"before", large, b"after"])

    def test_only_committed_transactions_are_given(self):
        self.kafka.create_topic("transactions")
        rng = random.Random(SEED)
        committed, everything = [], []
        with self.kafka.transaction("writer") as transaction:
            for number in range(40):
                batch = [f"{number}-{index}".encode() for index in range(rng.randint(1, 30))]
                transaction.produce("transactions", [(None, value) for value in batch])
                everything += batch
                if rng.random() < 0.5:
                    committed += batch
                    transaction.commit()
                else:
                    transaction.abort()
                transaction.begin()
            transaction.produce("transactions", [(None, "open")])
            self.assertEqual(values(self.read("transactions")), committed)
            self.assertEqual(values(self.read("transactions", "uncommitted")), [*everything, b"open"])
            self.assertEqual(values(self.read("transactions", "max.partition.fetch.bytes=1024")), committed)

    def test_every_range_gives_its_records(self):
        self.kafka.create_topic("ranges")
        with self.kafka.transaction("ranges") as transaction:
            for number in range(12):
                transaction.produce("ranges", [(None, f"{number}-{index}") for index in range(3)])
                transaction.commit() if number % 3 else transaction.abort()
                transaction.begin()
        want = [(record.offset, record.value) for record in self.kafka.consume("ranges")]
        for start in range(0, 48, 5):
            for end in range(start, 49, 7):
                got = self.read("ranges", f"from={start}", f"to={end}")
                self.assertEqual(list(zip([record["offset"] for record in got], values(got))),
                                 [(offset, value) for offset, value in want if start <= offset < end])

    def test_compacted_topics_keep_their_offsets(self):
        self.kafka.create_topic("compacted", config={"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01",
                                                     "max.compaction.lag.ms": "200"})
        self.kafka.produce("compacted", [(f"k{number % 7}", f"{number}") for number in range(500)])
        want = self.kafka.consume("compacted")
        got = self.read("compacted", "keys")
        self.assertTrue(got)
        self.assertEqual(got[-1]["offset"], want[-1].offset)

    def test_offsets_that_are_gone_are_named_with_those_that_are_there(self):
        self.kafka.create_topic("short")
        self.kafka.produce("short", [(None, "a")] * 3)
        code, _, error = drain(self.cluster, "short", "from=10", "to=20")
        self.assertEqual(code, 1)
        self.assertIn("OffsetOutOfRange: short/0: wanted offset 10, there are 0 to 3", error)

    def test_an_unknown_topic_is_one_clear_line(self):
        code, _, error = drain(self.cluster, "nowhere")
        self.assertEqual((code, error), (1, "kafka_drain: not found: topic nowhere: UNKNOWN_TOPIC_OR_PARTITION (3); "
                                            "create the topic or correct its name"))

    def test_a_wrong_address_is_one_clear_line(self):
        code, _, error = drain("127.0.0.1:1", "parts")
        self.assertEqual((code, error), (1, "kafka_drain: unavailable: connect to 127.0.0.1:1: Connection refused"))


class Failover(unittest.TestCase):
    def test_nothing_is_lost_or_doubled_when_leaders_die(self):
        with Cluster(brokers=3) as cluster:
            kafka = Client(cluster)
            kafka.create_topic("lines")
            written = [(None, f"{number}".encode()) for number in range(200_000)]
            kafka.produce("lines", written)
            result = []
            reader = threading.Thread(target=lambda: result.append(drain(cluster, "lines", "max.partition.fetch.bytes=20000")))
            reader.start()
            cluster.kill(cluster.leader("lines"))
            reader.join()
            code, records, error = result[0]
            self.assertEqual((code, error), (0, ""))
            self.assertEqual(values(records), [value for _, value in written])


class Secured(unittest.TestCase):
    """Who is let in, and what the others are told."""

    def try_all(self, security, cases):
        with Cluster(security=security) as cluster, tempfile.TemporaryDirectory() as secrets:
            kafka = Client(cluster)
            kafka.create_topic("safe")
            kafka.produce("safe", [(None, "x")])
            self.secret(secrets, "login", username="alice", password=cluster.users["alice"])
            self.secret(secrets, "wrong", username="alice", password="not-this-one")
            if cluster.certificates:
                with open(cluster.certificates.path("ca.crt"), encoding="utf-8") as file:
                    self.secret(secrets, "ca", **{"ca.crt": file.read()})
            for words, want in cases:
                with self.subTest(words):
                    code, records, error = drain(cluster.bootstrap, "safe", f"secrets={secrets}", *words)
                    self.assertNotIn("not-this-one", error)
                    if want is None:
                        self.assertEqual((code, values(records), error), (0, [b"x"], ""))
                    else:
                        self.assertEqual(code, 1)
                        self.assertIn(want, error)
                        self.assertEqual(error.count("\n"), 0)

    @staticmethod
    def secret(folder, name, **keys):
        os.mkdir(os.path.join(folder, name))
        for key, value in keys.items():
            with open(os.path.join(folder, name, key), "w", opener=lambda path, flags: os.open(path, flags, 0o600), encoding="utf-8") as file:
                file.write(value)

    def test_passwords(self):
        self.try_all("sasl_plaintext", [
            (["sasl=PLAIN:login"], None),
            (["sasl=SCRAM-SHA-256:login"], None),
            (["sasl=SCRAM-SHA-512:login"], None),
            (["sasl=PLAIN:wrong"], "SASL_AUTHENTICATION_FAILED (58); wrong user name, password or token"),
            (["sasl=SCRAM-SHA-256:wrong"], "SASL_AUTHENTICATION_FAILED (58)"),
            (["sasl=SCRAM-SHA-512:wrong"], "SASL_AUTHENTICATION_FAILED (58)"),
            (["sasl=OAUTHBEARER:login"], "token"),
            ([], "does the port want sasl?"),
            (["tls=login", "sasl=PLAIN:login"], "has none of \"ca.crt\""),
        ])

    def test_certificates(self):
        self.try_all("ssl", [
            (["tls=ca"], None),
            ([], "wants TLS; set tls"),
            (["tls=ca", "sasl=PLAIN:login"], "the port does not take SASL"),
        ])

    def test_passwords_over_tls(self):
        self.try_all("sasl_ssl", [(["tls=ca", "sasl=SCRAM-SHA-512:login"], None),
                                  (["tls=ca", "sasl=PLAIN:wrong"], "SASL_AUTHENTICATION_FAILED (58)"),
                                  (["tls=ca"], "does the port want sasl?")])

    def test_tls_against_plain_text(self):
        with Cluster() as plain, Cluster(security="ssl") as other, tempfile.TemporaryDirectory() as secrets:
            with open(other.certificates.path("ca.crt"), encoding="utf-8") as file:
                self.secret(secrets, "ca", **{"ca.crt": file.read()})
            code, _, error = drain(plain.bootstrap, "safe", f"secrets={secrets}", "tls=ca")
        self.assertEqual(code, 1)
        self.assertIn("does the port speak TLS?", error)


if __name__ == "__main__":
    DRAIN = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)

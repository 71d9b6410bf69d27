#!/usr/bin/env python3
"""What a job says when Kafka does not let it in, and that it works when Kafka does: rights, passwords, tokens, TLS, addresses, and
records that nobody expects.

Usage: refusals_test.py MILLRACE [CLASS[.TEST]...]
"""

import base64
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

import confluent_kafka

from admin_requests import CREATE, DESCRIBE, PREFIXED, READ, TOPIC, TRANSACTIONAL_ID, WRITE, allow
from broker import Cluster
from client import Client

MILLRACE = ""
SECONDS = 120
EXIT_OK, EXIT_FAILED, EXIT_NOT_FOUND = 0, 1, 4
SCRAM_NEEDS = 0x02060100  # the first librdkafka whose nonce Kafka 4 accepts
JAAS = "org.apache.kafka.common.security"

JOB = """
apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: refused}
spec:
  batchInterval: 20ms
  poisonBatch: {attempts: 1}
  sources:
    - {name: records, SOURCE}
  streams:
    - {name: rows, from: records, steps: [STEPS]}
  sinks:
    - {name: out, from: rows, SINK, format: {json: {}}}
"""
GENERATOR = "generator: {fields: {value: 'string(seq)'}, rate: 1000, count: 20}"


def token(user):
    """An unsigned one, as the broker's default handler for tests takes them."""
    now = int(time.time())
    parts = [{"alg": "none"}, {"sub": user, "iat": now - 60, "exp": now + 3600}]
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts) + "."


class Refused(unittest.TestCase):
    """A folder for a job, and its runs."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="millrace-kafka-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name

    def secret(self, name, **keys):
        os.makedirs(os.path.join(self.root, "secrets", name))
        for key, value in keys.items():
            path = os.path.join(self.root, "secrets", name, key)
            with open(path, "w", opener=lambda path, flags: os.open(path, flags, 0o600), encoding="utf-8") as file:
                file.write(value)

    def run_job(self, source=GENERATOR, sink=None, steps="", state="state"):
        """(exit code, the lines of standard error that are no log)."""
        text = JOB.replace("SOURCE", source).replace("STEPS", steps)
        path = os.path.join(self.root, "job.yaml")
        with open(path, "w", encoding="utf-8") as out:
            out.write(text.replace("SINK", sink or f"file: {{path: {self.root}/out}}"))
        done = subprocess.run([MILLRACE, "run", path, "--quiet", "--until-idle", "1s", "--state", os.path.join(self.root, state), "--secrets",
                               os.path.join(self.root, "secrets")], capture_output=True, text=True, timeout=SECONDS, check=False)
        return done.returncode, [line for line in done.stderr.splitlines() if line.startswith("millrace: ")]

    def assert_refused(self, result, code, *words):
        """One line that has all the words, and an exit code of docs/cli.md."""
        self.assertEqual((result[0], len(result[1])), (code, 1), result)
        for word in words:
            self.assertIn(word, result[1][0])

    def assert_ran(self, result):
        self.assertEqual(result, (EXIT_OK, []))

    def rows(self):
        rows = []
        for file in sorted(os.listdir(os.path.join(self.root, "out"))):
            if file.endswith(".json"):
                with open(os.path.join(self.root, "out", file), encoding="utf-8") as lines:
                    rows += [json.loads(line) for line in lines]
        return rows


def kafka(cluster, more, brokers=None):
    return f"kafka: {{brokers: {json.dumps((brokers or cluster.bootstrap).split(','))}, {more}}}"


class Addresses(Refused):
    def test_source_of_an_address_where_nobody_listens(self):
        source = kafka(None, "topics: [t]", "127.0.0.1:1") + ", format: {text: {}}"
        self.assert_refused(self.run_job(source), EXIT_FAILED, 'source "records"', "connect to 127.0.0.1:1: Connection refused")

    def test_sink_of_an_address_where_nobody_listens(self):
        result = self.run_job(sink=kafka(None, "topic: t", "127.0.0.1:1"))
        self.assert_refused(result, EXIT_FAILED, 'sink "out"', "127.0.0.1:1", "Connection refused")

    def test_name_that_does_not_exist(self):
        source = kafka(None, "topics: [t]", "no-such-host.invalid:9092") + ", format: {text: {}}"
        self.assert_refused(self.run_job(source), EXIT_FAILED, 'source "records"', "no-such-host.invalid")


class Rights(Refused):
    """An authorizer lets nobody do what was not granted; alice gets one right after the other."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(security="sasl_plaintext", properties={
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users": "User:ANONYMOUS"})
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()
        cls.kafka = Client(cls.cluster)
        for topic in ("read", "written"):
            cls.kafka.create_topic(topic)
        cls.kafka.produce("read", [(None, "x")])

    def setUp(self):
        super().setUp()
        self.secret("alice", username="alice", password=self.cluster.users["alice"])
        self.login = "sasl: {mechanism: Plain, secretName: alice}"
        self.source = kafka(self.cluster, f"topics: [read], startFrom: {{earliest: {{}}}}, {self.login}") + ", format: {text: {}}"

    def test_source(self):
        self.assert_refused(self.run_job(self.source), EXIT_FAILED, 'source "records"', "read", "TOPIC_AUTHORIZATION_FAILED")
        allow(self.cluster, "alice", TOPIC, "read", DESCRIBE)
        self.assert_refused(self.run_job(self.source), EXIT_FAILED, "read", "TOPIC_AUTHORIZATION_FAILED")
        allow(self.cluster, "alice", TOPIC, "read", READ)
        self.assert_ran(self.run_job(self.source, state="granted"))
        self.assertEqual(self.rows(), [{"value": "x"}])

    def test_sink(self):
        sink = kafka(self.cluster, f"topic: written, {self.login}")
        self.assert_refused(self.run_job(sink=sink), EXIT_FAILED, 'sink "out"', ".ledger", "TOPIC_AUTHORIZATION_FAILED")
        allow(self.cluster, "alice", TOPIC, "millrace.", DESCRIBE, CREATE, READ, WRITE, pattern=PREFIXED)
        self.assert_refused(self.run_job(sink=sink), EXIT_FAILED, 'sink "out"', "ransactional", "uthoriz")
        # The job's id, by which its transactional ids begin, is made at the first start.
        allow(self.cluster, "alice", TRANSACTIONAL_ID, "*", DESCRIBE, WRITE)
        self.assert_refused(self.run_job(sink=sink), EXIT_FAILED, 'sink "out"', "written", "uthoriz")
        allow(self.cluster, "alice", TOPIC, "written", DESCRIBE, WRITE)
        self.assert_ran(self.run_job(sink=sink))
        self.assertEqual(len(self.kafka.consume("written")), 20)

    def test_wrong_password(self):
        self.secret("wrong", username="alice", password="not-this-one")
        wrong = self.login.replace("alice", "wrong")
        for result in (self.run_job(self.source.replace(self.login, wrong)), self.run_job(sink=kafka(self.cluster, f"topic: written, {wrong}"))):
            self.assertEqual((result[0], len(result[1])), (EXIT_FAILED, 1), result)
            self.assertRegex(result[1][0], "SASL_AUTHENTICATION_FAILED|[Aa]uthentication failed")
            self.assertNotIn("not-this-one", result[1][0])


class SignIn(Refused):
    """A job from a topic to a topic, over each way to sign in."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(security="sasl_ssl", properties={
            "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
            "listener.name.client.oauthbearer.sasl.jaas.config": f"{JAAS}.oauthbearer.OAuthBearerLoginModule required;"})
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()
        cls.kafka = Client(cls.cluster)
        cls.kafka.create_topic("in")
        cls.kafka.produce("in", [(None, f"{number}") for number in range(100)])

    def login(self, mechanism):
        with open(self.cluster.certificates.path("ca.crt"), encoding="utf-8") as file:
            self.secret("ca", **{"ca.crt": file.read()})
        password = {"token": token("alice")} if mechanism == "OAuthBearer" else {"username": "alice", "password": self.cluster.users["alice"]}
        self.secret("login", **password)
        return f"tls: {{secretName: ca}}, sasl: {{mechanism: {mechanism}, secretName: login}}"

    def reads(self, mechanism):
        login = self.login(mechanism)
        self.assert_ran(self.run_job(kafka(self.cluster, f"topics: [in], startFrom: {{earliest: {{}}}}, {login}") + ", format: {text: {}}"))
        self.assertEqual([row["value"] for row in self.rows()], [f"{number}" for number in range(100)])

    def writes(self, mechanism):
        topic = f"out-{mechanism}"
        self.assert_ran(self.run_job(sink=kafka(self.cluster, f"topic: {topic}, createTopic: {{partitions: 2}}, {self.login(mechanism)}")))
        self.assertEqual(sorted(int(json.loads(record.value)["value"]) for record in self.kafka.consume(topic)), list(range(20)))

    def test_source_plain(self):
        self.reads("Plain")

    def test_source_scram_sha_256(self):
        self.reads("ScramSha256")

    def test_source_scram_sha_512(self):
        self.reads("ScramSha512")

    def test_source_oauthbearer(self):
        self.reads("OAuthBearer")

    def test_sink_plain(self):
        self.writes("Plain")

    @unittest.skipIf(confluent_kafka.libversion()[1] < SCRAM_NEEDS, "librdkafka before 2.6.1 repeats its nonce, which Kafka 4 refuses")
    def test_sink_scram_sha_512(self):
        self.writes("ScramSha512")

    def test_sink_oauthbearer(self):
        self.writes("OAuthBearer")


class Records(Refused):
    """Records that are allowed and that nobody expects."""

    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster(properties={"message.max.bytes": "20000000"})
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()
        cls.kafka = Client(cls.cluster)

    def test_header_bombs(self):
        """Ten thousand headers, and one of a megabyte; the records around them come too."""
        self.kafka.create_topic("headers")
        many = [(f"h{number}", b"v") for number in range(10_000)]
        self.kafka.produce("headers", [(None, "before"), (None, "many", 0, None, many), (None, "large", 0, None, [("h", b"x" * 1_000_000)]),
                                       (None, "after")], message_max_bytes=20_000_000)
        source = kafka(self.cluster, "topics: [headers], startFrom: {earliest: {}}") + ", format: {text: {}}"
        steps = "{map: {value: value, headers: __headers.size(), size: \"'h' in __headers ? __headers['h'].size() : 0\"}}"
        self.assert_ran(self.run_job(source, steps=steps))
        self.assertEqual([(row["value"], row["headers"], row["size"]) for row in self.rows()],
                         [("before", 0, 0), ("many", 10_000, 0), ("large", 1, 1_000_000), ("after", 0, 0)])

    def test_record_of_ten_megabytes_into_a_topic_that_takes_one(self):
        """Refused with its size and the limit, not retried for ever."""
        self.kafka.create_topic("ten")
        self.kafka.create_topic("one", config={"max.message.bytes": "1000000"})
        self.kafka.produce("ten", [(None, "x" * 10_000_000)], message_max_bytes=20_000_000)
        source = kafka(self.cluster, "topics: [ten], startFrom: {earliest: {}}") + ", format: {text: {}}"
        self.assert_refused(self.run_job(source, sink=kafka(self.cluster, "topic: one")), EXIT_FAILED, 'sink "out"', "takes at most", "bytes")


if __name__ == "__main__":
    MILLRACE = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)

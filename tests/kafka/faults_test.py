#!/usr/bin/env python3
"""Faults of a Kafka cluster under a running job: brokers killed, leaders moved, transactions cut in two. Every case ends with the
oracle of flow.py: committed readers see each record of the input exactly once.

Usage: faults_test.py MILLRACE [--repeat N] [CLASS[.TEST]...]

Cases of the same kind elsewhere: the only broker killed (sink_test.py broker-killed, exactly_once_test.py --broker-kills), a process
replaced while suspended (sink_test.py fenced), topics recreated and records deleted while no job runs (source_test.py), the reader
alone behind compaction, aborted transactions and dying leaders (fetch_test.py).
"""

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from collections import Counter

from admin_requests import prefer
from broker import Cluster
from client import Client
from flow import SECONDS, Flow
from proxy import END_TXN, PRODUCE, Proxy

MILLRACE = ""
TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "kafka", "tool.sh")
SEED = 20
AWAY_SECONDS = 15
STORM_ROUNDS = 12
BLOCKED_SECONDS = 3
COMPACTED_TRANSACTIONS, COMPACTED_EACH = 40, 20
COMPACTED_RECORDS = COMPACTED_TRANSACTIONS * COMPACTED_EACH * 2 // 3
COMPACTION_SECONDS = 2
EXIT_FAILED = 1
EXIT_NOT_FOUND = 4


class Once:
    """Runs an action at the `nth` call and never again; `done` is set when it has run. Thread-safe."""

    def __init__(self, action, nth=1):
        self._action, self._left = action, nth
        self._lock = threading.Lock()
        self.done = threading.Event()

    def __call__(self, *arguments):
        with self._lock:
            self._left -= 1
            if self._left != 0:
                return
        self._action(*arguments)
        self.done.set()


def wait_for(event, what):
    if not event.wait(SECONDS):
        raise TimeoutError(f"{SECONDS} s passed before {what}")


class Faults(unittest.TestCase):
    """Cases for one broker and for three. Each broker stands behind a proxy."""

    brokers = 1

    @classmethod
    def setUpClass(cls):
        if cls is Faults:
            raise unittest.SkipTest("the common part")
        cls.proxies = [Proxy() for _ in range(cls.brokers)]
        cls.cluster = Cluster(cls.brokers, advertised=[proxy.port for proxy in cls.proxies])
        for proxy, broker in zip(cls.proxies, cls.cluster.brokers):
            proxy.target = broker.client_port
            cls.addClassCleanup(proxy.close)
        cls.addClassCleanup(cls.cluster.stop)
        cls.cluster.start()
        cls.kafka = Client(cls.cluster)

    def tearDown(self):
        for proxy in self.proxies:
            proxy.forget()
        for broker in self.cluster.brokers:
            if broker.running:
                self.cluster.resume(broker.id)
        self.cluster.revive()

    def flow(self, **options):
        return Flow(MILLRACE, self.cluster, f"{self.id().rsplit('_', maxsplit=1)[-1]}-{time.monotonic_ns() % 1_000_000}", **options)

    def on_request(self, action, api):
        """`action(broker, request)` for each request of a kind that a client sends, before a broker has it."""
        for number, proxy in enumerate(self.proxies, 1):
            proxy.on_request = lambda request, number=number: action(number, request) if request.api == api else None

    def on_response(self, action, api):
        for number, proxy in enumerate(self.proxies, 1):
            proxy.on_response = lambda request, number=number: action(number, request) if request.api == api else None

    # --- transactions -----------------------------------------------------------------------------------------------------------

    def test_f22_coordinator_killed_when_it_has_the_commit(self):
        """The request is there, the answer is not: the broker is killed at once."""

        def fail(broker, request):
            request.mute()
            request.release()
            request.hold()  # it is there already
            self.cluster.kill(broker)

        self.commit_fails_twice(lambda action: self.on_request(action, END_TXN), fail)

    def test_f22_coordinator_killed_when_it_has_answered_the_commit(self):
        """The transaction is committed, and the client does not hear of it."""

        def fail(broker, request):
            request.mute()
            self.cluster.kill(broker)

        self.commit_fails_twice(lambda action: self.on_response(action, END_TXN), fail)

    def test_f22_connection_cut_when_the_commit_is_answered(self):
        def fail(_, request):
            request.mute()
            request.cut()

        self.commit_fails_twice(lambda action: self.on_response(action, END_TXN), fail)

    def commit_fails_twice(self, arrange, fail):
        with self.flow() as flow:
            for nth in (3, 2):
                flow.wait_rows(200)
                once = Once(fail, nth)
                arrange(once)
                wait_for(once.done, "a commit")
                self.cluster.revive()
                flow.wait_rows(200)
            flow.check()

    def test_f23_late_commit_does_not_tear_the_next_transaction(self):
        """A commit is lost with its connection and sent again; the first one arrives in the middle of the next transaction."""
        late, arrived = [], []

        def lose(broker, request):
            request.hold()
            late.append((broker, request))
            self.on_request(between, PRODUCE)
            request.cut()

        def between(_, request):
            if flow.output.encode() in request.text():
                arrive(request)

        def arrive_late(_):
            arrived.append(late[0][1].release())

        with self.flow() as flow:
            for _ in range(3):
                late.clear()
                flow.wait_rows(200)
                arrive = Once(arrive_late)
                lost = Once(lose)
                self.on_request(lost, END_TXN)
                wait_for(arrive.done, "the late commit was sent")
                self.forget()
                flow.wait_rows(200)
            flow.check()
        self.assertEqual(arrived, [True] * 3)

    def forget(self):
        for proxy in self.proxies:
            proxy.forget()

    def test_f24_suspended_beyond_the_transaction_timeout(self):
        """Brokers abort its transaction, and readers do not wait for it longer than that; the job wakes up and goes on."""
        held = []

        def suspend(_, request):
            request.hold()
            held.append(request)
            flow.send(signal.SIGSTOP)

        with self.flow(timeout="2s") as flow:
            flow.wait_rows(200)
            once = Once(suspend, 2)
            self.on_request(once, END_TXN)
            wait_for(once.done, "a commit")
            self.kafka.produce(flow.output, [(None, '{"value":"witness"}', 0)])
            flow.wait(lambda: flow.rows()["witness"] == 1, "readers got past the open transaction")
            self.forget()
            held[0].release()
            flow.send(signal.SIGCONT)
            flow.wait_rows(200)
            want = flow.settle()
            want["witness"] = 1
            flow.stop()
            flow.compare(want)


class OneBroker(Faults):
    """What happens to topics is the same with any number of brokers."""

    def test_f21_the_only_broker_away(self):
        all_away(self)

    def test_f25_partitions_added_to_input_and_output(self):
        with self.flow(partitions=2) as flow:
            flow.wait_rows(200)
            self.kafka.add_partitions(flow.input, 5)
            self.kafka.add_partitions(flow.output, 4)
            flow.follow(4)
            flow.feeder.partitions = 5
            flow.wait_rows(1000)
            flow.check()

    def test_f26_input_recreated_while_the_job_runs(self):
        with self.flow() as flow:
            flow.wait_rows(500)
            want = flow.settle()
            self.kafka.delete_topic(flow.input)
            self.kafka.create_topic(flow.input, 3)
            self.kafka.produce(flow.input, [(None, f"new {number}") for number in range(50)])
            self.assertIn(flow.wait_end(), (EXIT_FAILED, EXIT_NOT_FOUND))  # it may look while there is none
            flow.start()
            self.assertEqual(flow.wait_end(), EXIT_FAILED)
            self.assertIn("SourceChanged", flow.said())
            flow.compare(want)

    def test_f27_records_deleted_before_they_are_read(self):
        with self.flow(source=", onMissingOffsets: Earliest", partitions=1) as flow:
            flow.wait_rows(300)
            want = flow.settle()
            flow.stop()
            self.kafka.produce(flow.input, [(None, f"unread {number}") for number in range(100)])
            end = self.kafka.offsets(flow.input)[0][1]
            self.delete_records(flow.input, end - 40)
            flow.start()
            want += Counter(f"unread {number}" for number in range(60, 100))
            flow.wait(lambda: flow.rows().total() >= want.total(), "what is left was read")
            flow.stop()
            flow.compare(want)

    def delete_records(self, topic, before):
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            json.dump({"version": 1, "partitions": [{"topic": topic, "partition": 0, "offset": before}]}, file)
            file.flush()
            subprocess.run([TOOL, "delete-records", "--bootstrap-server", self.cluster.internal_bootstrap, "--offset-json-file", file.name],
                           check=True, capture_output=True, timeout=SECONDS)

    def test_f29_compacted_input_with_gaps_and_markers(self):
        """Offsets that compaction, aborted transactions and markers leave out."""
        name = f"compacted-{time.monotonic_ns() % 1_000_000}"
        self.kafka.create_topic(name, 1, {"cleanup.policy": "compact", "segment.ms": "100", "min.cleanable.dirty.ratio": "0.01",
                                          "max.compaction.lag.ms": "200"})
        with self.flow(partitions=1, topic=name) as flow:
            with self.kafka.transaction(name) as transaction:
                for number in range(COMPACTED_TRANSACTIONS):
                    transaction.produce(name, [(f"k{(number + index) % 9}", f"{number}-{index}") for index in range(COMPACTED_EACH)])
                    transaction.abort() if number % 3 == 1 else transaction.commit()
                    transaction.begin()
                transaction.abort()
            self.cluster.wait_until(lambda: self.gaps(name), "the topic was compacted", SECONDS)
            want = self.at_rest(name)
            flow.start()
            flow.wait(lambda: flow.rows().total() >= want.total(), lambda: f"{want.total()} rows, {flow.rows().total()} there")
            self.kafka.produce(name, [(None if index < 0 else f"n{index}", f"new {index}") for index in range(50)])
            want += Counter(f"new {index}" for index in range(50))
            flow.wait(lambda: flow.rows().total() >= want.total(), "what came later was read")
            flow.stop()
            flow.compare(want)

    def gaps(self, topic):
        """Whether half of what was written is gone. The last segment is never compacted: each look begins a new one."""
        self.kafka.produce(topic, [("last", "last")])
        return len(self.kafka.consume(topic)) < COMPACTED_RECORDS / 2

    def at_rest(self, topic):
        """What is in a topic from now on."""
        self.kafka.configure_topic(topic, {"cleanup.policy": "compact", "min.compaction.lag.ms": str(24 * 3600 * 1000)})
        records = None
        while records != (records := self.kafka.consume(topic)):
            time.sleep(COMPACTION_SECONDS)  # one that has begun ends
        return Counter(record.value.decode() for record in records)


class ThreeBrokers(Faults):
    """Replication 3, two in-sync replicas needed."""

    brokers = 3

    def test_f20_brokers_killed_one_after_the_other(self):
        with self.flow() as flow:
            for victim in (self.cluster.leader(flow.input), 1, 2, 3):
                flow.wait_rows(200)
                self.cluster.kill(victim)
                flow.wait_rows(200)  # without it
                self.cluster.restart(victim)
            flow.check()

    def test_f21_all_brokers_away(self):
        all_away(self)

    def test_f28_leaders_elected_again_and_again(self):
        rng = random.Random(SEED)
        with self.flow() as flow:
            flow.wait_rows(200)
            for _ in range(STORM_ROUNDS):
                topics = self.cluster.metadata().topics
                ledger = next(name for name in topics if name.endswith(".out.ledger") and topics[name][0].leader >= 0)
                for topic in (flow.input, flow.output, ledger):
                    for partition, found in topics[topic].items():
                        prefer(self.cluster, topic, partition, rng.sample(found.replicas, 3))
                flow.wait_rows(50)
            flow.check()

    def test_too_few_replicas_in_sync_until_one_is_back(self):
        with self.flow(config={"min.insync.replicas": "3"}) as flow:
            flow.wait_rows(200)
            victim = 1 + self.cluster.leader(flow.output) % 3
            self.cluster.kill(victim)
            self.wait_blocked(flow)
            self.cluster.restart(victim)
            flow.wait_rows(500)
            flow.check()

    def wait_blocked(self, flow):
        """Until nothing more is committed, though the input grows."""
        last, since = -1, time.monotonic()

        def still():
            nonlocal last, since
            now, rows = time.monotonic(), flow.rows().total()
            if rows != last:
                last, since = rows, now
            return now - since > BLOCKED_SECONDS

        flow.wait(still, "the output stopped growing")

    def test_broker_lost_in_the_middle_of_a_transaction(self):
        """One that has taken rows of it, before it is committed."""
        with self.flow() as flow:
            for _ in range(3):
                flow.wait_rows(200)

                def fail(broker, request):
                    request.mute()
                    request.release()
                    request.hold()
                    self.cluster.kill(broker)

                once = Once(fail, 2)
                self.on_request(once, PRODUCE)
                wait_for(once.done, "rows were sent")
                self.forget()
                flow.wait_rows(200)
                self.cluster.revive()
            flow.check()


def all_away(test):
    """Every broker killed, and back after a while; the job waits for them."""
    with test.flow() as flow:
        flow.wait_rows(300)
        for broker in test.cluster.brokers:
            test.cluster.kill(broker.id)
        until = time.monotonic() + AWAY_SECONDS
        flow.wait(lambda: time.monotonic() > until, "the brokers came back")
        test.cluster.revive()
        flow.wait_rows(300)
        flow.check()


def main():
    global MILLRACE
    MILLRACE = os.path.abspath(sys.argv.pop(1))
    repeat = 1
    if "--repeat" in sys.argv:
        at = sys.argv.index("--repeat")
        repeat = int(sys.argv[at + 1])
        del sys.argv[at:at + 2]
    for number in range(repeat):
        done = unittest.main(verbosity=2, exit=False)
        if not done.result.wasSuccessful():
            return 1
        if repeat > 1:
            print(f"round {number + 1} of {repeat} passed", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())

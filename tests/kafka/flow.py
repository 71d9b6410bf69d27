"""A job that copies a topic to a topic while records are written, and the oracle: a reader of committed records sees each one once.

    with Flow(millrace, cluster, "f20") as flow:
        flow.wait_rows(500)
        cluster.kill(2)
        flow.check()          # stops writing, waits for the rest, ends the job, compares
"""

import json
import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections import Counter

import confluent_kafka

from client import Client
from process import spawn

SECONDS = 150
PAUSE_SECONDS = 0.05
FED_AT_ONCE = 20
SILENCE_SECONDS = 8
UNKNOWN_PARTITION = confluent_kafka.KafkaError._UNKNOWN_PARTITION  # pylint: disable=protected-access

JOB = """
apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: flow}
spec:
  batchInterval: 50ms
  restartPolicy: {backoffBase: 100ms, backoffCap: 1s}
  backpressure: {enabled: false}
  sources:
    - name: records
      kafka: {brokers: BROKERS, topics: [INPUT], startFrom: {earliest: {}}, properties: {metadata.max.age.ms: "500"}SOURCE}
      format: {text: {}}
  sinks:
    - name: out
      from: records
      kafka: {brokers: BROKERS, topic: OUTPUT, keyExpr: value, transactionTimeout: TIMEOUT, compression: None}
      format: {json: {}}
"""


class Broken(AssertionError):
    """The job did not keep its promise; the message says what was seen."""


class Feeder(threading.Thread):
    """Writes numbers to a topic until it is stopped, whatever happens to the brokers; each is there once when `stop` returns."""

    def __init__(self, cluster, topic, partitions):
        super().__init__(daemon=True)
        self._producer = confluent_kafka.Producer({
            "bootstrap.servers": cluster.internal_bootstrap, "enable.idempotence": True, "message.timeout.ms": SECONDS * 1000,
            "linger.ms": 5, "log_level": 0, "topic.metadata.refresh.interval.ms": 500, "retry.backoff.ms": 50})
        self._topic = topic
        self._ended = threading.Event()
        self.partitions = partitions
        self.written = 0
        self._failed = []

    def run(self):
        while not self._ended.wait(PAUSE_SECONDS):
            for _ in range(FED_AT_ONCE):
                self._write(str(self.written), self.written % self.partitions)
                self.written += 1
            self._producer.poll(0)

    def _write(self, value, partition):
        """The client learns of new partitions when it looks for them."""
        while True:
            try:
                return self._producer.produce(self._topic, value=value, partition=partition, on_delivery=self._delivered)
            except confluent_kafka.KafkaException as failure:
                if failure.args[0].code() != UNKNOWN_PARTITION:
                    raise
                self._producer.list_topics(self._topic, SECONDS)
                self._producer.poll(PAUSE_SECONDS)

    def stop(self):
        self._ended.set()
        self.join()
        left = self._producer.flush(SECONDS)
        if left or self._failed:
            raise TimeoutError(f"{left} records could not be written, {self._failed[:1]}")

    def _delivered(self, error, _):
        if error:
            self._failed.append(error)


class Flow:
    """The topics NAME-in and NAME-out, a running job from one to the other, and a Feeder; the processes end with the block.

    topic     read this one instead; nothing is written to it, and the job is not started
    source    further fields of the source; `timeout` is the transaction timeout, `config` the output topic's settings, `flags` are of
              the command line
    """

    def __init__(self, millrace, cluster, name, partitions=3, topic=None, source="", timeout="60s", config=None, flags=()):
        self.millrace, self.cluster, self.kafka, self.flags = millrace, cluster, Client(cluster), flags
        self.input, self.output, self.partitions = topic or f"{name}-in", f"{name}-out", partitions
        if not topic:
            self.kafka.create_topic(self.input, partitions)
        self.kafka.create_topic(self.output, partitions, config)
        self.root = tempfile.mkdtemp(prefix="millrace-flow-")
        self.process = None
        self.errors = os.path.join(self.root, "errors")
        self._seen, self._next = Counter(), {}  # by the reader; its position
        self._reader, self._heard = None, 0.0
        self.feeder = Feeder(cluster, self.input, partitions) if not topic else None
        brokers = json.dumps(cluster.bootstrap.split(","))
        text = JOB.replace("BROKERS", brokers).replace("INPUT", self.input).replace("OUTPUT", self.output)
        with open(os.path.join(self.root, "job.yaml"), "w", encoding="utf-8") as out:
            out.write(text.replace("SOURCE", source).replace("TIMEOUT", timeout))

    def __enter__(self):
        self.follow(self.partitions)
        if self.feeder:
            self.feeder.start()
            self.start()
        return self

    def __exit__(self, kind, *_):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        if kind is not None:
            print(self.said()[-4000:])
        self._reader.close()
        shutil.rmtree(self.root, ignore_errors=True)

    # --- the job ----------------------------------------------------------------------------------------------------------------

    def start(self):
        command = [self.millrace, "run", os.path.join(self.root, "job.yaml"), "--state", os.path.join(self.root, "state"), "--quiet",
                   "--threads", "2", *self.flags]
        self.process = spawn(command, self.errors)

    def said(self):
        """What the job has said on standard error."""
        with open(self.errors, encoding="utf-8", errors="replace") as errors:
            return errors.read()

    def send(self, number):
        self.process.send_signal(number)

    def wait_end(self):
        """The exit code; the job ends by itself."""
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            raise Broken("the job still runs") from None

    def stop(self):
        self.process.terminate()
        code = self.wait_end()
        if code != 0:
            raise Broken(f"the job ended with {code}")

    # --- the oracle -------------------------------------------------------------------------------------------------------------

    def rows(self):
        """Counts of what the reader that was there from the beginning has seen by now."""
        messages = self._reader.consume(10_000, PAUSE_SECONDS)
        for message in messages:
            if not message.error():
                self._seen[json.loads(message.value())["value"]] += 1
                self._next[message.partition()] = message.offset() + 1
            elif not message.error().retriable():
                raise confluent_kafka.KafkaException(message.error())
        now = time.monotonic()
        if messages:
            self._heard = now
        elif now - self._heard > SILENCE_SECONDS:
            self._watch()
        twice = [row for row, count in self._seen.items() if count > 1]
        if twice:
            raise Broken(f"{len(twice)} rows came twice: {twice[:5]}")
        return self._seen

    def wait_rows(self, more=500):
        """Until so many more rows are committed: the job gets on."""
        want = self.rows().total() + more
        self.wait(lambda: self.rows().total() >= want, lambda: f"{want} rows; there are {self.rows().total()}")

    def wait(self, condition, what="it happened"):
        deadline = time.monotonic() + SECONDS
        while not condition():
            if self.process.poll() is not None:
                raise Broken(f"the job ended with {self.process.returncode} before {what() if callable(what) else what}")
            if time.monotonic() > deadline:
                raise Broken(f"{SECONDS} s passed before {what() if callable(what) else what}")
            time.sleep(PAUSE_SECONDS)

    def settle(self):
        """Stops writing and returns what the job must have written, once a reader has seen as much. The job runs on."""
        if self.feeder:
            self.feeder.stop()
        want = Counter(record.value.decode() for record in self.kafka.consume(self.input))
        self.wait(lambda: self.rows().total() >= want.total(), lambda: f"{want.total()} rows; there are {self.rows().total()}")
        return want

    def check(self):
        """Every record of the input is in the output once, for the reader that was there and for one that comes now."""
        want = self.settle()
        self.stop()
        self.compare(want)

    def compare(self, want):
        read = Counter(json.loads(record.value)["value"] for record in self.kafka.consume(self.output))
        for seen in (read, self.rows()):
            lost, extra = want - seen, seen - want
            if lost or extra:
                raise Broken(f"{lost.total()} rows lost {list(lost)[:5]}, {extra.total()} too many {list(extra)[:5]}")
        print(f"    {want.total()} rows, each once", flush=True)

    def _watch(self):
        """A reader from where the last one was. Old clients sometimes hear no more of a partition whose leader changed."""
        if self._reader:
            self._reader.close()
        self._heard = time.monotonic()
        self._reader = confluent_kafka.Consumer({
            "bootstrap.servers": self.cluster.internal_bootstrap, "group.id": "oracle", "isolation.level": "read_committed",
            "enable.auto.commit": False, "auto.offset.reset": "error", "topic.metadata.refresh.interval.ms": 500, "log_level": 0,
            "fetch.wait.max.ms": 50})
        self._reader.assign([confluent_kafka.TopicPartition(self.output, number, offset) for number, offset in self._next.items()])

    def follow(self, partitions):
        """The reader reads so many partitions from now on."""
        self._next = {number: self._next.get(number, 0) for number in range(partitions)}
        self._watch()

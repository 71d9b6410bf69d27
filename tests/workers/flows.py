"""Jobs from Kafka to Kafka, and the oracle: what a reader of committed records must find after any number of failures.

One job has four outputs of one input: a copy, numbers from keyed state, running counts of words, and sums of event-time windows.
"""

import json
import random
import threading
import time
from collections import Counter, defaultdict

import confluent_kafka

from client import Client
from fleet import Broken, Fleet, wait

START_MS = 1_700_000_000_000
STEP_MS = 5
FED_AT_ONCE = 20
PAUSE_SECONDS = 0.04
SECONDS = 60
PARTITIONS = 3
KEYS = 17
VOCABULARY = [f"word{i}" for i in range(23)]
PANE_MS = 1000
OUTPUTS = ("copies", "numbers", "words", "panes")

YAML = """apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: NAME, namespace: default}
spec:
  batchInterval: 100ms
  maxParallelism: 12
  backpressure: {enabled: false}
  restartPolicy: {backoffBase: 100ms, backoffCap: 1s}
  sources:
    - name: lines
      kafka: {brokers: BROKERS, topics: [NAME-in], startFrom: {earliest: {}}}
      format: {json: {schema: {id: int, key: string, at: timestamp, text: string}}}
      eventTime: {timestampExpr: at, watermarkDelay: 10s, idleTimeout: 1h, maxFuture: 24h}
  streams:
    - name: copies
      from: lines
      steps: [{map: {id: id}}]
    - name: numbers
      from: lines
      steps:
        - state:
            key: [key]
            fields: {hits: {type: int, init: "0"}, total: {type: int, init: "0"}}
            update: {hits: state.hits + 1, total: state.total + id}
            output: {fields: {key: key, id: id, hits: state.hits, total: state.total}}
    - name: words
      from: lines
      steps:
        - flatMap: {word: 'text.split(" ")'}
        - aggregate: {key: [word], window: {global: {}}, values: {hits: count()}, emit: Changes}
    - name: panes
      from: lines
      steps:
        - aggregate: {key: [key], window: {tumbling: {length: 1s}}, values: {hits: count(), total: sum(id)}}
  sinks:
SINKS  state: {redis: {addresses: ["REDIS"]}}
"""
SINK = "    - {name: OUT, from: OUT, kafka: {brokers: BROKERS, topic: NAME-OUT, KEYtransactionTimeout: 60s}, format: {json: {}}}\n"
ROW_KEYS = {"numbers": "keyExpr: key, ", "words": "keyExpr: word, ", "panes": "keyExpr: key, "}


def rfc3339(millis):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(millis // 1000)) + f".{millis % 1000:03d}Z"


class Feeder(threading.Thread):
    """Writes records to the input until it is stopped; `pause` makes what was written whole and known."""

    def __init__(self, cluster, topic, seed):
        super().__init__(daemon=True)
        self._producer = confluent_kafka.Producer({"bootstrap.servers": cluster.internal_bootstrap, "enable.idempotence": True,
                                                   "linger.ms": 5, "log_level": 0})
        self._topic, self._random = topic, random.Random(seed)
        self._ended, self._open, self._lock = threading.Event(), threading.Event(), threading.Lock()
        self._failed = []
        self.records = []
        self._open.set()

    def run(self):
        while not self._ended.wait(PAUSE_SECONDS):
            self._open.wait()
            with self._lock:
                for _ in range(FED_AT_ONCE):
                    self.write(f"k{self._random.randrange(KEYS)}", START_MS + len(self.records) * STEP_MS)
            self._producer.poll(0)

    def write(self, key, at, partition=None):
        number = len(self.records)
        record = {"id": number, "key": key, "at": at, "text": " ".join(self._random.choices(VOCABULARY, k=3))}
        self.records.append(record)
        value = json.dumps({**record, "at": rfc3339(at)})
        self._producer.produce(self._topic, value=value, partition=number % PARTITIONS if partition is None else partition,
                               on_delivery=lambda error, _: error and self._failed.append(error))

    def pause(self):
        self._open.clear()
        with self._lock:
            self.flush()

    def resume(self):
        self._open.set()

    def flush(self):
        left = self._producer.flush(SECONDS)
        if left or self._failed:
            raise TimeoutError(f"{left} records could not be written, {self._failed[:1]}")

    def end(self):
        """Stops, and moves event time far enough that every window of what came before closes."""
        self._ended.set()
        self._open.set()
        self.join()
        for partition in range(PARTITIONS):
            self.write("end", self.records[-1]["at"] + 3_600_000, partition)
        self.flush()


class Reader:
    """Reads the committed records of the outputs from their beginning, a few at a time."""

    def __init__(self, cluster, prefix):
        self._consumer = confluent_kafka.Consumer({
            "bootstrap.servers": cluster.internal_bootstrap, "group.id": prefix, "isolation.level": "read_committed",
            "enable.auto.commit": False, "auto.offset.reset": "error", "log_level": 0, "fetch.wait.max.ms": 50})
        topics = [f"{prefix}-{name}" for name in OUTPUTS]
        self._consumer.assign([confluent_kafka.TopicPartition(topic, number, 0) for topic in topics for number in range(PARTITIONS)])
        self._cut = len(prefix) + 1
        self.rows = {name: [] for name in OUTPUTS}

    def read(self):
        for message in self._consumer.consume(10_000, 0.05):
            if not message.error():
                self.rows[message.topic()[self._cut:]].append(json.loads(message.value()))
            elif not message.error().retriable():
                raise confluent_kafka.KafkaException(message.error())
        return self.rows

    def close(self):
        self._consumer.close()


class Flow(Fleet):
    """A Fleet with the job above, its topics, a Feeder and a Reader."""

    def __init__(self, millrace, cluster, redis, name, redis_address=None, seed=1, mode=None):
        self.prefix = name
        kafka = Client(cluster)
        for topic in ("in", *OUTPUTS):
            kafka.create_topic(f"{name}-{topic}", PARTITIONS)
        sinks = "".join(SINK.replace("KEY", ROW_KEYS.get(output, "")).replace("OUT", output) for output in OUTPUTS)
        yaml = YAML.replace("SINKS", sinks).replace("NAME", name).replace("BROKERS", json.dumps(cluster.bootstrap.split(",")))
        if mode:
            yaml = yaml.replace('["REDIS"]', f'["REDIS"], mode: {mode}')
        super().__init__(millrace, name, yaml, redis, redis_address)
        self.cluster = cluster
        self.feeder, self.reader = Feeder(cluster, f"{name}-in", seed), Reader(cluster, name)

    def __enter__(self):
        self.feeder.start()
        return super().__enter__()

    def __exit__(self, kind, *rest):
        self.feeder._ended.set()  # pylint: disable=protected-access
        self.feeder.resume()
        self.reader.close()
        super().__exit__(kind, *rest)

    # --- the oracle -------------------------------------------------------------------------------------------------------------

    def settle(self):
        """Writes no more until the outputs hold what was written, and compares; the number of records so far."""
        self.feeder.pause()
        count = self.compare()
        self.feeder.resume()
        return count

    def compare(self):
        records = list(self.feeder.records)
        try:
            wait(lambda: len(self.reader.read()["copies"]) >= len(records), f"{len(records)} rows were read")
        except Broken:
            self.check_copies(records)
            raise
        self.check_copies(records)
        wait(lambda: len(self.reader.read()["numbers"]) >= len(records), f"{len(records)} numbers were read")
        self.check_numbers(records)
        self.check_words(records)
        self.check_alive()
        return len(records)

    def finish(self):
        """Ends the job and compares everything, with a reader that comes only now, too."""
        self.feeder.end()
        panes = expected_panes(self.feeder.records)
        self.compare()
        wait(lambda: len(self.reader.read()["panes"]) >= len(panes), f"{len(panes)} windows were read")
        if self.running():
            self.stop()
        self.check_panes(panes)
        late = Reader(self.cluster, self.prefix)
        late_count = sum(map(len, self.reader.read().values()))
        wait(lambda: sum(map(len, late.read().values())) >= late_count, "a second reader saw the same")
        for name in OUTPUTS:
            same("second reader of " + name, map(freeze, late.rows[name]), map(freeze, self.reader.rows[name]))
        late.close()
        return len(self.feeder.records)

    def check_copies(self, records):
        same("copies", [row["id"] for row in self.reader.rows["copies"]], [record["id"] for record in records])

    def check_numbers(self, records):
        rows = self.reader.rows["numbers"]
        hits, totals, last = Counter(), Counter(), defaultdict(int)
        for record in records:
            hits[record["key"]] += 1
            totals[record["key"]] += record["id"]
        same("numbers", [row["id"] for row in rows], [record["id"] for record in records])
        same("numbers by key", [(row["key"], row["hits"]) for row in rows],
             [(key, n) for key, count in hits.items() for n in range(1, count + 1)])
        for row in rows:
            last[row["key"]] = max(last[row["key"]], row["total"])
        same("totals", last.items(), totals.items())

    def check_words(self, records):
        want = Counter(word for record in records for word in record["text"].split())
        wait(lambda: sum(self.last_words().values()) >= want.total(), f"{want.total()} words were counted")
        same("words", self.last_words().items(), want.items())

    def last_words(self):
        """The last count of each word; each must be larger than the one before."""
        last = {}
        for row in self.reader.read()["words"]:
            if row["hits"] <= last.get(row["word"], 0):
                raise Broken(f"the count of {row['word']} went from {last[row['word']]} to {row['hits']}")
            last[row["word"]] = row["hits"]
        return last

    def check_panes(self, want):
        same("windows", [(row["key"], row["windowStart"], row["hits"], row["total"]) for row in self.reader.rows["panes"]], want)


def expected_panes(records):
    panes = defaultdict(list)
    for record in records:
        if record["key"] != "end":
            panes[(record["key"], record["at"] - record["at"] % PANE_MS)].append(record["id"])
    return [(key, rfc3339(start).replace(".000Z", "Z"), len(ids), sum(ids)) for (key, start), ids in panes.items()]


def freeze(row):
    return tuple(sorted(row.items()))


def same(what, have, want):
    have, want = Counter(have), Counter(want)
    lost, extra = want - have, have - want
    if lost or extra:
        raise Broken(f"{what}: {lost.total()} lost {list(lost)[:4]}, {extra.total()} too many {list(extra)[:4]}")

"""Writing to and reading from Kafka in a test: lists in, lists out. Needs Debian's python3-confluent-kafka.

    kafka = Client(cluster)
    kafka.create_topic("lines", partitions=2)
    kafka.produce("lines", [("key", "value"), (None, "value", 1)])
    [record.value for record in kafka.consume("lines")]

Every wait has a deadline; a KafkaException or TimeoutError says what did not happen.
"""

import contextlib
import dataclasses
import time
import typing

import confluent_kafka
from confluent_kafka import admin

from metadata import read_metadata

SECONDS = 30.0
POLL_SECONDS = 0.1
SETTLING = {confluent_kafka.KafkaError.NOT_LEADER_FOR_PARTITION, confluent_kafka.KafkaError.LEADER_NOT_AVAILABLE,
            confluent_kafka.KafkaError.UNKNOWN_TOPIC_OR_PART}
TAKEN_AT_ONCE = 10_000
EOF = confluent_kafka.KafkaError._PARTITION_EOF  # pylint: disable=protected-access


@dataclasses.dataclass(frozen=True)
class Record:
    """A record read back. `timestamp` is in milliseconds; `headers` is a tuple of (name, bytes)."""

    topic: str
    partition: int
    offset: int
    key: typing.Optional[bytes]
    value: typing.Optional[bytes]
    timestamp: int
    headers: tuple


class Client:
    """Talks to a Cluster (over its plaintext listener), or to whatever a dictionary of librdkafka settings leads to."""

    def __init__(self, cluster_or_config):
        self._brokers = [] if isinstance(cluster_or_config, dict) else cluster_or_config.brokers
        if not isinstance(cluster_or_config, dict):
            cluster_or_config = {"bootstrap.servers": cluster_or_config.internal_bootstrap}
        self._config = {**cluster_or_config, "log_level": 2, "topic.metadata.refresh.interval.ms": 1000}
        self._admin = admin.AdminClient(self._config)

    # --- topics -----------------------------------------------------------------------------------------------------------------

    def create_topic(self, topic, partitions=1, config=None, replication=-1):
        """Returns when the topic can be written and every running broker of the cluster knows it. `replication` -1 is the cluster's
        default."""
        new = admin.NewTopic(topic, num_partitions=partitions, replication_factor=replication, config=config or {})
        self._admin.create_topics([new], operation_timeout=SECONDS)[topic].result(SECONDS)
        self._wait(lambda: self._known(topic, partitions), f"topic {topic} had {partitions} partitions")

    def delete_topic(self, topic):
        """Returns when nobody can see the topic any more."""
        self._admin.delete_topics([topic], operation_timeout=SECONDS)[topic].result(SECONDS)
        self._wait(lambda: topic not in self._admin.list_topics(timeout=SECONDS).topics, f"topic {topic} was gone")

    def add_partitions(self, topic, total):
        """Raises the number of partitions to `total`; returns as create_topic does."""
        self._admin.create_partitions([admin.NewPartitions(topic, total)])[topic].result(SECONDS)
        self._wait(lambda: self._known(topic, total), f"topic {topic} had {total} partitions")

    def configure_topic(self, topic, config):
        """Replaces the settings that were given to `topic`."""
        resource = admin.ConfigResource(admin.RESOURCE_TOPIC, topic, set_config=config)
        self._admin.alter_configs([resource])[resource].result(SECONDS)

    def partitions(self, topic):
        """Numbers of the partitions that have a leader, as any one broker knows them; empty when there is no such topic."""
        found = self._admin.list_topics(topic, timeout=SECONDS).topics.get(topic)
        return sorted(number for number, partition in found.partitions.items() if partition.leader >= 0) if found else []

    def offsets(self, topic, isolation="read_uncommitted"):
        """{partition: (first, end)}; markers of transactions count. With "read_committed" the end is the last stable offset."""
        with self._consumer(isolation) as consumer:
            return {partition: _watermarks(consumer, confluent_kafka.TopicPartition(topic, partition))
                    for partition in self.partitions(topic)}

    def committed(self, group, topic):
        """{partition: offset} that a consumer group committed; without partitions it committed nothing for."""
        with self._consumer("read_uncommitted", group) as consumer:
            asked = [confluent_kafka.TopicPartition(topic, partition) for partition in self.partitions(topic)]
            return {found.partition: found.offset for found in consumer.committed(asked, SECONDS) if found.offset >= 0}

    # --- writing ----------------------------------------------------------------------------------------------------------------

    def produce(self, topic, records, **config):
        """Writes (key, value[, partition[, timestamp[, headers]]]) and returns their (partition, offset) in the same order.

        Keys and values are str, bytes or None; a partition of None is chosen by the key. `config` are librdkafka settings with "_"
        for "."; what is written is acknowledged by all in-sync replicas.
        """
        producer = confluent_kafka.Producer({**self._config, "acks": "all", "linger.ms": 5, **_dotted(config)})
        placed = [None] * len(records)
        for index, record in enumerate(records):
            _send(producer, topic, record, _keep(placed, index))
        _flush(producer)
        return placed

    @contextlib.contextmanager
    def transaction(self, transactional_id, **config):
        """A begun Transaction, aborted at the end unless it was committed. Entering fences older holders of the same id."""
        producer = confluent_kafka.Producer({**self._config, "transactional.id": transactional_id, "linger.ms": 5, **_dotted(config)})
        producer.init_transactions(SECONDS)
        producer.begin_transaction()
        transaction = Transaction(producer)
        try:
            yield transaction
        finally:
            if transaction.open:
                transaction.abort()

    # --- reading ----------------------------------------------------------------------------------------------------------------

    def consume(self, topic, isolation="read_committed", start=0):
        """All records now in the topic from offset `start` of each partition on, sorted by partition and offset.

        With "read_committed" that ends where the oldest open transaction begins. An end that the client reports earlier is not
        believed: it may have been seen before the last record was there.
        """
        open_partitions, records = set(self.partitions(topic)), []
        deadline = time.monotonic() + SECONDS
        with self._assigned(topic, isolation, start) as consumer:
            ends = {number: _watermarks(consumer, confluent_kafka.TopicPartition(topic, number))[1] for number in open_partitions}
            while open_partitions:
                for message in _take(consumer, deadline, f"the end of {topic}[{sorted(open_partitions)}]"):
                    if not message.error():
                        records.append(_record(message))
                    elif message.offset() >= ends[message.partition()]:
                        open_partitions.discard(message.partition())
        return sorted(records, key=lambda record: (record.partition, record.offset))

    def consume_until(self, topic, enough, isolation="read_committed", seconds=SECONDS):
        """Reads from the beginning, waiting for more, until `enough(records)`; returns the records in order of arrival.

        Raises TimeoutError with what was read after `seconds`.
        """
        records = []
        deadline = time.monotonic() + seconds
        with self._assigned(topic, isolation) as consumer:
            while not enough(records):
                what = f"enough was in {topic}; the last of {len(records)}: {records[-3:]}"
                records += [_record(message) for message in _take(consumer, deadline, what) if not message.error()]
        return records

    # --- inside -----------------------------------------------------------------------------------------------------------------

    def _known(self, topic, partitions):
        """Brokers hear of changes one after the other; the client asks any of them."""
        try:
            answers = [read_metadata(broker.internal_port).topics.get(topic, {}) for broker in self._brokers if broker.running]
        except OSError:
            return False
        led = [sum(partition.leader >= 0 for partition in answer.values()) for answer in answers]
        return all(count == partitions for count in [*led, len(self.partitions(topic))])

    @contextlib.contextmanager
    def _consumer(self, isolation, group="test-reader"):
        consumer = confluent_kafka.Consumer({**self._config, "group.id": group, "isolation.level": isolation, "fetch.wait.max.ms": 20,
                                             "enable.auto.commit": False, "enable.partition.eof": True})
        try:
            yield consumer
        finally:
            consumer.close()

    @contextlib.contextmanager
    def _assigned(self, topic, isolation, start=0):
        """A consumer at offset `start` or the first one after it. Numbers, since asking for "the beginning" costs half a second."""
        with self._consumer(isolation) as consumer:
            at = [confluent_kafka.TopicPartition(topic, partition) for partition in self.partitions(topic)]
            for partition in at:
                partition.offset = max(start, _watermarks(consumer, partition)[0])
            consumer.assign(at)
            yield consumer

    @staticmethod
    def _wait(condition, what):
        deadline = time.monotonic() + SECONDS
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError(f"{SECONDS} s passed before {what}")
            time.sleep(POLL_SECONDS / 5)


class Transaction:
    """One transaction of one producer. After `commit` or `abort`, `begin` opens the producer's next one."""

    def __init__(self, producer):
        self._producer = producer
        self.open = True

    def produce(self, topic, records):
        """As Client.produce; returns when the brokers hold the records, still invisible to read_committed."""
        placed = [None] * len(records)
        for index, record in enumerate(records):
            _send(self._producer, topic, record, _keep(placed, index))
        _flush(self._producer)
        return placed

    def commit(self):
        self._producer.commit_transaction(SECONDS)
        self.open = False

    def abort(self):
        self._producer.abort_transaction(SECONDS)
        self.open = False

    def begin(self):
        self._producer.begin_transaction()
        self.open = True


def _watermarks(consumer, partition):
    """(first, end) of a partition; brokers may need a moment to know that they lead a new one."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return consumer.get_watermark_offsets(partition, SECONDS)
        except confluent_kafka.KafkaException as failure:
            if not failure.args[0].retriable() and failure.args[0].code() not in SETTLING or time.monotonic() > deadline:
                raise
            time.sleep(POLL_SECONDS)


def _dotted(config):
    return {name.replace("_", "."): value for name, value in config.items()}


def _keep(placed, index):
    def keep(error, message):
        if error:
            raise confluent_kafka.KafkaException(error)
        placed[index] = (message.partition(), message.offset())

    return keep


def _send(producer, topic, record, on_delivery):
    key, value, partition, timestamp, headers = [*record, *[None] * (5 - len(record))]
    optional = {"partition": partition, "timestamp": timestamp, "headers": list(headers) if headers else None}
    arguments = {name: given for name, given in optional.items() if given is not None}
    while True:
        try:
            producer.produce(topic, value=value, key=key, on_delivery=on_delivery, **arguments)
            return producer.poll(0)
        except BufferError:
            producer.poll(POLL_SECONDS)


def _flush(producer):
    left = producer.flush(SECONDS)
    if left:
        raise TimeoutError(f"{left} records were not acknowledged in {SECONDS} s")


def _take(consumer, deadline, what):
    """Messages and ends of partitions that came by now. Other errors are raised, but for those the library mends itself."""
    if time.monotonic() > deadline:
        raise TimeoutError(f"the time passed before {what}")
    first = consumer.poll(POLL_SECONDS)
    messages = [first, *consumer.consume(TAKEN_AT_ONCE, 0)] if first else []
    for message in messages:
        error = message.error()
        if error and error.code() != EOF and not error.retriable():
            raise confluent_kafka.KafkaException(error)
    return [message for message in messages if not message.error() or message.error().code() == EOF]


def _record(message):
    return Record(message.topic(), message.partition(), message.offset(), message.key(), message.value(), message.timestamp()[1],
                  tuple(message.headers() or ()))

#!/usr/bin/env python3
"""A broker on one core with the input topics of the Kafka benchmarks, filled once and kept.

    bench/kafka/preload.py               fill what is missing, print the counts, end
    bench/kafka/preload.py --hold        ... and keep the broker until Ctrl-C
    bench/kafka/preload.py --scale 0.01  a hundredth of the records, in a folder of their own

As a library: `with ground() as cluster:` is the broker with the topics filled.
"""

import argparse
import contextlib
import pathlib
import signal
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "kafka"))

from broker import Cluster  # noqa: E402
from client import Client  # noqa: E402
from inputs import INPUTS  # noqa: E402

PARTITIONS = 2
BROKER_CORE = "0"
BROKER_HEAP_MIB = 1024
BROKER_OPTIONS = ["-XX:+UseG1GC"]
DATA = pathlib.Path.home() / ".cache" / "millrace-bench"
WRITER = ["-P", "-z", "none", "-X", "linger.ms=50", "-X", "batch.num.messages=10000", "-X", "batch.size=1000000",
          "-X", "queue.buffering.max.messages=1000000"]


@contextlib.contextmanager
def ground(scale=1.0, topics=tuple(INPUTS), data=DATA):
    """The benchmark's broker with `topics` filled, as a Cluster; ends with the block."""
    folder = pathlib.Path(data) / f"kafka-{scale:g}"
    with Cluster(folder=folder, heap_mib=BROKER_HEAP_MIB, options=BROKER_OPTIONS, cpus=BROKER_CORE) as cluster:
        for topic in topics:
            fill(cluster, topic, round(INPUTS[topic].records * scale))
        yield cluster


def fill(cluster, topic, count):
    """Makes `topic` hold exactly its `count` records; does nothing when it does. One that was left half filled is made anew."""
    kafka = Client(cluster)
    started = time.monotonic()
    if kafka.partitions(topic):
        if sum(end for _, end in kafka.offsets(topic).values()) == count:
            print(f"{topic}: {count} records", flush=True)
            return
        kafka.delete_topic(topic)
    kafka.create_topic(topic, PARTITIONS)
    _write(cluster, topic, count)
    held = {partition: end for partition, (_, end) in kafka.offsets(topic).items()}
    if sum(held.values()) != count:
        raise RuntimeError(f"{topic} holds {held} of {count} records")
    print(f"{topic}: {count} records, written in {time.monotonic() - started:.0f} s", flush=True)


def _write(cluster, topic, count):
    """Record n goes to partition n modulo PARTITIONS, so that each partition is in order."""
    writers = [subprocess.Popen(["kcat", *WRITER, "-b", cluster.bootstrap, "-t", topic, "-p", str(partition)], stdin=subprocess.PIPE)
               for partition in range(PARTITIONS)]
    for chunk in INPUTS[topic].chunks(count):
        for partition, writer in enumerate(writers):
            writer.stdin.write("\n".join([*chunk[partition::PARTITIONS], ""]).encode())
    for writer in writers:
        writer.stdin.close()
    if any(writer.wait() for writer in writers):
        raise RuntimeError(f"kcat did not write all of {topic}")


def main():
    parser = argparse.ArgumentParser(description="A broker on one core with the input topics of the Kafka benchmarks.")
    parser.add_argument("topics", nargs="*", help=f"of {', '.join(INPUTS)} (default: all)")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the records (default 1)")
    parser.add_argument("--data", default=DATA, help="where the broker keeps its data (default %(default)s)")
    parser.add_argument("--hold", action="store_true", help="keep the broker until Ctrl-C")
    arguments = parser.parse_args()
    unknown = set(arguments.topics) - set(INPUTS)
    if unknown:
        parser.error(f"no topic {', '.join(sorted(unknown))}; there are {', '.join(INPUTS)}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with ground(arguments.scale, arguments.topics or tuple(INPUTS), arguments.data) as cluster:
            print(f"bootstrap {cluster.bootstrap}", flush=True)
            if arguments.hold:
                signal.pause()
    except KeyboardInterrupt:
        print("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())

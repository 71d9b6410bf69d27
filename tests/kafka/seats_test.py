#!/usr/bin/env python3
"""Several processes write one Kafka sink of a real broker as the seats of generations; some die.

Usage: seats_test.py KAFKA_SEAT [CLASS[.TEST]...]
"""

import os
import subprocess
import sys
import time
import unittest

from broker import Cluster
from client import Client

SEAT = ""
UNITS = range(6)


class Seat:
    """A process that holds one slot of a generation."""

    def __init__(self, cluster, generation, slot, slots, most, failpoint=None):
        environment = dict(os.environ)
        if failpoint:
            environment["MILLRACE_FAILPOINT"] = failpoint
        self.slot = slot
        self.process = subprocess.Popen([SEAT, cluster.bootstrap, generation, str(slot), str(slots), str(most)], env=environment, text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)

    def tell(self, *words):
        self.process.stdin.write(" ".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()

    def answer(self):
        """The line that answers the oldest command; "" of a process that died over it."""
        return self.process.stdout.readline().strip()

    def ask(self, *words):
        self.tell(*words)
        return self.answer()

    def close(self):
        self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Seats(unittest.TestCase):
    def setUp(self):
        self.cluster = Cluster().start()
        self.addCleanup(self.cluster.stop)
        self.kafka = Client(self.cluster)
        self.kafka.create_topic("rows")

    def open(self, generation, slots, most, failpoints=None):
        """All seats of a generation, opened at the same time."""
        seats = [Seat(self.cluster, generation, slot, slots, most, (failpoints or {}).get(slot)) for slot in range(slots)]
        for seat in seats:
            self.addCleanup(seat.close)
        begin = time.monotonic()
        self.all(seats, "open")
        print(f"  {slots} seats of {most} opened in {time.monotonic() - begin:.1f} s", flush=True)
        self.ledgers = self.all(seats, "skip")
        self.assertEqual(len(set(self.ledgers)), 1)
        return seats

    def all(self, seats, command):
        for seat in seats:
            seat.tell(command)
        answers = [seat.answer() for seat in seats]
        for answer in answers:
            self.assertTrue(answer.startswith("ok"), answer)
        return answers

    def deliver(self, seats, batch):
        """Every seat delivers its share, all at the same time."""
        for seat in seats:
            seat.tell("deliver", batch, *(unit for unit in UNITS if unit % len(seats) == seat.slot))
        self.assertEqual([seat.answer() for seat in seats], ["ok"] * len(seats))

    def rows(self):
        return sorted(record.value.decode() for record in self.kafka.consume("rows"))

    def change_size(self, slots):
        first = self.open("1-a", 2, 2, {0: "kafka.mid_transaction:2"})
        self.deliver(first, 1)
        self.assertEqual(first[1].ask("deliver", 2, 1, 3), "ok")
        self.assertEqual(first[0].ask("deliver", 2, 0, 2, 4), "", "it dies with an open transaction")
        second = self.open("2-b", slots, max(slots, 2))
        self.assertEqual(self.ledgers[0], f"ok batch 2 tasks 2 slots {max(slots, 2)} fence 2")
        self.assertIn("has taken over the Kafka sink out", first[1].ask("deliver", 2, 5))
        self.deliver(second, 2)
        self.deliver(second, 3)
        self.assertEqual(self.rows(), sorted(f"{batch}/{unit}" for batch in (1, 2, 3) for unit in UNITS))

    def test_fewer_seats_write_each_task_once(self):
        self.change_size(1)

    def test_more_seats_write_each_task_once(self):
        self.change_size(3)

    def test_every_slot_of_an_older_generation_is_fenced(self):
        old = self.open("1-a", 3, 3)
        new = self.open("2-b", 2, 3)
        for seat in old:
            self.assertIn("has taken over the Kafka sink out", seat.ask("deliver", 1, seat.slot))
        self.deliver(new, 1)
        self.assertEqual(self.rows(), [f"1/{unit}" for unit in UNITS])


if __name__ == "__main__":
    SEAT = os.path.abspath(sys.argv.pop(1))
    unittest.main(verbosity=2)

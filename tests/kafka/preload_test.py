#!/usr/bin/env python3
"""The input topics of bench/kafka/, at a thousandth of their size: as many records as said, the same each time, written once."""

import json
import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench" / "kafka"))

from client import Client  # noqa: E402
from inputs import INPUTS  # noqa: E402
from preload import fill, ground  # noqa: E402

SCALE = 0.001


class Inputs(unittest.TestCase):
    def test_lines_are_words_of_a_fixed_dictionary(self):
        first, again = (list(INPUTS["lines"].chunks(150_000)) for _ in range(2))
        self.assertEqual(first, again)
        words = [word for chunk in first for word in chunk]
        self.assertEqual(len(words), 150_000)
        self.assertTrue(all(7 <= len(word) <= 10 for word in words))
        self.assertGreater(len(set(words)), 4_500)

    def test_events_are_68_bytes_and_fill_ten_minutes_in_order(self):
        events = [event for chunk in INPUTS["events"].chunks(1_000) for event in chunk]
        self.assertEqual({len(event) for event in events}, {68})
        times = [json.loads(event)["time"] for event in events]
        self.assertEqual(times, sorted(times))
        self.assertEqual(times[-1] - times[0], 600_000 - 600)


class Preload(unittest.TestCase):
    def test_topics_are_filled_once_and_a_half_filled_one_anew(self):
        count = round(INPUTS["events"].records * SCALE)
        with tempfile.TemporaryDirectory() as data, ground(SCALE, ["events"], data) as cluster:
            kafka = Client(cluster)
            records = kafka.consume("events")
            self.assertEqual([record.value.decode() for record in records if record.partition == 0],
                             next(INPUTS["events"].chunks(count))[0::2])
            fill(cluster, "events", count)
            self.assertEqual(kafka.consume("events"), records)
            kafka.produce("events", [(None, "one too many")])
            fill(cluster, "events", count)
            self.assertEqual(sum(end for _, end in kafka.offsets("events").values()), count)


if __name__ == "__main__":
    unittest.main(verbosity=2)

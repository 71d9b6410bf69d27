"""The input topics of the Kafka benchmarks, made from fixed seeds: the same records on every machine."""

import itertools
import random
from dataclasses import dataclass
from typing import Callable, Iterator, List

SEED = 1
WORDS = 5_000
WORDS_PER_LINE = 11
USERS = 10_000
EVENT_TIME_START_MS = 1_767_225_600_000  # 2026-01-01T00:00:00Z
EVENT_TIME_MS = 600_000
CHUNK = 100_000


@dataclass(frozen=True)
class Input:
    """A topic: its number of records, and `chunks(count)`, which yields them in order, `CHUNK` at a time."""

    records: int
    chunks: Callable[[int], Iterator[List[str]]]


def _dictionary(rng):
    """Distinct words of 7 to 10 letters, the most frequent first, and the running sums of their Zipf(1.0) weights."""
    words = {}
    while len(words) < WORDS:
        words["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(7, 10)))] = None
    return list(words), list(itertools.accumulate(1 / rank for rank in range(1, WORDS + 1)))


def _sizes(count):
    return [CHUNK] * (count // CHUNK) + ([count % CHUNK] if count % CHUNK else [])


def _lines(count):
    rng = random.Random(SEED)
    words, weights = _dictionary(rng)
    for size in _sizes(count):
        yield rng.choices(words, cum_weights=weights, k=size)


def _text(count):
    rng = random.Random(SEED)
    words, weights = _dictionary(rng)
    for size in _sizes(count):
        drawn = iter(rng.choices(words, cum_weights=weights, k=size * WORDS_PER_LINE))
        yield [" ".join(line) for line in zip(*[drawn] * WORDS_PER_LINE)]


def _events(count):
    """68 bytes each; event time goes evenly and in order from start to end, whatever the count."""
    rng = random.Random(SEED)
    number = 0
    for size in _sizes(count):
        users, amounts = rng.choices(range(USERS), k=size), rng.choices(range(100, 1000), k=size)
        chunk = []
        for user, amount in zip(users, amounts):
            time = EVENT_TIME_START_MS + number * EVENT_TIME_MS // count
            chunk.append(f'{{"user":"user-{user:04d}","amount":{amount},"time":{time},"page":"home"}}')
            number += 1
        yield chunk


INPUTS = {
    "lines": Input(20_000_000, _lines),
    "text": Input(4_000_000, _text),
    "events": Input(10_000_000, _events),
}

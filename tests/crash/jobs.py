"""Jobs whose result can be computed without the engine: input files from a seed, and the rows that must come out.

Every record is at most DISORDER_MS behind the newest one before it, and watermarks wait WATERMARK_DELAY_MS, so that nothing but the
records made late on purpose (days behind) is late, however the input is cut into batches.
"""

import json
import random
from collections import Counter, defaultdict

from harness import Verdict, millis, rfc3339

START_MS = 1_700_000_000_000
DISORDER_MS = 5_000
WATERMARK_DELAY_MS = 20_000
LATE_MS = 5 * 86_400_000

HEAD = """apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: NAME}
spec:
  batchInterval: 20ms
  maxParallelism: 3
"""

SOURCE = """    - name: SOURCE
      file: {path: ROOT/in/SOURCE}
      format: {json: {schema: {id: int, key: string, at: timestamp, amount: int}}}
      eventTime: {timestampExpr: at, watermarkDelay: 20s, idleTimeout: 1h, maxFuture: 24h}
      maxRatePerPartition: 1000
      onError: DeadLetter
"""


def source_text(name):
    return SOURCE.replace("SOURCE", name)


def sink_text(name, stream):
    return f"    - {{name: {name}, from: {stream}, file: {{path: ROOT/out/{name}}}, format: {{json: {{}}}}}}\n"


class Record:
    """One line of input."""

    def __init__(self, number, key, at, amount):
        self.id, self.key, self.at, self.amount = number, key, at, amount

    def line(self):
        return json.dumps({"id": self.id, "key": self.key, "at": rfc3339(self.at), "amount": self.amount})


class Job:
    """Base of all jobs. `files` are published in order, the first `calm_files` of them before anything committed."""

    sources = ["events"]
    sinks = []
    records_per_file = 60
    file_count = 40
    calm_files = 4
    keys = 12
    span_ms = 40 * 60_000

    def __init__(self, seed):
        self.random = random.Random(f"{type(self).__name__}/{seed}")
        self.bad = 0
        self.late = 0
        self.records = defaultdict(list)  # by source
        self.files = []
        self.yaml = HEAD.replace("NAME", self.name) + self.spec()
        self.make_files()

    def make_files(self):
        per_file = self.span_ms // self.file_count
        number = 0
        for index in range(self.file_count):
            for source in self.sources:
                lines = []
                for position in range(self.records_per_file):
                    at = START_MS + index * per_file + position * per_file // self.records_per_file
                    record = self.make_record(number, at - self.random.randrange(DISORDER_MS))
                    number += 1
                    lines.append(record.line())
                    self.records[source].append(record)
                self.spoil(index, source, lines)
                self.files.append((source, lines))

    def make_record(self, number, at):
        return Record(number, f"k{self.random.randrange(self.keys)}", at, self.random.randrange(1, 1000))

    def spoil(self, index, source, lines):
        """Adds lines that do not decode."""
        if self.random.random() < 0.4:
            bad = self.random.choice(['{"id": 1, "key"', '{"id": 1, "key": "k", "at": "yesterday", "amount": 1}', "no json"])
            lines.insert(self.random.randrange(len(lines)), bad)
            self.bad += 1

    def check_dead_letters(self, rows, verdict):
        reasons = Counter(row["reason"] for _, row in rows)
        expected = Counter({"Decode": self.bad})
        if self.late:
            expected["Late"] = self.late
        verdict.compare(f"{self.name}: dead letters", reasons.elements(), expected.elements())


class WindowsJob(Job):
    """Tumbling, sliding and session aggregates, with records that are late for sure."""

    name = "windows"
    sinks = ["tumbling", "sliding", "sessions", "dead"]

    def spec(self):
        streams = ""
        for stream, window in (("tumbled", "tumbling: {length: 30s}"), ("slid", "sliding: {length: 60s, slide: 20s}"),
                               ("sessioned", "session: {gap: 9s}")):
            streams += (f"    - name: {stream}\n      from: events\n      steps:\n"
                        f"        - aggregate: {{key: [key], window: {{{window}}}, onLate: DeadLetter,\n"
                        "            values: {hits: count(), total: sum(amount), low: min(amount), high: max(amount)}}\n")
        sinks = (sink_text("tumbling", "tumbled") + sink_text("sliding", "slid") + sink_text("sessions", "sessioned") +
                 sink_text("dead", "deadLetters"))
        return "  sources:\n" + source_text("events") + "  streams:\n" + streams + "  sinks:\n" + sinks

    def spoil(self, index, source, lines):
        super().spoil(index, source, lines)
        if index >= self.calm_files and self.random.random() < 0.3:
            late = Record(-index, f"k{self.random.randrange(self.keys)}", START_MS - LATE_MS, 1)
            lines.insert(self.random.randrange(1, len(lines)), late.line())
            self.late += 3  # one for each aggregate

    def verify(self, outputs):
        verdict = Verdict()
        events = self.records["events"]
        verdict.compare("tumbling", window_rows(outputs["tumbling"]), aligned_windows(events, 30_000, 30_000))
        verdict.compare("sliding", window_rows(outputs["sliding"]), aligned_windows(events, 60_000, 20_000))
        verdict.compare("sessions", window_rows(outputs["sessions"]), session_windows(events, 9_000))
        self.check_dead_letters(outputs["dead"], verdict)
        return verdict


def window_rows(rows):
    return [(row["key"], millis(row["windowStart"]), millis(row["windowEnd"]), row["hits"], row["total"], row["low"], row["high"])
            for _, row in rows]


def summary(key, start, end, amounts):
    return (key, start, end, len(amounts), sum(amounts), min(amounts), max(amounts))


def aligned_windows(events, length, slide):
    windows = defaultdict(list)
    for event in events:
        start = event.at - event.at % slide
        while start > event.at - length:
            windows[(event.key, start)].append(event.amount)
            start -= slide
    return [summary(key, start, start + length, amounts) for (key, start), amounts in windows.items()]


def session_windows(events, gap):
    """Two records of a key at most `gap` apart are one session."""
    by_key = defaultdict(list)
    for event in events:
        by_key[event.key].append(event)
    rows = []
    for key, mine in by_key.items():
        mine.sort(key=lambda event: event.at)
        session = [mine[0]]
        for event in mine[1:] + [None]:
            if event is not None and event.at - session[-1].at <= gap:
                session.append(event)
                continue
            rows.append(summary(key, session[0].at, session[-1].at + gap, [e.amount for e in session]))
            session = [event]
    return rows


class StateJob(Job):
    """Running totals in a `state` step; each key is heard in one stretch of time and leaves by timeout."""

    name = "totals"
    sinks = ["totals", "dead"]
    keys = 20

    def spec(self):
        return ("  sources:\n" + source_text("events") + """  streams:
    - name: running
      from: events
      steps:
        - state:
            key: [key]
            orderExpr: at
            time: Event
            fields: {hits: {type: int, init: "0"}, total: {type: int, init: "0"}}
            update: {hits: state.hits + 1, total: state.total + amount}
            output: {fields: {key: key, hits: state.hits, total: state.total, gone: "false"}}
            timeout: {idle: 10m}
            onTimeout: {fields: {key: key, hits: state.hits, total: state.total, gone: "true"}}
  sinks:
""" + sink_text("totals", "running") + sink_text("dead", "deadLetters"))

    def make_record(self, number, at):
        third = min(2, (number * 3) // (self.file_count * self.records_per_file))
        return Record(number, f"k{third}_{self.random.randrange(self.keys)}", at, self.random.randrange(1, 1000))

    def verify(self, outputs):
        verdict = Verdict()
        amounts = defaultdict(list)
        for event in self.records["events"]:
            amounts[event.key].append(event.amount)
        gone, steps = [], defaultdict(list)
        for _, row in outputs["totals"]:
            if row["gone"]:
                gone.append((row["key"], row["hits"], row["total"]))
            else:
                steps[row["key"]].append((row["hits"], row["total"]))
        verdict.compare("timeouts", gone, [(key, len(all_), sum(all_)) for key, all_ in amounts.items()])
        for key, all_ in amounts.items():
            running = sorted(steps.pop(key, []))
            verdict.compare(f"numbers of {key}", [n for n, _ in running], range(1, len(all_) + 1))
            totals = [0] + [total for _, total in running]
            verdict.compare(f"amounts of {key}", [b - a for a, b in zip(totals, totals[1:])], all_)
        verdict.compare("keys", list(steps), [])
        self.check_dead_letters(outputs["dead"], verdict)
        return verdict


class JoinsJob(Job):
    """Interval and tumbling joins of two sources."""

    name = "joins"
    sources = ["left", "right"]
    sinks = ["pairs", "full", "dead"]
    file_count = 20
    calm_files = 4
    keys = 60

    def spec(self):
        return ("  sources:\n" + source_text("left") + source_text("right") + """  streams:
    - name: paired
      from: left
      steps:
        - join: {with: right, key: [key], window: {interval: {before: 4s, after: 8s}}}
        - map: {a: id, b: right.id}
    - name: matched
      from: left
      steps:
        - join: {with: right, key: [key], type: Full, window: {tumbling: {length: 15s}}}
        - map: {key: key, a: id, b: "right == null ? null : right.id", start: windowStart}
  sinks:
""" + sink_text("pairs", "paired") + sink_text("full", "matched") + sink_text("dead", "deadLetters"))

    def verify(self, outputs):
        verdict = Verdict()
        left, right = self.records["left"], self.records["right"]
        others = defaultdict(list)
        for other in right:
            others[other.key].append(other)
        pairs = [(a.id, b.id) for a in left for b in others[a.key] if a.at - 4_000 <= b.at <= a.at + 8_000]
        verdict.compare("pairs", [(row["a"], row["b"]) for _, row in outputs["pairs"]], pairs)
        verdict.compare("full join", [(row["key"], row["a"], row["b"], millis(row["start"])) for _, row in outputs["full"]],
                        full_join(left, right, 15_000))
        self.check_dead_letters(outputs["dead"], verdict)
        return verdict


def full_join(left, right, length):
    sides = defaultdict(lambda: ([], []))
    for side, events in enumerate((left, right)):
        for event in events:
            sides[(event.key, event.at - event.at % length)][side].append(event.id)
    rows = []
    for (key, start), (ours, theirs) in sides.items():
        rows += [(key, a, b, start) for a in ours or [None] for b in theirs or [None]]
    return rows


class DedupJob(Job):
    """Duplicates dropped, then running counts since the start."""

    name = "unique"
    sinks = ["counts", "kept", "dead"]
    repeats = 0.3

    def spec(self):
        return ("  sources:\n" + source_text("events") + """  streams:
    - name: fresh
      from: events
      steps:
        - dedup: {key: [id], within: 1h}
    - name: counted
      from: fresh
      steps:
        - aggregate: {key: [key], window: {global: {}}, values: {hits: count(), total: sum(amount)}, emit: Changes}
  sinks:
""" + sink_text("counts", "counted") + sink_text("kept", "fresh") + sink_text("dead", "deadLetters"))

    def make_record(self, number, at):
        recent = self.records["events"][-8:]  # within the watermark delay
        if recent and self.random.random() < self.repeats:
            return self.random.choice(recent)
        return super().make_record(number, at)

    def verify(self, outputs):
        verdict = Verdict()
        unique = {event.id: event for event in self.records["events"]}.values()
        verdict.compare("kept", [(row["id"], row["key"], row["amount"]) for _, row in outputs["kept"]],
                        [(event.id, event.key, event.amount) for event in unique])
        totals = defaultdict(lambda: (0, 0))
        for event in unique:
            n, total = totals[event.key]
            totals[event.key] = (n + 1, total + event.amount)
        last, repeated = {}, []
        for batch, row in outputs["counts"]:
            before = last.get(row["key"], (0, 0, 0))
            if batch <= before[2] or row["hits"] <= before[0]:
                repeated.append((batch, row["key"]))
            last[row["key"]] = (row["hits"], row["total"], batch)
        verdict.compare("counts", [(key, n, total) for key, (n, total, _) in last.items()],
                        [(key, n, total) for key, (n, total) in totals.items()])
        verdict.compare("versions", repeated, [])
        self.check_dead_letters(outputs["dead"], verdict)
        return verdict


JOBS = [WindowsJob, StateJob, JoinsJob, DedupJob]

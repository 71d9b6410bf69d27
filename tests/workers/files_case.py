"""Jobs that read a generator or files and write files, with kills in between; they end by themselves, and every worker with 0."""

import glob
import json
import os
import signal
import time
from collections import Counter

import disk_case
from cases import Case
from edit_cases import EDITS
from fleet import Broken, Fleet, wait
from server import Server

NUMBERS = 60_000
FILES, LINES = 40, 300
FILE_STEPS = {"file_sink.before_rename": 60, "file_sink.after_rename": 60, "file_sink.before_committed": 15}  # passes before the death
HEAD = """apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: NAME, namespace: default}
spec:
  batchInterval: 100ms
  maxParallelism: 12
  backpressure: {enabled: false}
"""
EDIT_NUMBERS = 150_000  # long enough for workers to be replaced
TAIL = """  sinks:
    - {name: out, from: sums, file: {path: ROOT/out}, format: {json: {}}}
  state: {redis: {addresses: ["REDIS"]}}
"""
GENERATED = HEAD + f"""  sources:
    - name: numbers
      generator: {{fields: {{id: "seq", word: '"w" + string(seq % 100)'}}, rate: 6000, count: {NUMBERS}, partitions: 4}}
  streams:
    - name: sums
      from: numbers
      steps:
        - aggregate: {{key: [word], window: {{tumbling: {{length: 1s}}}}, values: {{hits: count(), total: sum(id)}}}}
""" + TAIL
COPIED = HEAD + """  sources:
    - name: lines
      file: {path: ROOT/in, watch: false}
      format: {json: {schema: {id: int, word: string}}}
      maxRatePerPartition: 400
  streams:
    - name: sums
      from: lines
      steps: [{map: {word: word, hits: "1", total: id}}]
""" + TAIL


def write_files(root):
    os.makedirs(os.path.join(root, "in"))
    for number in range(FILES):
        with open(os.path.join(root, "in", f"part-{number:03d}.json"), "w", encoding="utf-8") as out:
            for line in range(LINES):
                out.write(json.dumps({"id": number * LINES + line, "word": f"w{line % 100}"}) + "\n")


def check(root, count):
    """The sums of each word over all files that a reader sees."""
    hits, totals, batches = Counter(), Counter(), set()
    with open(os.path.join(root, "out", "_committed"), encoding="utf-8") as text:
        last = json.load(text)["batch"]
    for path in glob.glob(os.path.join(root, "out", "*.json")):
        batch = int(os.path.basename(path).split("-")[3])
        batches.add(batch)
        with open(path, encoding="utf-8") as text:
            for row in map(json.loads, text):
                hits[row["word"]] += row["hits"]
                totals[row["word"]] += row["total"]
    if max(batches) > last:
        raise Broken(f"files of batch {max(batches)} lie beyond the committed {last}")
    want = Counter({f"w{i}": count // 100 for i in range(100)})
    if hits != want:
        raise Broken(f"{(want - hits).total()} lost, {(hits - want).total()} too many")
    if totals.total() != count * (count - 1) // 2:
        raise Broken(f"the sum is {totals.total()}, not {count * (count - 1) // 2}")


def run_job(name, count):
    def case(session):
        fleet = session.flow
        fleet.fill(3)
        fleet.wait_batches()
        begin, pause = time.monotonic(), 0.0
        for leader in (False, True):
            fleet.kill(fleet.pick(leader))
            pause = max(pause, fleet.wait_batches())
            fleet.start()
        stopped = fleet.pick(False)
        fleet.send(stopped, signal.SIGTERM)
        fleet.wait_end(stopped, (0,))
        fleet.start()
        for worker in fleet.running():
            fleet.wait_end(worker, (0,), 60)
        wait(lambda: not fleet.running(), f"{time.monotonic() - begin} s, everybody ended")
        check(fleet.root, count)
        return pause

    return Case("F02", name, case)


def dies_at(step):
    """The worker of slot 0, which also says what is committed, dies at `step`."""

    def case(session):
        fleet = session.flow
        name = fleet.start(f"{step}:{FILE_STEPS[step]}")
        fleet.wait_slots(1)  # slot 0 is its own
        fleet.fill(3)
        fleet.wait_end(name, (-signal.SIGKILL,))
        fleet.kills += 1
        pause = fleet.wait_batches()
        fleet.start()
        for worker in fleet.running():
            fleet.wait_end(worker, (0,), 60)
        check(fleet.root, FILES * LINES)
        return pause

    return Case("F01", f"a worker dies at {step}", case, fast=step == "file_sink.after_rename")


def edited(name, edit, fast):
    def case(session):
        pause = edit(session.flow)
        check(session.flow.root, EDIT_NUMBERS)
        return pause

    return Case("F40", name, case, fast=fast)


class FileSession:
    """A fleet with a Redis of its own."""

    def __init__(self, options, name, yaml):
        self.redis = Server(appendonly="yes", appendfsync="everysec")
        self.flow = Fleet(options.millrace, name, yaml.replace("NAME", name), self.redis)

    def __enter__(self):
        self.flow.__enter__()
        return self

    def __exit__(self, *reason):
        self.flow.__exit__(*reason)
        self.redis.__exit__(*reason)


FILE_CASES = [(GENERATED, run_job("generator to files, kills", NUMBERS)), (COPIED, run_job("files to files, kills", FILES * LINES))]
FILE_CASES += [(GENERATED.replace(f"count: {NUMBERS}", f"count: {EDIT_NUMBERS}"), edited(*edit)) for edit in EDITS]
FILE_CASES += [(COPIED, dies_at(step)) for step in FILE_STEPS]
if disk_case.possible():
    FILE_CASES += [(COPIED, Case("F42", "the disk of the output is full", disk_case.full(lambda root: check(root, FILES * LINES)), fast=False))]


def wanted(options, case):
    if options.case:
        return any(text in f"{case.fault} {case.name}" for text in options.case)
    return case.fast or options.all


def run_files(options, report):
    for yaml, case in FILE_CASES * options.repeat:
        if not wanted(options, case):
            continue
        with FileSession(options, "files", yaml) as session:
            write_files(session.flow.root)
            report.run(case, session)

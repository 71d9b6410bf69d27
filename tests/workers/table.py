#!/usr/bin/env python3
"""Writes docs/reliability.md from what workers_test.py --results wrote: a row for each case that ran and passed, no other.

table.py RESULTS [--out FILE]
"""

import argparse
import json
import statistics
from collections import defaultdict

HEAD = """# Reliability: several workers of one job

`millrace worker` runs one job in several processes that meet in Redis. This page says what happened when those processes and their
Redis were made to fail, on two cores that other programs kept busy, with a real Redis (`appendonly yes`) and a real Kafka broker.

The job reads a topic and writes four: a copy, numbers from keyed state, running counts of words, and sums of event-time windows. Three
workers run it, batches every 100 ms, with `--lease 2s`. After each failure, and again at the end with a second reader, everything that
a reader of committed records sees is compared with what a small program of its own computes: a row that is lost or there twice fails
the test. The cases named *to files* read a generator or files and write files.

*No commit for* is the longest time between two commits while the failure lasted and the job recovered, so it contains the failure
itself. A worker that was killed is noticed after one lease; with the default of 10 s that takes 8 s longer than here. A worker that was
told to stop hands over at the end of a batch, and nobody waits for the lease.

A row counts the runs that passed. A case that failed is left out until what was wrong is mended, and counts from then on.

"""
SURVIVED = ("## The job goes on\n\n| failure | repeats | processes killed | no commit for, median | longest |\n"
            "|---|---|---|---|---|\n")
ENDED = ("\n## The job stops\n\nWhere the state is gone or older than the output, every worker ends with `StateLost` or `StateRolledBack`, "
         "so does one that is started\nlater, and no row is written twice.\n\n| failure | repeats | all had stopped after, median | longest |\n"
         "|---|---|---|---|\n")
TAIL = """
## Run it

```
tests/workers/workers_test.py --millrace PATH --sources worker --all --repeat 3 --results results.jsonl
tests/workers/table.py results.jsonl
```

`make test` runs a part of the cases, each once (`ctest -L workers`). The agreement between workers, which the cases above exercise from outside, is also run
under simulated failures of network, store and processes: `ctest -L simulation`. In a third of the simulated runs the job is edited
again and again meanwhile, and its workers are replaced one by one.
"""


def rows(lines, ends):
    found = defaultdict(list)
    for line in lines:
        if line["ends"] == ends and line["fault"] != "end":
            found[line["case"]].append(line)
    failed = {line["case"] for line in lines if not line.get("ok", True)}
    for case, runs in found.items():
        if case in failed:
            continue
        gaps = [run["gap"] for run in runs]
        kills = "" if ends else f" {sum(run['kills'] for run in runs)} |"
        yield f"| {case} | {len(runs)} |{kills} {statistics.median(gaps):.1f} s | {max(gaps):.1f} s |\n"


def main():
    parser = argparse.ArgumentParser(description="Writes docs/reliability.md.")
    parser.add_argument("results")
    parser.add_argument("--out", default="docs/reliability.md")
    options = parser.parse_args()
    with open(options.results, encoding="utf-8") as text:
        lines = [json.loads(line) for line in text]
    with open(options.out, "w", encoding="utf-8") as out:
        out.write(HEAD + SURVIVED + "".join(rows(lines, False)) + ENDED + "".join(rows(lines, True)) + TAIL)


if __name__ == "__main__":
    main()

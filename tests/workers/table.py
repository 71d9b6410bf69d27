#!/usr/bin/env python3
"""Writes docs/reliability.md from what workers_test.py --results wrote: a row for each case that ran and passed, no other.

table.py RESULTS [--out FILE]
"""

import argparse
import json
import re
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

A row counts the runs that passed. A case that failed is left out until what was wrong is mended, and counts from then on. The *number*
is that of the kind of failure, as `workers_test.py --case F09` takes it. Rows of one repeat ran while some twenty other programs wanted
the two cores: that they passed counts, their times say little.

"""
SURVIVED = ("## The job goes on\n\n| number | failure | repeats | processes killed | no commit for, median | longest |\n"
            "|---|---|---|---|---|---|\n")
ENDED = ("\n## The job stops\n\nWhere the state is gone or older than the output, every worker ends with `StateLost` or `StateRolledBack`, "
         "so does one that is started\nlater, and no row is written twice. A worker that waits for Kafka just then, for a transaction that a killed worker left open, ends "
         "when that\nis over: up to `transactionTimeout` (60 s here) later.\n\n| number | failure | repeats | all had stopped after, median | longest |\n"
         "|---|---|---|---|---|\n")
TAIL = """
## Run it

```
tests/workers/workers_test.py --millrace PATH --sources worker --all --repeat 3 --results results.jsonl
tests/workers/table.py results.jsonl
```

`make test` runs a part of the cases, each once (`ctest -L workers`). The agreement between workers, which the cases above exercise from outside, is also run
under simulated failures of network, store and processes: `ctest -L simulation`. In a third of the simulated runs the job is edited
again and again meanwhile, and its workers are replaced one by one.

## Checks that are left out

Whether the tests would notice is tested, too: `mutation_check.py` leaves out one check after another (a condition under which a script of
the store refuses, one that the leader, a member or a sink tests before it goes on, a fence, a checksum) and runs the tests that must
fail then. It changes neither the sources nor the build, only programs in a folder aside:

```
tests/workers/mutation_check.py --build build/release --out docs/reliability.md
```

<!-- mutants: begin -->
MUTANTS<!-- mutants: end -->
"""


def rows(lines, ends):
    found = defaultdict(list)
    for line in lines:
        if line["ends"] == ends and line["fault"] != "end":
            found[line["case"]].append(line)
    failed = {line["case"] for line in lines if not line.get("ok", True)}
    for case, runs in sorted(found.items(), key=lambda entry: entry[1][0]["fault"]):
        if case in failed:
            continue
        gaps = [run["gap"] for run in runs]
        kills = "" if ends else f" {sum(run['kills'] for run in runs)} |"
        yield f"| {runs[0]['fault']} | {case} | {len(runs)} |{kills} {statistics.median(gaps):.1f} s | {max(gaps):.1f} s |\n"


def kept(path):
    """What mutation_check.py wrote into the page."""
    with open(path, encoding="utf-8") as text:
        found = re.search(r"<!-- mutants: begin -->\n(.*?)<!-- mutants: end -->", text.read(), re.DOTALL)
    return found[1] if found else ""


def main():
    parser = argparse.ArgumentParser(description="Writes docs/reliability.md.")
    parser.add_argument("results")
    parser.add_argument("--out", default="docs/reliability.md")
    options = parser.parse_args()
    with open(options.results, encoding="utf-8") as text:
        lines = [json.loads(line) for line in text]
    tail = TAIL.replace("MUTANTS", kept(options.out))
    with open(options.out, "w", encoding="utf-8") as out:
        out.write(HEAD + SURVIVED + "".join(rows(lines, False)) + ENDED + "".join(rows(lines, True)) + tail)


if __name__ == "__main__":
    main()

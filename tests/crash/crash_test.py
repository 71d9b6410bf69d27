#!/usr/bin/env python3
"""Exactly once across crashes: jobs are killed at named steps and at random moments, restarted, and must write every row once.

crash_test.py --millrace PATH [--steps] [--kills N] [--seed S] [--job NAME]
  --steps     one kill at every named step (see crds/base/failpoint.h) for every job
  --kills N   N kills at random moments, shared out over the jobs
The seed is printed; the same seed gives the same input and the same plan of kills.
"""

import argparse
import os
import random
import re
import sys
import time

import harness
from harness import Failure, Verdict, Workplace
from jobs import JOBS
from rewrite_job import REWRITE_STEP, check_rewrite

# Every step of a batch's life that has a name, and how often it is passed before the kill. Steps of one sink are passed once
# for every sink (and file) of a batch.
STEPS = {
    "plan.appended": 6,
    "run.stage": 12,
    "run.computed": 6,
    "file_sink.before_rename": 10,
    "file_sink.after_rename": 10,
    "run.delivered": 6,
    "state.put": 6,
    "commit.before": 6,
    "commit.after": 6,
    "file_sink.before_committed": 8,
    "run.committed": 6,
}


def check_steps(sources):
    """Every step that has a name in the sources is one that this test kills at."""
    named = set()
    for base, _, names in os.walk(sources):
        for name in names:
            if name.endswith(".cc") and not name.endswith("_test.cc"):
                with open(os.path.join(base, name), encoding="utf-8") as text:
                    named.update(re.findall(r'Failpoint\("([^"]+)"\)', text.read()))
    tested = STEPS.keys() | {REWRITE_STEP}
    named = {name for name in named if not name.startswith(("kafka.", "redis_sink.", "blobs.", "worker."))}  # killed at by the sink tests
    if named != tested:
        raise Failure(f"steps in {sources} and here differ: {sorted(named ^ tested)}")


class Crashes:
    """Kills so far, over all jobs, and the batches that they hit where those can be counted."""

    def __init__(self):
        self.kills = 0
        self.batches = 0

    def __str__(self):
        return f"{self.kills} kills" + (f", {self.batches} batches" if self.batches else "")


def publish_until(millrace, place, count):
    while place.published < count:
        if not place.may_publish():
            harness.run(millrace, place.arguments(False) + ["--batches", "1"])
        place.publish_next()


def finish_job(millrace, place, crashes, failpoint=None):
    """Publishes what is left, then runs to idleness and to the end of the sources. `failpoint` applies to the last run."""
    publish_until(millrace, place, len(place.job.files))
    harness.run(millrace, place.arguments(False) + ["--until-idle", "200ms"])
    place.check_reader()
    if failpoint and harness.run(millrace, place.arguments(True), failpoint):
        crashes.kills += 1
        place.check_reader()
    harness.run(millrace, place.arguments(True))
    place.check_reader()


def judge(place, crashes):
    outputs = {name: harness.read_rows(place.sink(name)) for name in place.job.sinks}
    for name in place.job.sinks:
        harness.check_leftovers(place.sink(name))
    crashes.batches += place.committed()
    return place.job.verify(outputs)


def publish_some(place, chance, files):
    for _ in range(files):
        if chance.random() < 0.7 and place.may_publish():
            place.publish_next()


def kill_at_step(millrace, job, step, count, crashes):
    """One job from start to end with one kill at `step`, in the stream, and another in the final run."""
    with harness.temp_folder() as root:
        place = Workplace(root, job)
        publish_until(millrace, place, len(job.files) // 2)
        chance = job.random.randrange(1, count + 1)
        if not harness.run(millrace, place.arguments(False) + ["--until-idle", "200ms"], f"{step}:{chance}"):
            raise Failure(f"{job.name} did not pass {step} {chance} times")
        crashes.kills += 1
        place.check_reader()
        finish_job(millrace, place, crashes, failpoint=step)
        return judge(place, crashes)


def kill_at_random(millrace, job, kills, crashes):
    """One job from start to end, killed `kills` times at random moments."""
    chance = job.random
    with harness.temp_folder() as root:
        place = Workplace(root, job)
        place.publish_next()
        for _ in range(kills):
            publish_some(place, chance, 1 + len(job.files) // max(1, kills))
            process = harness.start(millrace, place.arguments(False))
            time.sleep(chance.randrange(5, 120) / 1000)
            publish_some(place, chance, 1)
            process.kill()
            if not harness.finish(process, allow_kill=True):
                raise Failure(f"{job.name} ended by itself")
            crashes.kills += 1
            place.check_reader()
        finish_job(millrace, place, crashes)
        return judge(place, crashes)


def report(name, verdict, crashes):
    for example in verdict.examples[:12]:
        print(f"  {example}")
    state = "ok" if verdict.lost == verdict.duplicated == 0 and not verdict.examples else "FAILED"
    print(f"{name}: {state}, {crashes} so far", flush=True)


def run_all(options, jobs, crashes):
    total = Verdict()
    if options.sources:
        check_steps(options.sources)
    if options.steps:
        for make_job in jobs:
            for step, count in STEPS.items():
                verdict = kill_at_step(options.millrace, make_job(options.seed), step, count, crashes)
                report(f"{make_job.name} at {step}", verdict, crashes)
                total.add(verdict)
        verdict = check_rewrite(options.millrace, crashes)
        report(f"rewrite at {REWRITE_STEP}", verdict, crashes)
        total.add(verdict)
    for index, make_job in enumerate(jobs if options.kills else []):
        kills = options.kills * (index + 1) // len(jobs) - options.kills * index // len(jobs)
        verdict = kill_at_random(options.millrace, make_job(options.seed), kills, crashes)
        report(f"{make_job.name} at random moments", verdict, crashes)
        total.add(verdict)
    return total


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--steps", action="store_true")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    parser.add_argument("--sources", help="folder of the sources, to check that no named step is left out")
    parser.add_argument("--job", choices=[job.name for job in JOBS])
    options = parser.parse_args()
    jobs = [job for job in JOBS if options.job in (None, job.name)]
    print(f"crash_test: seed {options.seed}", flush=True)
    crashes = Crashes()
    begin = time.monotonic()
    try:
        total = run_all(options, jobs, crashes)
    except Failure as failure:
        print(f"crash_test: FAILED with seed {options.seed}: {failure}")
        return 1
    print(f"crash_test: {crashes}, {time.monotonic() - begin:.1f} s")
    print(f"crash_test: {crashes.kills} kills, {len(jobs)} jobs, {total.lost} lost, {total.duplicated} duplicated")
    return 0 if total.lost == total.duplicated == 0 and not total.examples else 1


if __name__ == "__main__":
    sys.exit(main())

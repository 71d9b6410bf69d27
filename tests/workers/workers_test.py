#!/usr/bin/env python3
"""Several workers of one job are exactly once: three of them, a real Redis and a real Kafka broker, and one failure after another.

workers_test.py --millrace PATH --sources FOLDER [--all] [--case TEXT]... [--repeat N] [--seed S] [--results FILE]

Each case says ok, how long it took, how many processes were killed, and the longest time without a commit. `--results` appends
them as lines of JSON, which table.py makes docs/reliability.md of.
"""

import argparse
import json
import os
import random
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path += [os.path.join(HERE, "..", "redis"), os.path.join(HERE, "..", "kafka")]

import cases  # noqa: E402
import network_cases  # noqa: E402
from broker import Cluster  # noqa: E402
from failover_cases import RedisCluster  # noqa: E402
from files_case import FILE_STEPS, run_files, wanted  # noqa: E402
from fleet import Broken  # noqa: E402
from flows import Flow  # noqa: E402
from server import Proxy, Server, installed  # noqa: E402

SKIPPED = 77
SLOW_SECONDS = 8  # without a commit: what the workers said is shown
CASES_OF_A_JOB = 12  # what it has read grows, and is compared whole after each


class Session:
    """A job of three workers that runs through many cases, one after the other."""

    def __init__(self, options, cluster, number, store):
        self.random = random.Random(options.seed + number)
        name = f"job{number}"
        mode = "Cluster" if store == "cluster" else None
        self.redis = RedisCluster(f"mr:{{default/{name}/{name}}}") if mode else \
            Server(appendonly="yes", appendfsync="everysec", enable_debug_command="yes")
        self.servers = [self.redis]
        self.proxy = Proxy(self.redis.port) if store == "proxied" else None
        address = self.proxy.address if self.proxy else None
        self.flow = Flow(options.millrace, cluster, self.redis, name, address, options.seed + number, mode)

    def __enter__(self):
        self.flow.__enter__()
        try:
            self.flow.fill(3)
            self.flow.wait_slots(3)
            self.flow.wait_batches()
        except BaseException as failure:
            self.__exit__(type(failure), failure, None)
            raise
        return self

    def __exit__(self, *reason):
        self.flow.__exit__(*reason)
        if self.proxy:
            self.proxy.close()
        for server in self.servers:
            server.__exit__(*reason)


class Report:
    """Counts and prints what the cases say."""

    def __init__(self, path):
        self.path, self.failed, self.passed = path, [], 0

    def run(self, case, session):
        """True when the session can go on."""
        flow, begin = session.flow, time.monotonic()
        line = {"fault": case.fault, "case": case.name, "ends": case.ends, "ok": True}
        kills = flow.kills
        try:
            line["gap"] = round(case.run(session), 2)
            self.passed += 1
        except Broken as broken:
            line.update(ok=False, gap=0)
            self.failed.append(case.name)
            print(f"{case.fault} {case.name}: FAILED: {broken}", flush=True)
            show(flow)
        line.update(kills=flow.kills - kills, seconds=round(time.monotonic() - begin, 1))
        if line["ok"]:
            print(f"{case.fault} {case.name}: ok, {line['seconds']} s, {line['kills']} kills, "
                  f"{'stopped after' if case.ends else 'no commit for'} {line['gap']} s", flush=True)
        if line["gap"] > SLOW_SECONDS:
            show(flow)
        self.write(line)
        return line["ok"] and not case.ends

    def write(self, line):
        if self.path:
            with open(self.path, "a", encoding="utf-8") as out:
                out.write(json.dumps(line) + "\n")


def show(flow):
    for name in sorted(flow.workers, key=lambda name: int(name[1:]))[-5:]:
        print(f"---- {name}: {flow.workers[name].poll()}\n{flow.said(name)[-2000:]}", flush=True)


def whole(session):
    print(f"    {session.flow.finish()} records, each once, in all four outputs", flush=True)
    return 0.0


def run_cases(options, cluster, chosen, report):
    """Cases that the job survives share one job, whose outputs are compared whole at the end."""
    number = 0
    queue = sorted((case for case in chosen for _ in range(options.repeat)), key=lambda case: (case.store, case.ends))
    while queue:
        number += 1
        kind = (queue[0].store, queue[0].ends)
        with Session(options, cluster, number, queue[0].store) as session:
            goes_on, left = True, CASES_OF_A_JOB
            while queue and goes_on and left > 0 and (queue[0].store, queue[0].ends) == kind:
                left -= 1
                goes_on = report.run(queue.pop(0), session)
            if goes_on:
                report.run(cases.Case("end", "everything at the end, two readers", whole), session)


def arguments():
    parser = argparse.ArgumentParser(description="Several workers of one job are exactly once.")
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--sources", required=True, help="the folder worker/, whose named steps must all be covered")
    parser.add_argument("--all", action="store_true", help="the slow cases, too")
    parser.add_argument("--case", action="append", default=[], help="only cases with this in fault or name")
    parser.add_argument("--repeat", type=int, default=1)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    parser.add_argument("--results")
    return parser.parse_args()


def main():
    options = arguments()
    if not installed():
        print("skipped: there is no redis-server")
        return SKIPPED
    missing = cases.steps_in(options.sources) ^ {*cases.STEPS, *FILE_STEPS}
    if missing:
        print(f"steps that are not covered, or not there: {sorted(missing)}")
        return 1
    print(f"seed {options.seed}", flush=True)
    report = Report(options.results)
    chosen = [case for case in cases.CASES if wanted(options, case)]
    if any(case.alone for case in chosen):
        if network_cases.possible():
            network_cases.enter([sys.executable, *sys.argv])
        else:
            print("left out: cases that cut the network need root, unshare, ip, iptables and setpriv")
            chosen = [case for case in chosen if not case.alone]
    run_files(options, report)
    if chosen:
        with Cluster() as cluster:
            run_cases(options, cluster, chosen, report)
    print(f"{report.passed} passed, {len(report.failed)} failed {report.failed}")
    return 1 if report.failed or not report.passed else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Broken as failure:
        sys.exit(f"FAILED: {failure}")

#!/usr/bin/env python3
"""Tables in Redis, and the jobs of examples/ that need a Redis.

table_test.py --millrace PATH [--only NAME]
"""

import argparse
import pathlib
import subprocess
import sys
import time
from collections import Counter

import server as redis
from harness import RUN_SECONDS, Failure, Place, run_scenarios, same

REFRESHED = """  tables:
    - {name: names, key: [id], redis: {address: "ADDRESS", hash: names, schema: {id: int, name: string}}, refreshInterval: 100ms}
  streams:
    - name: named
      from: numbers
      steps:
        - set: {half: id % 2}
        - lookup: {table: names, match: {id: half}, type: Inner}
  sinks:
    - name: seen
      from: named
      redis:
        address: "ADDRESS"
        type: List
        keyExpr: '"seen"'
        valueExpr: string(id) + " " + string(toUnixMillis(__batchTime)) + " " + names.name
"""


def run_example(millrace, server, name, sinks, edits=()):
    job = pathlib.Path(__file__).resolve().parents[2] / "examples" / f"{name}.yaml"
    sets = [f"spec.sinks.{sink}.redis.address={server.address}" for sink in sinks] + list(edits)
    command = [millrace, "run", str(job), "--state", "memory", "--quiet", *(word for text in sets for word in ("--set", text))]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stderr[-3000:]}")


def run_example_sink(millrace):
    with redis.Server() as server:
        run_example(millrace, server, "numbers-to-redis", ["lists", "squares"])
        client = server.client()
        same("numbers:odd", map(int, client.call("LRANGE", "numbers:odd", 0, -1)), range(1, 10000, 2))
        if client.hash("number:7") != {"id": "7", "square": "49"}:
            raise Failure("number:7 is wrong")


def run_example_table(millrace):
    """Sixty seconds of events, of which a third are views; every sixth ad has no campaign."""
    with redis.Server() as server:
        client = server.client()
        for ad in range(100):
            client.call("HSET", "campaigns", f"ad-{ad}", f"campaign-{ad // 10}")
        run_example(millrace, server, "campaigns-from-redis", ["counts"], [f"spec.tables.campaigns.redis.address={server.address}"])
        want = Counter()
        for seq in range(0, 60000, 3):
            if seq % 120 < 100:
                want[f"views:campaign-{seq % 120 // 10}:00:00:{seq // 10000}0"] += 1
        got = {key: int(client.hash(key)["views"]) for key in client.call("KEYS", "views:*")}
        if got != want:
            raise Failure(f"{len(got)} keys, expected {len(want)}: {sorted(set(got.items()) ^ set(want.items()))[:6]}")


def run_table_refresh(millrace):
    """A table that is read again while the job runs: later batches see the new value, and no batch mixes both."""
    with redis.Server() as server:
        client = server.client()
        client.call("HSET", "names", "0", "old", "1", "old")
        place = Place(millrace, server.address, [], count=40000, edit=lambda text: text.replace("  sinks:", REFRESHED.replace("ADDRESS", server.address)))
        process = place.start()
        while client.call("LLEN", "seen") < 2000:
            time.sleep(0.01)
        client.call("MULTI")
        client.call("HSET", "names", "0", "new")
        client.call("HSET", "names", "1", "new")
        client.call("EXEC")
        place.finish(process)
        seen = client.call("LRANGE", "seen", 0, -1)
        if Counter(text.split()[0] for text in seen) != Counter({str(i): 1 for i in range(40000)}):
            raise Failure("rows are lost or doubled")
        versions = {}
        for text in seen:
            _, when, name = text.split()
            versions.setdefault(when, set()).add(name)
        if any(len(names) != 1 for names in versions.values()) or set.union(*versions.values()) != {"old", "new"}:
            raise Failure(f"versions by batch: {versions}")
        place.remove()


SCENARIOS = [("example-sink", run_example_sink), ("example-table", run_example_table), ("table-refresh", run_table_refresh)]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    return run_scenarios(SCENARIOS, arguments.millrace, arguments.only)


if __name__ == "__main__":
    sys.exit(main())

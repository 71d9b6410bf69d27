#!/usr/bin/env python3
"""Exactly once into Redis: `millrace run` is killed at each step of a delivery, loses replies, loses the server, and is started
again; then every row is there once. A suspended process that has been replaced is fenced and exits with 3.

sink_test.py --millrace PATH [--sources WORKER] [--only NAME]
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter

import server as redis

ROWS = 12000
RUN_SECONDS = 120
EXIT_FAILED = 1
EXIT_FENCED = 3
SKIPPED = 77
FAILPOINTS = ["redis_sink.before_part", "redis_sink.mid_parts", "redis_sink.after_parts", "commit.before", "commit.after"]

JOB = """
apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: numbers}
spec:
  batchInterval: 200ms
  sources:
    - name: numbers
      generator: {fields: {id: "seq", text: '"row " + string(seq)'}, rate: 20000, count: COUNT, partitions: 2}
  sinks:
"""
SINKS = {
    "list": """
    - {name: list, from: numbers, redis: {address: "ADDRESS", type: List, keyExpr: 'TAG"list:" + string(id % 7)', valueExpr: id}}
""",
    "stream": """
    - {name: stream, from: numbers, redis: {address: "ADDRESS", type: Stream, keyExpr: 'TAG"stream"'}}
""",
    "hash": """
    - {name: hash, from: numbers, redis: {address: "ADDRESS", keyExpr: 'TAG"hash:" + string(id)', deleteWhen: id % 10 == 9, ttl: 1h}}
""",
    "string": """
    - {name: string, from: numbers, redis: {address: "ADDRESS", type: String, keyExpr: 'TAG"string:" + string(id)'}, format: {json: {}}}
""",
    "sorted": """
    - {name: sorted, from: numbers, redis: {address: "ADDRESS", type: SortedSet, keyExpr: 'TAG"sorted"', valueExpr: text, scoreExpr: id}}
""",
}
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


class Failure(Exception):
    """A promise was broken; the message says which."""


def check_steps(sources):
    """Every step of the sink that has a name is one that this test kills at."""
    named = set()
    for path in pathlib.Path(sources).rglob("*.cc"):
        named.update(re.findall(r'Failpoint\("(redis_sink\.[^"]+)"\)', path.read_text(encoding="utf-8")))
    if not named or not named <= set(FAILPOINTS):
        raise Failure(f"steps without a test: {sorted(named - set(FAILPOINTS))}")


class Place:
    """One job with a folder of its own."""

    def __init__(self, millrace, address, kinds, count=ROWS, edit=lambda text: text):
        self.millrace, self.count = millrace, count
        self.root = tempfile.mkdtemp(prefix="millrace-redis-sink-")
        self.job = os.path.join(self.root, "job.yaml")
        self.state = os.path.join(self.root, "state")
        text = JOB.replace("COUNT", str(count)) + "".join(SINKS[kind].replace("ADDRESS", address) for kind in kinds)
        with open(self.job, "w", encoding="utf-8") as out:
            out.write(edit(text).replace("'TAG", "'"))

    def start(self, failpoint=None, state=None, extra=()):
        environment = {key: value for key, value in os.environ.items() if key != "MILLRACE_FAILPOINT"}
        if failpoint:
            environment["MILLRACE_FAILPOINT"] = failpoint
        command = [self.millrace, "run", self.job, "--state", state or self.state, "--quiet", "--threads", "2", *extra]
        return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)

    def finish(self, process, code=0, seconds=RUN_SECONDS):
        try:
            _, errors = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise Failure(f"still running after {seconds} s\n{process.communicate()[1][-3000:]}") from None
        if process.returncode != code:
            raise Failure(f"exit code {process.returncode}, expected {code}\n{errors[-3000:]}")
        return errors

    def remove(self):
        shutil.rmtree(self.root, ignore_errors=True)


def same(what, got, want):
    got, want = Counter(got), Counter(want)
    lost, extra = want - got, got - want
    if lost or extra:
        raise Failure(f"{what}: {sum(lost.values())} lost {sorted(lost)[:5]}, {sum(extra.values())} too many {sorted(extra)[:5]}")


def check_rows(client, kinds, count=ROWS):
    """What the sinks must hold, each row once."""
    if "list" in kinds:
        for rest in range(7):
            ids = [int(text) for text in client.call("LRANGE", f"list:{rest}", 0, -1)]
            same(f"list:{rest}", ids, range(rest, count, 7))
    if "stream" in kinds:
        entries = [dict(zip(flat[::2], flat[1::2])) for _, flat in client.call("XRANGE", "stream", "-", "+")]
        same("stream", [int(entry["id"]) for entry in entries], range(count))
        if any(entry["text"] != f"row {entry['id']}" for entry in entries):
            raise Failure("stream: wrong fields")
    if "hash" in kinds:
        keys = client.call("KEYS", "hash:*")
        same("hash", [int(key[5:]) for key in keys], [i for i in range(count) if i % 10 != 9])
        if client.hash("hash:17") != {"id": "17", "text": "row 17"} or not 0 < client.call("TTL", "hash:17") <= 3600:
            raise Failure("hash: wrong fields or ttl")
    if "string" in kinds:
        same("string", [int(key[7:]) for key in client.call("KEYS", "string:*")], range(count))
        if json.loads(client.call("GET", "string:17")) != {"id": 17, "text": "row 17"}:
            raise Failure("string: wrong value")
    if "sorted" in kinds:
        flat = client.call("ZRANGE", "sorted", 0, -1, "WITHSCORES")
        same("sorted", zip(flat[::2], map(int, flat[1::2])), [(f"row {i}", i) for i in range(count)])


def run_all_types(millrace):
    with redis.Server(appendonly="yes") as server:
        place = Place(millrace, server.address, SINKS)
        place.finish(place.start())
        check_rows(server.client(), SINKS)
        place.remove()


def run_killed(millrace, step):
    """Killed in its first delivery and again in one after it."""
    kinds = ["list", "stream"]
    with redis.Server() as server:
        place = Place(millrace, server.address, kinds)
        place.finish(place.start(f"{step}:1"), -signal.SIGKILL)
        place.finish(place.start(f"{step}:2"), -signal.SIGKILL)
        place.finish(place.start())
        check_rows(server.client(), kinds)
        place.remove()


def run_lost_replies(millrace):
    """Every third script is executed, but its reply is lost with the connection."""
    with redis.Server() as server:
        proxy = redis.Proxy(server.port, cut_after=3)
        place = Place(millrace, proxy.address, ["list", "stream"])
        place.finish(place.start())
        proxy.close()
        check_rows(server.client(), ["list", "stream"])
        if proxy.cuts < 3:
            raise Failure(f"only {proxy.cuts} replies were lost")
        place.remove()


def run_server_killed(millrace):
    """The server is killed while rows are written, and comes back with its log."""
    with redis.Server(appendonly="yes", appendfsync="always") as server:
        place = Place(millrace, server.address, ["list", "stream"], count=60000)
        process = place.start()
        for _ in range(3):
            wait_rows(server, 3000)
            server.kill()
            server.start()
        place.finish(process)
        check_rows(server.client(), ["list", "stream"], 60000)
        place.remove()


def wait_rows(server, more):
    """Until the stream has grown by so many entries."""
    client = server.client()
    begin, end = client.call("XLEN", "stream"), time.monotonic() + RUN_SECONDS
    while client.call("XLEN", "stream") < begin + more:
        if time.monotonic() > end:
            raise Failure("no rows arrive")
        time.sleep(0.01)
    client.close()


def run_fenced(millrace):
    """A process is suspended, its state copied, a second process takes over and ends the job; the first one wakes up."""
    with redis.Server() as server:
        place = Place(millrace, server.address, ["list", "stream"], count=60000)
        old = place.start()
        wait_rows(server, 5000)
        redis.suspend(old)
        copy = place.state + "-copy"
        shutil.copytree(place.state, copy)
        place.finish(place.start(state=copy))
        redis.resume(old)
        errors = place.finish(old, EXIT_FENCED)
        if "taken over" not in errors:
            raise Failure(f"fenced without saying so: {errors[-500:]}")
        check_rows(server.client(), ["list", "stream"], 60000)
        place.remove()


def run_at_least_once(millrace):
    with redis.Server() as server:
        place = Place(millrace, server.address, ["list", "hash", "sorted"],
                      edit=lambda text: text.replace("from: numbers,", "from: numbers, delivery: AtLeastOnce,"))
        place.finish(place.start("redis_sink.mid_parts:3"), -signal.SIGKILL)
        place.finish(place.start())
        client = server.client()
        check_rows(client, ["hash", "sorted"])
        ids = {int(text) for rest in range(7) for text in client.call("LRANGE", f"list:{rest}", 0, -1)}
        if ids != set(range(ROWS)):
            raise Failure(f"{ROWS - len(ids)} rows lost")
        if client.call("KEYS", "mr:*"):
            raise Failure("at least once keeps no ledger")
        place.remove()


def run_wrong_type(millrace):
    """A key of another type rejects its rows, and only those."""
    with redis.Server() as server:
        client = server.client()
        client.call("SET", "list:3", "mine")
        place = Place(millrace, server.address, ["list"], edit=lambda text: text.replace("name: list,", "name: list, onError: Skip,"))
        place.finish(place.start())
        for rest in (0, 1, 2, 4, 5, 6):
            same(f"list:{rest}", map(int, client.call("LRANGE", f"list:{rest}", 0, -1)), range(rest, ROWS, 7))
        if client.call("GET", "list:3") != "mine":
            raise Failure("the other key was touched")
        place.remove()


def run_memory_state(millrace):
    """Without state the ledger begins anew with each process, and goes away by itself."""
    with redis.Server() as server:
        place = Place(millrace, server.address, ["hash"], count=3000)
        place.finish(place.start(state="memory"))
        place.finish(place.start(state="memory"))
        check_rows(server.client(), ["hash"], 3000)
        client = server.client()
        if any(client.call("TTL", key) < 0 for key in client.call("KEYS", "mr:*")):
            raise Failure("a ledger stays for ever")
        place.remove()


def run_cluster(millrace):
    """A Cluster of one node: exactly once needs a hash tag."""
    with redis.Server(cluster_enabled="yes") as server:
        client = server.client()
        client.call("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        while "cluster_state:ok" not in client.call("CLUSTER", "INFO"):
            time.sleep(0.02)
        place = Place(millrace, server.address, ["list"])
        errors = place.finish(place.start(), EXIT_FAILED)
        if "hash tag" not in errors:
            raise Failure(f"refused without saying why: {errors[-500:]}")
        place.remove()
        place = Place(millrace, server.address, ["list"], edit=lambda text: text.replace("TAG\"list", "\"{numbers}list"))
        place.finish(place.start("redis_sink.mid_parts:2"), -signal.SIGKILL)
        place.finish(place.start())
        for rest in range(7):
            same(f"list:{rest}", map(int, client.call("LRANGE", f"{{numbers}}list:{rest}", 0, -1)), range(rest, ROWS, 7))
        place.remove()


def run_rotated_password(millrace):
    """The password changes and the connections are cut; the mounted Secret follows a moment later."""
    with redis.Server(requirepass="one") as server:
        place = Place(millrace, server.address, ["list", "stream"], count=60000,
                      edit=lambda text: text.replace(f'"{server.address}"', f'"{server.address}", auth: {{secretName: redis}}'))
        secret = pathlib.Path(place.root, "secrets", "redis", "password")
        secret.parent.mkdir(parents=True)
        secret.write_text("one", encoding="utf-8")
        secret.chmod(0o600)
        process = place.start(extra=["--secrets", str(secret.parent.parent)])
        client = server.client()
        client.call("AUTH", "one")
        while client.call("XLEN", "stream") < 5000:
            time.sleep(0.01)
        client.call("CONFIG", "SET", "requirepass", "two")
        client.call("CLIENT", "KILL", "TYPE", "normal")
        time.sleep(0.5)
        secret.write_text("two", encoding="utf-8")
        place.finish(process)
        check_rows(client, ["list", "stream"], 60000)
        place.remove()


def run_missing_right(millrace):
    """A command that the account may not use is found before the first row is written."""
    with redis.Server() as server:
        client = server.client()
        client.call("ACL", "SETUSER", "job", "on", ">secret", "~*", "&*", "+@all", "-pexpire")
        place = Place(millrace, server.address, ["list"], edit=lambda text: text.replace(
            f'"{server.address}",', f'"{server.address}", ttl: 1h, auth: {{secretName: redis, username: job}},'))
        secret = pathlib.Path(place.root, "secrets", "redis", "password")
        secret.parent.mkdir(parents=True)
        secret.write_text("secret", encoding="utf-8")
        errors = place.finish(place.start(extra=["--secrets", str(secret.parent.parent)]), EXIT_FAILED)
        if "script redis_sink.fence" not in errors or client.call("KEYS", "list:*"):
            raise Failure(f"rows were written, or nothing was said: {errors[-500:]}")
        place.remove()


def run_lost_data(millrace):
    """A Redis that forgets everything while the job runs ends the job."""
    with redis.Server() as server:
        place = Place(millrace, server.address, ["stream"], count=60000)
        process = place.start()
        wait_rows(server, 3000)
        server.client().call("FLUSHALL")
        if "StateLost" not in place.finish(process, EXIT_FAILED):
            raise Failure("lost data has another name")
        place.remove()


def run_restored_state(millrace):
    """A job whose state is an older copy does not write batches again that are there."""
    with redis.Server() as server:
        place = Place(millrace, server.address, ["stream"], count=40000)
        place.finish(place.start("commit.after:2"), -signal.SIGKILL)
        copy = place.state + "-copy"
        shutil.copytree(place.state, copy)
        place.finish(place.start())
        if "StateRolledBack" not in place.finish(place.start(state=copy), EXIT_FAILED):
            raise Failure("another history has another name")
        check_rows(server.client(), ["stream"], 40000)
        place.remove()


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


def scenarios():
    yield "all-types", run_all_types
    for step in FAILPOINTS:
        yield "killed-" + step, lambda millrace, step=step: run_killed(millrace, step)
    for run in (run_lost_replies, run_server_killed, run_fenced, run_at_least_once, run_wrong_type, run_memory_state, run_cluster,
                run_rotated_password, run_missing_right, run_lost_data,
                run_restored_state, run_example_sink, run_example_table, run_table_refresh):
        yield run.__name__.removeprefix("run_").replace("_", "-"), run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--sources")
    parser.add_argument("--only")
    arguments = parser.parse_args()
    if not redis.installed():
        print("redis-server is not installed")
        return SKIPPED
    failed = 0
    if arguments.sources:
        check_steps(arguments.sources)
    for name, run in scenarios():
        if arguments.only and arguments.only not in name:
            continue
        begin = time.monotonic()
        try:
            run(arguments.millrace)
            print(f"ok   {name} ({time.monotonic() - begin:.1f} s)", flush=True)
        except Failure as failure:
            failed += 1
            print(f"FAIL {name}: {failure}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

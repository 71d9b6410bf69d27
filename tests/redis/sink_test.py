#!/usr/bin/env python3
"""Exactly once into Redis: `millrace run` is killed at each step of a delivery, loses replies, loses the server, and is started
again; then every row is there once. A suspended process that has been replaced is fenced and exits with 3.

sink_test.py --millrace PATH [--sources WORKER] [--only NAME]
"""

import argparse
import json
import pathlib
import re
import shutil
import signal
import sys
import time
from collections import Counter

import server as redis
from harness import ROWS, RUN_SECONDS, SINKS, Failure, Place, run_scenarios, same

EXIT_FAILED = 1
EXIT_FENCED = 3
FAILPOINTS = ["redis_sink.before_part", "redis_sink.mid_parts", "redis_sink.after_parts", "commit.before", "commit.after"]


def check_steps(sources):
    """Every step of the sink that has a name is one that this test kills at."""
    named = set()
    for path in pathlib.Path(sources).rglob("*.cc"):
        named.update(re.findall(r'Failpoint\("(redis_sink\.[^"]+)"\)', path.read_text(encoding="utf-8")))
    if not named or not named <= set(FAILPOINTS):
        raise Failure(f"steps without a test: {sorted(named - set(FAILPOINTS))}")


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


def scenarios():
    yield "all-types", run_all_types
    for step in FAILPOINTS:
        yield "killed-" + step, lambda millrace, step=step: run_killed(millrace, step)
    for run in (run_lost_replies, run_server_killed, run_fenced, run_at_least_once, run_wrong_type, run_memory_state, run_cluster,
                run_rotated_password, run_missing_right, run_lost_data,
                run_restored_state):
        yield run.__name__.removeprefix("run_").replace("_", "-"), run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--sources")
    parser.add_argument("--only")
    arguments = parser.parse_args()
    if arguments.sources:
        check_steps(arguments.sources)
    return run_scenarios(scenarios(), arguments.millrace, arguments.only)


if __name__ == "__main__":
    sys.exit(main())

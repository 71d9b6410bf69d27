"""Failures of Redis: those that the job survives, and those after which it must stop because its state is gone or too old."""

import os
import re
import shutil
import signal
import threading
import time

from fleet import LEASE_SECONDS, Broken, wait
from recovery import recover
from server import ReplyError

STOP_SECONDS = 90  # who is fencing then waits for the transactions that killed workers left open, as long as these may be


def redis_killed(session):
    def before():
        session.redis.kill()
        time.sleep(0.5)
        session.redis.start()

    return recover(session, before)


def redis_down_for_long(session):
    """Longer than the lease."""

    def before():
        session.redis.kill()
        time.sleep(LEASE_SECONDS * 1.5)
        session.redis.start()

    return recover(session, before)


def redis_full(session):
    client = session.redis.client()

    def before():
        client.call("CONFIG", "SET", "maxmemory", "1")
        time.sleep(LEASE_SECONDS * 1.5)
        client.call("CONFIG", "SET", "maxmemory", "0")

    return recover(session, before)


def again_and_again(seconds, pause, *command):
    def case(session):
        client = session.redis.client()

        def before():
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                try:
                    client.call(*command)
                except ReplyError as error:
                    if not str(error).startswith("No such client"):
                        raise
                time.sleep(pause)

        return recover(session, before)

    return case


def reply_lost(session):
    """Each so many commands the reply is lost and the connection with it: done or not, nobody knows."""
    session.proxy.requests, session.proxy.cut_after, before_cuts = 0, 40, session.proxy.cuts

    def before():
        wait(lambda: session.proxy.cuts >= before_cuts + 12, "connections were cut")
        session.proxy.cut_after = None

    return recover(session, before)


def redis_slow(session):
    def before():
        session.proxy.delay = 0.15
        time.sleep(4)
        session.proxy.delay = 0.0

    return recover(session, before)


def redis_stalled(session):
    """Stopped for longer than the lease, then continued."""

    def before():
        session.redis.process.send_signal(signal.SIGSTOP)
        time.sleep(LEASE_SECONDS * 1.5)
        session.redis.process.send_signal(signal.SIGCONT)

    return recover(session, before)


def eviction(session):
    """A worker that starts refuses such a Redis; those that run go on, as nothing is evicted below maxmemory."""
    flow, client = session.flow, session.redis.client()

    def before():
        client.call("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
        flow.wait_batches()
        late = flow.start()
        flow.wait_end(late, (1, 2))
        client.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        if "UnsafeStateStore" not in flow.said(late):
            raise Broken(f"{late} does not say what is unsafe")
        del flow.workers[late]

    return recover(session, before)


def busy(session):
    """A script of somebody else runs for longer than the lease; Redis answers BUSY meanwhile."""
    client, other = session.redis.client(), session.redis.client()
    client.call("CONFIG", "SET", "busy-reply-threshold", "100")
    end = threading.Timer(LEASE_SECONDS * 1.5, lambda: other.call("SCRIPT", "KILL"))

    def before():
        end.start()
        try:
            client.call("EVAL", "while true do end", "0")
        except ReplyError as error:
            if "killed by user" not in str(error):
                raise
        end.join()

    return recover(session, before)


# --- state that is lost: the job must stop --------------------------------------------------------------------------------------------


def stops(session):
    """Every worker ends with an error that names the loss; so does one that starts later; nothing is repeated. Seconds until then."""
    flow = session.flow
    begin = time.monotonic()
    for name in flow.running():
        flow.wait_end(name, (1,), STOP_SECONDS)
    seconds = time.monotonic() - begin
    later = flow.start()
    flow.wait_end(later, (1,), STOP_SECONDS)
    for name in flow.workers:
        if flow.workers[name].poll() == 1 and not re.search("StateLost|StateRolledBack", flow.said(name)):
            raise Broken(f"{name} does not say what is lost")
    flow.feeder.pause()
    for _ in range(20):
        flow.reader.read()
    rows = [row["id"] for row in flow.reader.rows["copies"]]
    if len(rows) != len(set(rows)):
        raise Broken(f"{len(rows) - len(set(rows))} rows were repeated")
    return seconds


def flush_all(session):
    session.redis.client().call("FLUSHALL")
    return stops(session)


def restart_empty(session):
    session.redis.kill()
    shutil.rmtree(os.path.join(session.redis.folder, "appendonlydir"))
    session.redis.start()
    return stops(session)


def older_copy(session):
    """Redis comes back with the files that it had some batches ago."""
    flow, folder = session.flow, session.redis.folder
    source, copy = os.path.join(folder, "appendonlydir"), os.path.join(folder, "copy")
    flow.wait_batches()
    shutil.copytree(source, copy)
    flow.wait_batches(8)
    session.redis.kill()
    shutil.rmtree(source)
    os.rename(copy, source)
    session.redis.start()
    return stops(session)


def older_copy_while_stopped(session):
    """The same when no worker runs that could remember."""
    flow, folder = session.flow, session.redis.folder
    source, copy = os.path.join(folder, "appendonlydir"), os.path.join(folder, "copy")
    flow.wait_batches()
    shutil.copytree(source, copy)
    flow.wait_batches(8)
    flow.kill(*flow.running())
    session.redis.kill()
    shutil.rmtree(source)
    os.rename(copy, source)
    session.redis.start()
    flow.fill(2)
    return stops(session)

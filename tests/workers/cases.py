"""The failures. Each case gets a Session: a running job of three workers on a Redis and a Kafka of its own kind.

A case ends well when the job goes on and every record so far is in the outputs once, or, where the state is lost, when the job
stops and says so.
"""

import os
import re
import signal
import time

import failover_cases as failover
import network_cases as network
import outside_cases as outside
import redis_cases as redis
from fleet import LEASE_SECONDS, Broken
from recovery import recover

ZOMBIE_SECONDS = LEASE_SECONDS * 2.5
RANDOM_KILLS = 4

# --- F01: at a named step ----------------------------------------------------------------------------------------------------------

# step -> (how often a worker passes it before it dies, who passes it)
STEPS = {
    "worker.planned": (3, "leader"), "worker.before_commit": (3, "leader"), "worker.after_commit": (3, "leader"),
    "worker.computed": (3, "any"), "blobs.before": (3, "any"), "blobs.after": (3, "any"), "worker.deliver": (3, "any"),
    "kafka.before_produce": (5, "any"), "kafka.mid_transaction": (5, "any"), "kafka.before_commit": (5, "any"),
    "kafka.after_commit": (5, "any"), "worker.delivered": (3, "any"), "worker.prepared": (3, "any"),
    "worker.take_over": (1, "any"), "worker.taken_over": (1, "any"),
}
STEP_PATTERN = re.compile(r'Failpoint\("([a-z_]+\.[a-z_]+)"\)')
STEP_FOLDERS = ("runtime/cluster", "schedule/cluster", "coordination/redis", "coordination/cluster", "sink/kafka", "sink/file")


def steps_in(sources):
    """Names of the steps that a worker with Kafka and file sinks passes."""
    found = set()
    for folder in STEP_FOLDERS:
        for name in os.listdir(os.path.join(sources, folder)):
            with open(os.path.join(sources, folder, name), encoding="utf-8") as text:
                found |= set(STEP_PATTERN.findall(text.read()))
    return found


def dies(session, name):
    session.flow.wait_end(name, (-signal.SIGKILL,))
    session.flow.kills += 1


def step_other(step):
    """A worker that does not lead dies at `step`."""

    def case(session):
        flow = session.flow
        leader, other = flow.pick(True), flow.pick(False)
        flow.send(other, signal.SIGTERM)
        flow.wait_end(other, (0,))
        hit, _ = STEPS[step]
        name = flow.start(f"{step}:{hit}")
        seconds = recover(session, lambda: dies(session, name))
        if leader not in flow.running():
            raise Broken(f"{leader} is gone, too")
        return seconds

    return case


def step_leader(step):
    """The leader dies at `step`: the worker that will lead is the only one for a moment, then others join."""

    def case(session):
        flow = session.flow
        others = flow.running()
        name = flow.start(f"{step}:{leader_hit(step)}")
        for other in others:
            flow.send(other, signal.SIGTERM)
            flow.wait_end(other, (0,))
        flow.fill(3)
        return recover(session, lambda: dies(session, name))

    return case


def leader_hit(step):
    """Passes of `step` until others have joined: some before each batch, some for each output, some for each generation."""
    if step.startswith("worker.take"):
        return 2
    return 60 if step.startswith("kafka.") else 18


def step_twice(step):
    """The successor of a worker that died at a step dies there, too."""

    def case(session):
        flow = session.flow

        def before():
            for _ in range(2):
                dies(session, flow.start(f"{step}:1"))

        flow.kill(flow.pick(False))
        return recover(session, before)

    return case


def step_in_recovery(session):
    """While the others take over from a dead leader, one of them dies."""
    flow = session.flow
    doomed = flow.start("worker.take_over:2")  # it joins with the first
    flow.wait_slots(4)
    return recover(session, lambda: (flow.kill(flow.pick(True)), dies(session, doomed)))


# --- F02 to F06, F40: processes ------------------------------------------------------------------------------------------------------


def kill_one(leader):
    def case(session):
        return recover(session, lambda: session.flow.kill(session.flow.pick(leader)))

    return case


def random_kills(session):
    flow = session.flow

    def before():
        for _ in range(RANDOM_KILLS):
            time.sleep(session.random.uniform(0.2, 2.5))
            flow.kill(session.random.choice(flow.running()))
            flow.fill(3)

    return recover(session, before)


def kill_all(session):
    flow = session.flow

    def before():
        flow.kill(*flow.running())
        flow.fill(3)

    return recover(session, before)


def zombie(leader):
    """Stopped for longer than the lease, then continued: it writes nothing of what it held."""

    def case(session):
        flow = session.flow
        name = flow.pick(leader)

        def before():
            flow.send(name, signal.SIGSTOP)
            flow.wait_batches()
            time.sleep(ZOMBIE_SECONDS)
            flow.send(name, signal.SIGCONT)

        seconds = recover(session, before)
        return seconds

    return case


def hand_over(leader):
    def case(session):
        flow = session.flow
        name = flow.pick(leader)

        def before():
            flow.send(name, signal.SIGTERM)
            flow.wait_end(name, (0,))

        return recover(session, before)

    return case


def kill_while_leaving(session):
    """SIGTERM, then SIGKILL before the hand-over can end."""
    flow = session.flow
    name = flow.pick(True)

    def before():
        flow.send(name, signal.SIGTERM)
        time.sleep(0.05)
        flow.kill(name)

    return recover(session, before)


def rescale(session):
    flow = session.flow

    def before():
        for name in flow.running()[1:]:
            flow.send(name, signal.SIGTERM)
        flow.wait_slots(1)
        flow.wait_batches()
        flow.fill(4)
        flow.wait_slots(4)
        flow.wait_batches()
        name = flow.pick(False)
        flow.send(name, signal.SIGTERM)
        flow.wait_end(name, (0,))

    return recover(session, before)


def roll(session):
    """Every worker is replaced, one after the other."""
    flow = session.flow

    def before():
        for name in flow.running():
            flow.start()
            flow.wait_slots(4)
            flow.send(name, signal.SIGTERM)
            flow.wait_end(name, (0,))
            flow.wait_slots(3)

    return recover(session, before)


def roll_edited(session):
    """Every worker is replaced by one with an edited job file; its state goes on."""
    flow = session.flow
    with open(flow.job_file, encoding="utf-8") as text:
        again = "onError: Skip" in text.read()
    flow.edit(*(("onError: Skip\n  ", "") if again else ("backpressure:", "onError: Skip\n  backpressure:")))
    former = flow.ask("job", "specHash")

    def before():
        for name in flow.running():
            flow.wait_said(flow.start(), "this worker stands by")
            flow.send(name, signal.SIGTERM)
            flow.wait_end(name, (0,))
        flow.wait_slots(3)
        if flow.ask("job", "specHash") == former:
            raise Broken("the edited file does not run")

    return recover(session, before)


class Case:
    """`fault` is the kind of failure; `fast` cases are run when none is asked for. `ends`: the job does not survive it. `store`: a Redis
    of its own, "plain", behind a proxy, "proxied", or a "cluster". `alone`: needs a network of its own."""

    def __init__(self, fault, name, run, fast=True, ends=False, store="plain", alone=False):
        self.fault, self.name, self.run = fault, name, run
        self.fast, self.ends, self.store, self.alone = fast, ends, store, alone


def step_cases():
    cases = []
    for step, (_, who) in STEPS.items():
        if who == "any":
            cases.append(Case("F01", f"a worker dies at {step}", step_other(step), fast=step not in ("blobs.before", "worker.delivered")))
        fast = step in ("worker.planned", "worker.before_commit", "worker.after_commit", "kafka.before_commit")
        cases.append(Case("F01", f"the leader dies at {step}", step_leader(step), fast=fast))
        if who == "any":
            cases.append(Case("F01", f"a worker and its successor die at {step}", step_twice(step), fast=step == "worker.delivered"))
    return cases


CASES = step_cases() + [
    Case("F01", "a worker dies during recovery", step_in_recovery),
    Case("F02", "a worker is killed", kill_one(False)),
    Case("F02", "the leader is killed", kill_one(True)),
    Case("F02", "random kills", random_kills, fast=False),
    Case("F03", "all workers are killed at once", kill_all),
    Case("F04", "a worker stands still beyond the lease", zombie(False), fast=False),
    Case("F04", "the leader stands still beyond the lease", zombie(True)),
    Case("F05", "a worker is told to stop", hand_over(False)),
    Case("F05", "the leader is told to stop", hand_over(True)),
    Case("F06", "the leader is killed while it hands over", kill_while_leaving),
    Case("F40", "3 workers, 1, 4 under load", rescale),
    Case("F40", "every worker is replaced", roll, fast=False),
    Case("F40", "every worker is replaced by an edited one", roll_edited, fast=False),
    Case("F07", "Redis is killed and restarted", redis.redis_killed),
    Case("F07", "Redis is away beyond the lease", redis.redis_down_for_long, fast=False),
    Case("F11", "Redis has no memory", redis.redis_full),
    Case("F13", "Redis is slow", redis.redis_slow, store="proxied", fast=False),
    Case("F13", "Redis stands still beyond the lease", redis.redis_stalled, fast=False),
    Case("F14", "replies of Redis are lost", redis.reply_lost, store="proxied"),
    Case("F12", "Redis begins to evict", redis.eviction, fast=False),
    Case("F15", "a script keeps Redis busy", redis.busy, fast=False),
    Case("F54", "a worker is cut off from Redis", network.cut_off(False, network.to_redis), fast=False, alone=True),
    Case("F54", "the leader is cut off from Redis", network.cut_off(True, network.to_redis), fast=False, alone=True),
    Case("F54", "a worker is cut off from Kafka", network.cut_off(False, network.to_kafka), fast=False, alone=True),
    Case("F54", "a worker is cut off from another", network.cut_off(False, network.to_one_worker), fast=False, alone=True),
    Case("F54", "a worker is cut off from all others", network.cut_off(False, network.to_all_workers), fast=False, alone=True),
    Case("F16", "scripts are flushed all the time", redis.again_and_again(2, 0.2, "SCRIPT", "FLUSH")),
    Case("F14", "connections to Redis are killed", redis.again_and_again(2, 0.2, "CLIENT", "KILL", "TYPE", "normal"), fast=False),
    Case("F09", "Redis fails over to its replica", failover.fail_over, store="proxied"),
    Case("F09", "Redis fails over to a replica that missed batches", failover.fail_over_late, store="proxied", ends=True, fast=False),
    Case("F18", "slots of a Redis Cluster move", failover.slots_move, store="cluster", fast=False),
    Case("F18", "a node of a Redis Cluster dies", failover.node_killed, store="cluster", fast=False),
    Case("F21", "Kafka is killed and restarted", outside.kafka_killed, fast=False),
    Case("F24", "Kafka stands still beyond the lease", outside.kafka_stands_still, fast=False),
    Case("F08", "a report of the commit is lost", outside.lose(outside.lose_report), ends=True, fast=False),
    Case("F08", "a blob of the state is lost", outside.lose(outside.lose_blob), ends=True, fast=False),
    Case("F08", "a blob of the state is damaged", outside.lose(outside.damage_blob), ends=True, fast=False),
    Case("F08", "Redis restarts empty", redis.restart_empty, ends=True),
    Case("F10", "Redis is emptied", redis.flush_all, ends=True, fast=False),
    Case("F17", "Redis restarts with an older copy", redis.older_copy, ends=True),
    Case("F17", "an older copy while no worker runs", redis.older_copy_while_stopped, ends=True, fast=False),
]

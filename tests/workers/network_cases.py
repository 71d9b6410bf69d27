"""One worker is cut off by the kernel: packets to chosen ports vanish, as of a broken switch. The worker has a user of its own, by which
iptables tells its packets from others', and the whole test a loopback of its own, so that nobody else's traffic is touched."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import time

from fleet import LEASE_SECONDS, wait
from recovery import recover

MARK = "MILLRACE_OWN_LOOPBACK"
CUT_SECONDS = LEASE_SECONDS * 2
FIRST_USER = 45000
_users = itertools.count(FIRST_USER)


def possible():
    """True where this process may make networks and rules."""
    return os.geteuid() == 0 and all(shutil.which(tool) for tool in ("unshare", "ip", "iptables", "setpriv"))


def enter(arguments):
    """Goes on with the same command line in a network that has nothing but a loopback."""
    if os.environ.get(MARK):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        return
    os.execvpe("unshare", ["unshare", "--net", *arguments], {**os.environ, MARK: "1"})


def start_alone(flow):
    """One more worker, with a user of its own; its name and user."""
    user = next(_users)
    flow.open_to_others()
    return flow.start(user=user), user


def ports_of(flow, name):
    """Where the other workers reach a worker: control, and the next one for data."""
    port = int(wait(lambda: re.search(r"\bworker\b.* address=\S+:(\d+)", flow.said(name)), f"{name} said its address")[1])
    return [port, port + 1]


class Cut:
    """While the block runs, packets from `user` to `ports` vanish, and those that ports of its own answer with."""

    def __init__(self, user, ports, answers=()):
        owner = ["-m", "owner", "--uid-owner", str(user), "-p", "tcp"]
        self._rules = [["OUTPUT", *owner, "--dport", str(port), "-j", "DROP"] for port in ports]
        self._rules += [["OUTPUT", *owner, "--sport", str(port), "-j", "DROP"] for port in answers]

    def __enter__(self):
        for rule in self._rules:
            subprocess.run(["iptables", "-A", *rule], check=True)

    def __exit__(self, *_):
        for rule in self._rules:
            subprocess.run(["iptables", "-D", *rule], check=True)


def cut_off(leader, find):
    """The worker loses what `find` names (ports, ports of its own) for longer than the lease, then has it back."""

    def case(session):
        flow = session.flow
        name, user = start_alone(flow)
        flow.wait_slots(4)
        for other in [other for other in flow.running() if other != name] if leader else [flow.pick(False, name)]:
            flow.send(other, signal.SIGTERM)
            flow.wait_end(other, (0,))
        flow.fill(3)
        flow.wait_slots(3)
        if leader:
            wait(lambda: flow.leader() == name, f"{name} led")

        def before():
            with Cut(user, *find(session, name)):
                time.sleep(CUT_SECONDS)

        return recover(session, before)

    return case


def to_redis(session, _):
    return [session.redis.port], []


def to_kafka(session, _):
    cluster = session.flow.cluster
    return [int(address.rsplit(":", 1)[1]) for address in cluster.bootstrap.split(",")], []


def to_one_worker(session, name):
    """What the worker sends to one of the others does not arrive, nor what it answers."""
    flow = session.flow
    other = next(other for other in flow.running() if other != name)
    return ports_of(flow, other), []


def to_all_workers(session, name):
    flow = session.flow
    others = [other for other in flow.running() if other != name]
    return [port for other in others for port in ports_of(flow, other)], ports_of(flow, name)

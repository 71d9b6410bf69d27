"""Edits of a job that runs: taken over live, rolled out worker by worker, refused."""

import json
import re
import signal
import time
import urllib.request

from fleet import Broken, wait

STATUS = ("--metrics-address", "127.0.0.1:0")
AGGREGATE = "values: {hits: count(), total: sum(id)}}"
EDITED = AGGREGATE + "\n        - set: {version: \"2\"}"
OTHER_KEY = ("key: [word], window", "key: [id], window")
OLD_WORKERS, NEW_WORKERS = 2, 2


def status(fleet, name):
    port = wait(lambda: re.search(r"serving metrics and status port=(\d+)", fleet.said(name)), f"{name} served its status").group(1)
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/status", timeout=10) as reply:
        return json.load(reply)


def finish(fleet):
    """Every worker ends by itself, with 0."""
    for worker in fleet.running():
        fleet.wait_end(worker, (0,), 60)


def interval(fleet):
    """Seconds between two commits, by the job's own count."""
    begin, first = time.monotonic(), fleet.committed()
    wait(lambda: fleet.committed() >= first + 5, "five batches were committed")
    return (time.monotonic() - begin) / (fleet.committed() - first)


def hot(fleet):
    """Hot fields count at once and nothing else does; the generation stays."""
    names = [fleet.start(arguments=STATUS) for _ in range(OLD_WORKERS)]
    fleet.wait_slots(OLD_WORKERS)
    fleet.wait_batches()
    generation, before = fleet.ask("gen", "name"), interval(fleet)
    text = fleet.edit("batchInterval: 100ms", "batchInterval: 500ms\n  logging: {level: Debug}")
    for name in names:
        fleet.wait_said(name, "taken over from the next batch on")
        said = status(fleet, name)
        if said["spec"]["applied"] != ["batchInterval", "logging"] or "appliedAt" not in said["spec"]:
            raise Broken(f"{name} says {said['spec']}")
    after = interval(fleet)
    if after < 1.8 * before:
        raise Broken(f"a batch took {before:.3f} s, and {after:.3f} s after the edit")
    fleet.edit("batchInterval: 500ms", "batchInterval: nonsense")
    for name in names:
        fleet.wait_said(name, "is not valid; this worker goes on")
    with open(fleet.job_file, "w", encoding="utf-8") as out:
        out.write(text.replace(AGGREGATE, EDITED))
    for name in names:
        fleet.wait_said(name, "fields need a rolling restart")
        if status(fleet, name)["spec"]["needsRestart"] != ["streams"]:
            raise Broken(f"{name} says {status(fleet, name)['spec']}")
    if fleet.ask("gen", "name") != generation:
        raise Broken("the edits made a new generation")
    finish(fleet)
    return 0.0


def rolled(fleet):
    """The former file runs until its last worker has left; the state goes on with the edited one."""
    fleet.fill(OLD_WORKERS)
    fleet.wait_slots(OLD_WORKERS)
    fleet.wait_batches()
    first_hash = fleet.ask("job", "specHash")
    fleet.edit(AGGREGATE, EDITED)
    new = []
    for old in fleet.running():
        new.append(fleet.start())
        fleet.wait_said(new[-1], "this worker stands by")
        if fleet.ask("job", "specHash") != first_hash:
            raise Broken("the edited file runs while workers of the former one live")
        fleet.send(old, signal.SIGTERM)
        fleet.wait_end(old, (0,))
    pause = fleet.wait_batches()
    if fleet.ask("commit", "specHash") in ("", first_hash):
        raise Broken("the edited file does not run")
    fleet.wait_slots(NEW_WORKERS)
    finish(fleet)
    return pause


def counted(fleet):
    """With generations in the files, as many new workers as old ones are enough; and back again."""
    fleet.edit("metadata: {", "metadata: {generation: 1, ")
    fleet.fill(OLD_WORKERS)
    fleet.wait_slots(OLD_WORKERS)
    fleet.wait_batches()
    pause = 0.0
    for generation, edit in ((2, (AGGREGATE, EDITED)), (3, (EDITED, AGGREGATE))):
        hash_before, old = fleet.ask("job", "specHash"), fleet.running()
        fleet.edit(f"generation: {generation - 1}", f"generation: {generation}")
        fleet.edit(*edit)
        for _ in range(NEW_WORKERS):
            fleet.start()
        wait(lambda: fleet.ask("commit", "specHash") not in ("", hash_before), "the edited file ran")
        for name in old:
            fleet.send(name, signal.SIGTERM)
            fleet.wait_end(name, (0,))
        pause = max(pause, fleet.wait_batches())
    finish(fleet)
    return pause


def restarted(fleet):
    """All workers stop, then others start with an edited file."""
    fleet.fill(OLD_WORKERS)
    fleet.wait_batches()
    fleet.stop()
    fleet.edit(AGGREGATE, EDITED)
    fleet.fill(NEW_WORKERS)
    pause = fleet.wait_batches()
    finish(fleet)
    return pause


def refused(fleet):
    """An edit that loses state ends the worker that has it, names step and field, and the job goes on; allowed, it takes over."""
    fleet.fill(OLD_WORKERS)
    fleet.wait_batches()
    fleet.edit(*OTHER_KEY)
    name = fleet.start()
    fleet.wait_end(name, (1,))
    for part in ("UpgradeBlocked", "the state of sums.aggregate", "edited: spec.streams"):
        if part not in fleet.said(name):
            raise Broken(f"{name} does not name {part!r}")
    del fleet.workers[name]
    fleet.edit("maxParallelism: 12", "maxParallelism: 24")
    name = fleet.start()
    fleet.wait_end(name, (1,))
    if "spec.maxParallelism cannot change from 12" not in fleet.said(name):
        raise Broken(f"{name} does not name maxParallelism")
    del fleet.workers[name]
    fleet.edit("maxParallelism: 24", "maxParallelism: 12")
    fleet.edit(OTHER_KEY[1], OTHER_KEY[0])
    fleet.wait_batches()
    fleet.start()
    fleet.wait_slots(OLD_WORKERS + 1)
    finish(fleet)
    return 0.0


EDITS = [("hot fields are edited", hot, True), ("an edited job is rolled out", rolled, True),
         ("edited jobs of counted generations are rolled out and back", counted, False),
         ("a job is stopped, edited and started", restarted, False), ("edits that lose state are refused", refused, False)]

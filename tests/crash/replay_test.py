#!/usr/bin/env python3
"""A planned batch is a fact: replayed on 1, 2 or 7 threads it writes the same files, byte for byte.

replay_test.py --millrace PATH [--seed S]

Every job is stopped between output and commit of some batch. Its folder is then copied, and each copy replays that batch, with
another number of threads and from plans that were appended by the same process. The same is done for the batch that flushes
everything when the sources end, which is the one with the most rows.
"""

import argparse
import os
import random
import shutil
import sys

import harness
from crash_test import publish_until
from harness import Failure, Workplace
from jobs import JOBS

THREADS = (1, 2, 7)
STOPS = 4  # batches replayed for each job


def tree(folder):
    """Relative path -> bytes, of all files a reader could see."""
    files = {}
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "_staging"]
        for name in names:
            path = os.path.join(base, name)
            with open(path, "rb") as data:
                files[os.path.relpath(path, folder)] = data.read()
    return files


def compare(job, batch, trees):
    reference = trees[THREADS[0]]
    for threads, files in trees.items():
        if files == reference:
            continue
        names = sorted(name for name in files.keys() | reference.keys() if files.get(name) != reference.get(name))
        raise Failure(f"{job.name}, batch {batch}: {threads} threads and {THREADS[0]} differ in {names[:3]}")


def replay(millrace, place, arguments, root):
    """Replays the pending batch of `place` on copies that then stand at its own path; returns its number and row files."""
    kept = root + ".kept"
    os.rename(root, kept)
    trees, batch = {}, 0
    for threads in THREADS:
        # Files are known by inode, so the input stays what it is; state and output are copied.
        os.mkdir(root)
        os.rename(os.path.join(kept, "in"), os.path.join(root, "in"))
        shutil.copy(os.path.join(kept, "job.yaml"), root)
        shutil.copytree(os.path.join(kept, "state"), place.state)
        shutil.copytree(os.path.join(kept, "out"), os.path.join(root, "out"))
        remove_pending_output(place)
        harness.run(millrace, [str(threads) if word == "THREADS" else word for word in arguments] + ["--batches", "1"])
        trees[threads] = tree(os.path.join(root, "out"))
        batch = place.committed()
        os.rename(os.path.join(root, "in"), os.path.join(kept, "in"))
        shutil.rmtree(root)
    os.rename(kept, root)
    compare(place.job, batch, trees)
    return len(trees[THREADS[0]])


def remove_pending_output(place):
    """What the killed run had published of the batch: every replay writes all of it itself."""
    for name in place.job.sinks:
        folder = place.sink(name)
        done = harness.data_files(folder, harness.committed_batch(folder))
        for path in harness.data_files(folder, 1 << 60):
            if path not in done:
                os.remove(path)


def with_threads(arguments):
    """The command line with a place-holder for the number of threads."""
    at = arguments.index("--threads")
    return arguments[:at + 1] + ["THREADS"] + arguments[at + 2:]


def stop_before_commit(millrace, arguments, count):
    if not harness.run(millrace, arguments, f"commit.before:{count}"):
        raise Failure("the run ended before the batch it should stop in")


def check_job(millrace, make_job, seed):
    job = make_job(seed)
    chance = random.Random(seed)
    files = 0
    with harness.temp_folder() as base:
        root = os.path.join(base, "job")
        place = Workplace(root, job)
        for stop in range(STOPS):
            publish_until(millrace, place, len(job.files) * (stop + 1) // (STOPS + 1))
            stop_before_commit(millrace, place.arguments(False), chance.randrange(1, 4))
            files += replay(millrace, place, with_threads(place.arguments(False)), root)
        publish_until(millrace, place, len(job.files))
        harness.run(millrace, place.arguments(False) + ["--until-idle", "200ms"])
        stop_before_commit(millrace, place.arguments(True), 1)
        files += replay(millrace, place, with_threads(place.arguments(True)), root)
        harness.run(millrace, place.arguments(True))
        outputs = {name: harness.read_rows(place.sink(name)) for name in job.sinks}
        verdict = job.verify(outputs)
        if verdict.examples:
            raise Failure(f"{job.name}: " + "; ".join(verdict.examples[:5]))
    print(f"{job.name}: {STOPS + 1} batches replayed on {len(THREADS)} numbers of threads, {files} files equal", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    options = parser.parse_args()
    print(f"replay_test: seed {options.seed}", flush=True)
    try:
        for make_job in JOBS:
            check_job(options.millrace, make_job, options.seed)
    except Failure as failure:
        print(f"replay_test: FAILED with seed {options.seed}: {failure}")
        return 1
    print("replay_test: all files equal")
    return 0


if __name__ == "__main__":
    sys.exit(main())

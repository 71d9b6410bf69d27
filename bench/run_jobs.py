#!/usr/bin/env python3
"""Runs whole jobs with the millrace binary and prints what they cost. See README.md beside this file."""

import argparse
import datetime
import json
import os
import platform
import random
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
WORDS_PER_FILE = 10_000_000
EVENTS = 2_000_000
SPARSE_EVENTS = 500_000
VOCABULARY = 50_000
USERS = 10_000
EMPTY_BATCHES = 400
STARTS = 10

# name: what is counted, how many, arguments of the run, the limit measured beside it.
NEXMARK_BATCHES = 120


def jobs():
    table = [
        ("words-100", "words", WORDS_PER_FILE, [], ("words", "lines-100.txt")),
        ("words-4096", "words", WORDS_PER_FILE, [], ("words", "lines-4096.txt")),
        ("events", "events", EVENTS, [], ("json", "events.json")),
        ("events-sparse", "events", SPARSE_EVENTS, [], ("json", "events-sparse.json")),
        ("sliding-60s", "records", 100_000_000, ["--batches", "100"], ("keys", "20000000")),
        ("sliding-3600s", "records", 100_000_000, ["--batches", "100"], ("keys", "20000000")),
        ("sliding-backfill", "records", 70_000_000, ["--batches", "70"], ("keys", "20000000")),
        ("sliding-wrap-60s", "records", 40_000_000, ["--batches", "40"], ("keys", "20000000")),
        ("sliding-wrap-3600s", "records", 40_000_000, ["--batches", "40"], ("keys", "20000000")),
    ]
    for query in ["q0", "q1", "q2", "q3", "q5", "q7", "q8", "q11"]:
        arguments = ["--batches", str(NEXMARK_BATCHES)]
        table.append(("nexmark-" + query, "events", NEXMARK_BATCHES * 200_000, arguments, None))
    return table


def write_lines(path, line_bytes):
    rng = random.Random(1)
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(rng.choices(letters, k=rng.randint(3, 10))) for _ in range(VOCABULARY)]
    weights = [1 / (rank + 1) for rank in range(VOCABULARY)]
    per_line = max(1, line_bytes // 7)
    with open(path, "w") as out:
        for _ in range(0, WORDS_PER_FILE, 100_000):
            drawn = rng.choices(words, weights, k=100_000)
            for at in range(0, len(drawn), per_line):
                out.write(" ".join(drawn[at:at + per_line]) + "\n")


def write_events(path, count, per_second):
    rng = random.Random(2)
    start = datetime.datetime(2024, 6, 1)
    kinds = ["click", "view", "buy"]
    with open(path, "w") as out:
        for i in range(count):
            at = start + datetime.timedelta(microseconds=i * 1_000_000 // per_second)
            out.write('{"user":"user-%05d","type":"%s","amount":%d,"at":"%s.%03dZ","session":"s-%08d","page":"/index/%d",'
                      '"agent":"Mozilla/5.0 (X11; Linux)"}\n' %
                      (rng.randrange(USERS), kinds[i % 3], rng.randrange(1000), at.strftime("%Y-%m-%dT%H:%M:%S"),
                       at.microsecond // 1000, i, i % 97))


def prepare(data):
    os.makedirs(os.path.join(data, "empty"), exist_ok=True)
    made = {
        "lines-100.txt": lambda path: write_lines(path, 100),
        "lines-4096.txt": lambda path: write_lines(path, 4096),
        "events.json": lambda path: write_events(path, EVENTS, 100_000),
        "events-sparse.json": lambda path: write_events(path, SPARSE_EVENTS, 500),
        "one.txt": lambda path: open(path, "w").write("one line\n"),
    }
    for name, write in made.items():
        path = os.path.join(data, name)
        if os.path.exists(path):
            continue
        print("preparing " + path, file=sys.stderr)
        write(path + ".part")
        os.rename(path + ".part", path)


class Runner:
    """Runs commands on one core and reads what they cost from wait4."""

    def __init__(self, build, data, scratch):
        self.millrace = os.path.join(build, "millrace")
        self.limits = os.path.join(build, "bench", "limits")
        self.data = data
        self.scratch = scratch
        self.core = max(os.sched_getaffinity(0))

    def job(self, name):
        """The job file with the data folder filled in."""
        with open(os.path.join(HERE, "jobs", name + ".yaml")) as file:
            text = file.read().replace("DATA", self.data)
        path = os.path.join(self.scratch, name + ".yaml")
        with open(path, "w") as file:
            file.write(text)
        return path

    def spawn(self, name, arguments):
        command = [self.millrace, "run", self.job(name), "--sink", "none", "--quiet", "--threads", "1"] + arguments
        return subprocess.Popen(command, preexec_fn=lambda: os.sched_setaffinity(0, {self.core}))

    def run(self, name, arguments):
        """CPU seconds, peak bytes, wall seconds and user seconds of one run."""
        begin = time.monotonic()
        process = self.spawn(name, arguments)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise SystemExit("job %s ended with %d" % (name, process.returncode))
        return usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, time.monotonic() - begin, usage.ru_utime

    def limit(self, what, argument):
        """Items a CPU second of the bare loop."""
        if what != "keys":
            argument = os.path.join(self.data, argument)
        out = subprocess.run([self.limits, what, argument], check=True, capture_output=True, text=True,
                             preexec_fn=lambda: os.sched_setaffinity(0, {self.core})).stdout.split()
        return int(out[0]) / float(out[1])


def measure_jobs(runner, names, repeat):
    limits = {}
    rows = []
    for name, unit, items, arguments, limit in jobs():
        if names and not any(name.startswith(wanted) for wanted in names):
            continue
        runs = [runner.run(name, arguments) for _ in range(repeat)]
        cpu, peak, _, _ = min(runs)
        if limit and limit not in limits:
            limits[limit] = runner.limit(*limit)
        row = {"job": name, "unit": unit, "rate": items / cpu / 1e6, "cpu": cpu * 1e6 / items, "peak": peak / 2**20,
               "limit": limits[limit] / 1e6 if limit else None}
        rows.append(row)
        show(row)
    return rows


def show(row):
    limit = "%10.1f" % row["limit"] if row["limit"] else "         -"
    print("%-20s %8.2f M %-8s %7.3f CPU-s/M %7.0f MB %s M/s limit" %
          (row["job"], row["rate"], row["unit"] + "/s", row["cpu"], row["peak"], limit), flush=True)


def measure_overheads(runner):
    """CPU of a batch that holds next to nothing, time to the first batch, memory of a waiting job."""
    few = min(runner.run("empty", ["--batches", "10"]) for _ in range(4))
    many = min(runner.run("empty", ["--batches", str(10 + EMPTY_BATCHES)]) for _ in range(4))
    one = ["--batches", "1", "--set", "spec.sources[0].file.path=" + os.path.join(runner.data, "one.txt")]
    starts = sorted(runner.run("words-100", one)[2] for _ in range(STARTS))
    process = runner.spawn("idle", [])
    time.sleep(3)
    process.send_signal(signal.SIGTERM)
    _, _, usage = os.wait4(process.pid, 0)
    process.returncode = 0
    result = {"batch_user_us": (many[3] - few[3]) / EMPTY_BATCHES * 1e6,
              "batch_us": (many[0] - few[0]) / EMPTY_BATCHES * 1e6, "first_batch_ms": starts[len(starts) // 2] * 1e3,
              "idle_mb": usage.ru_maxrss / 1024, "idle_cpu_ms_a_second": (usage.ru_utime + usage.ru_stime) * 1e3 / 3}
    for name, value in result.items():
        print("%-20s %8.1f" % (name, value), flush=True)
    return result


def machine():
    model = "unknown processor"
    with open("/proc/cpuinfo") as file:
        for line in file:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return "%s, %d cores, %s %s" % (model, os.cpu_count(), platform.system(), platform.release())


def write_markdown(path, rows, overheads):
    with open(path, "w") as out:
        out.write("# Results\n\nOne run of `bench/run_jobs.py` on %s; %s.\n" % (datetime.date.today(), machine()))
        out.write("One thread on one core; the best of several runs; CPU seconds of the whole process, start and end "
                  "included. README.md beside this file says what is measured.\n\n")
        out.write("| job | M/s | CPU-s a million | peak MB | bare loop M/s |\n|---|---:|---:|---:|---:|\n")
        for row in rows:
            limit = "%.1f" % row["limit"] if row["limit"] else ""
            out.write("| %s (%s) | %.2f | %.3f | %.0f | %s |\n" %
                      (row["job"], row["unit"], row["rate"], row["cpu"], row["peak"], limit))
        if overheads:
            out.write("\n| overhead | |\n|---|---:|\n| CPU of a batch of one record, user | %.0f us |\n"
                      "| the same with the system's part, which is waking up | %.0f us |\n"
                      "| start of the process to the end of its first batch | %.0f ms |\n| memory of a waiting job | %.0f MB |\n"
                      "| CPU of a waiting job a second (10 ticks) | %.1f ms |\n" %
                      (overheads["batch_user_us"], overheads["batch_us"], overheads["first_batch_ms"], overheads["idle_mb"], overheads["idle_cpu_ms_a_second"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("build", help="build folder with millrace and bench/limits")
    parser.add_argument("names", nargs="*", help="jobs to run, by the beginning of their names (default: all)")
    parser.add_argument("--repeat", type=int, default=2, help="runs of each job; the best counts")
    parser.add_argument("--data", default=os.path.join(os.environ.get("XDG_CACHE_HOME", os.path.expanduser("~/.cache")), "millrace-bench"))
    parser.add_argument("--markdown", help="write the results as a page here")
    parser.add_argument("--json", help="write the results as JSON here")
    options = parser.parse_args()
    prepare(options.data)
    with tempfile.TemporaryDirectory() as scratch:
        runner = Runner(os.path.abspath(options.build), options.data, scratch)
        rows = measure_jobs(runner, options.names, options.repeat)
        overheads = measure_overheads(runner) if not options.names or "overheads" in options.names else None
    if options.markdown:
        write_markdown(options.markdown, rows, overheads)
    if options.json:
        with open(options.json, "w") as out:
            json.dump({"machine": machine(), "jobs": rows, "overheads": overheads}, out, indent=1)


if __name__ == "__main__":
    main()

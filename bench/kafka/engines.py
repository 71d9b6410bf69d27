#!/usr/bin/env python3
"""Millrace and other engines on the topics of preload.py: one core for the broker, one for the engine, results in a topic and checked.

    bench/kafka/engines.py                              all jobs
    bench/kafka/engines.py millrace/lines --scale 0.01  one, on a hundredth of the input
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

from inputs import INPUTS, WORDS_PER_LINE
from preload import DATA, ground

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "tests" / "kafka"))

from client import Client  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ENGINE_CORE = "1"
OPENED = [f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in
          ("java.lang", "java.lang.invoke", "java.lang.reflect", "java.io", "java.net", "java.nio", "java.util",
           "java.util.concurrent", "java.util.concurrent.atomic", "sun.nio.ch", "sun.nio.cs", "sun.security.action",
           "sun.util.calendar")]
ENGINES = {
    "flink": ["-Xmx512m", "-XX:+UseSerialGC", "-Dorg.slf4j.simpleLogger.defaultLogLevel=error"],
    "spark": ["-Xmx512m", "-XX:+UseSerialGC"],
}
MILLRACE = HERE.parents[1] / "build" / "release" / "millrace"
DRAIN = HERE.parents[1] / "build" / "release" / "bench" / "kafka_drain"
GREP_WORD = "keosrjlnun"  # in one of ten lines; jobs/grep.yaml looks for it
INPUT_OF = {"pass": "lines", "grep": "text"}  # the others read the topic of their name
JOBS = ["millrace/lines", "millrace/text", "millrace/events", "millrace/pass", "millrace/grep", "flink/lines", "flink/text", "flink/events", "spark/lines", "spark/text"]


@dataclass
class Result:
    seconds: float
    cpu_seconds: float
    start_cpu_seconds: float
    peak_mib: float


class Peak:
    """The largest resident memory of a process, looked at while it runs: what the kernel says at the end has that of its parent in it."""

    def __init__(self, pid):
        self._path = pathlib.Path(f"/proc/{pid}/status")
        self._mib = 0.0
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self):
        while not self._ended.wait(0.02):
            try:
                lines = self._path.read_text(encoding="ascii").splitlines()
            except OSError:
                return
            marks = [line.split()[1] for line in lines if line.startswith("VmHWM")]
            self._mib = int(marks[0]) / 1024 if marks else self._mib

    def mib(self):
        self._ended.set()
        self._thread.join()
        return self._mib


def build(engine):
    """The class path of an engine's jobs; built by Maven once for each state of their sources."""
    project = HERE / "peers" / engine
    sources = sorted(path for path in project.rglob("*") if path.is_file())
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    built = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "millrace" / "peers" / f"{engine}-{digest}"
    if not built.exists():
        built.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=built.parent) as folder:
            copy = pathlib.Path(folder) / "project"
            shutil.copytree(project, copy)
            subprocess.run(["mvn", "-q", "-B", "-f", copy / "pom.xml", "package", "dependency:copy-dependencies",
                            "-DincludeScope=runtime", f"-DoutputDirectory={copy}/lib"], check=True)
            shutil.copy(next((copy / "target").glob("*.jar")), copy / "lib")
            os.rename(copy / "lib", built)
    return f"{built}/*"


def command_of(cluster, engine, topic, output, state):
    """How to run a job; `state` is an empty folder for its checkpoints."""
    if engine != "millrace":
        return ["java", *ENGINES[engine], *OPENED, "-cp", build(engine), "peers.Jobs", cluster.bootstrap, topic, output, state]
    brokers = json.dumps([cluster.bootstrap])
    return [MILLRACE, "run", HERE / "jobs" / f"{topic}.yaml", "--quiet", "--threads", "1", "--state", state,
            "--set", f"spec.sources.records.kafka.brokers={brokers}", "--set", f"spec.sinks.out.kafka.brokers={brokers}",
            "--set", f"spec.sinks.out.kafka.topic={output}"]


def run(cluster, engine, topic, output):
    """One run on `ENGINE_CORE`, from start to end of the process."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as state, \
            subprocess.Popen(["taskset", "-c", ENGINE_CORE, *command_of(cluster, engine, topic, output, state)],
                             stdout=subprocess.PIPE, text=True) as process:
        peak = Peak(process.pid)
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise RuntimeError(f"{engine}/{topic} failed\n{said}")
    seconds = time.monotonic() - started
    start_cpu = float(next((line.split()[1] for line in said.splitlines() if line.startswith("started")), 0))
    return Result(seconds, usage.ru_utime + usage.ru_stime, start_cpu, peak.mib())


def check_copies(cluster, topic, output, count):
    """Raises unless as many records are in the output as were to be copied."""
    expected = count if topic == "pass" else sum(GREP_WORD in line for chunk in INPUTS["text"].chunks(count) for line in chunk)
    said = subprocess.run([DRAIN, cluster.bootstrap, output], capture_output=True, text=True, check=True).stdout
    if int(said.split()[0]) != expected:
        raise RuntimeError(f"{output}: {said.split()[0]} records, {expected} expected")


def check(kafka, topic, output, count):
    """Raises unless every record of the input is in the results exactly once."""
    results = [json.loads(record.value) for record in kafka.consume(output)]
    if topic == "events":
        counted = sum(result["count"] for result in results)
    else:
        counted = sum({result["word"]: result["count"] for result in results}.values())
    expected = count * (WORDS_PER_LINE if topic == "text" else 1)
    if counted != expected:
        raise RuntimeError(f"{output}: {counted} counted, {expected} written")


def measure(cluster, job, scale):
    engine, topic = job.split("/")
    kafka = Client(cluster)
    output = f"out-{engine}-{topic}"
    if kafka.partitions(output):
        kafka.delete_topic(output)
    kafka.create_topic(output)
    if engine in ENGINES:
        build(engine)
    result = run(cluster, engine, topic, output)
    count = round(INPUTS[INPUT_OF.get(topic, topic)].records * scale)
    if topic in INPUT_OF:
        check_copies(cluster, topic, output, count)
    else:
        check(kafka, topic, output, count)
    kafka.delete_topic(output)
    millions = count / 1e6
    print(f"| {job} | {(result.cpu_seconds - result.start_cpu_seconds) / millions:.2f} | {result.start_cpu_seconds:.1f} | "
          f"{result.peak_mib:.0f} | {result.seconds:.0f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(description="Millrace and other engines on the topics of preload.py.")
    parser.add_argument("jobs", nargs="*", help=f"of {', '.join(JOBS)} (default: all)")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the records (default 1)")
    parser.add_argument("--data", default=DATA, help="where the broker keeps its data (default %(default)s)")
    arguments = parser.parse_args()
    unknown = set(arguments.jobs) - set(JOBS)
    if unknown:
        parser.error(f"no job {', '.join(sorted(unknown))}; there are {', '.join(JOBS)}")
    jobs = arguments.jobs or JOBS
    wanted = {INPUT_OF.get(name, name) for name in (job.split("/")[1] for job in jobs)}
    topics = [topic for topic in INPUTS if topic in wanted]
    with ground(arguments.scale, topics, arguments.data) as cluster:
        print("| job | CPU-s per million records | CPU-s to start | peak MiB | seconds |\n|---|---|---|---|---|")
        for job in jobs:
            measure(cluster, job, arguments.scale)
    return 0


if __name__ == "__main__":
    sys.exit(main())

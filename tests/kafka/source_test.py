#!/usr/bin/env python3
"""What the kafka source promises, on a real broker: which records a job reads, and what it says when it cannot.

Usage: source_test.py MILLRACE [CLASS[.TEST]...]
"""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import time
import unittest

from broker import Cluster
from client import Client

MILLRACE = sys.argv.pop(1)
TOOL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "scripts", "kafka", "tool.sh")
SECONDS = 60


class Job:
    """A job file in a folder of its own that copies topics to files."""

    def __init__(self, root, cluster, source, fmt="text: {}", steps="[]", extra=""):
        self.root = root
        self.path = os.path.join(root, "job.yaml")
        brokers = json.dumps(cluster.bootstrap.split(","))
        with open(self.path, "w", encoding="utf-8") as out:
            out.write(textwrap.dedent(f"""\
                apiVersion: streaming.millrace.io/v1alpha1
                kind: StreamingJob
                metadata: {{name: copy}}
                spec:
                  batchInterval: 20ms
                  sources:
                    - name: records
                      kafka: {{brokers: {brokers}, {source}}}
                      format: {{{fmt}}}
                  streams:
                    - {{name: copied, from: records, steps: {steps}}}
                  sinks:
                    - {{name: out, from: copied, file: {{path: {root}/out}}, format: {{json: {{}}}}}}
                """) + extra.replace("ROOT", root))

    def run(self, *flags, state=True):
        """Runs until idle; the finished process, with text output."""
        arguments = [MILLRACE, "run", self.path, "--quiet", "--threads", "2", *flags]
        if not any(flag in flags for flag in ("--until-idle", "--batches")):
            arguments += ["--until-idle", "1s"]
        if state:
            arguments += ["--state", os.path.join(self.root, "state")]
        return subprocess.run(arguments, capture_output=True, text=True, timeout=SECONDS, check=False)

    def start(self):
        return subprocess.Popen([MILLRACE, "run", self.path, "--quiet", "--state", os.path.join(self.root, "state")],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def committed(self, name="out"):
        """The last batch of which readers may see the output."""
        try:
            with open(os.path.join(self.root, name, "_committed"), encoding="utf-8") as text:
                return json.load(text)["batch"]
        except FileNotFoundError:
            return 0

    def rows(self, name="out"):
        """Rows of committed files, in order of batch and unit."""
        folder = os.path.join(self.root, name)
        committed = self.committed(name)
        files = []
        for file in os.listdir(folder) if committed else []:
            parts = file.split("-")
            if file.endswith(".json") and int(parts[3]) <= committed:
                files.append((int(parts[3]), int(parts[2]), file))
        rows = []
        for _, _, file in sorted(files):
            with open(os.path.join(folder, file), encoding="utf-8") as text:
                rows += [json.loads(line) for line in text]
        return rows


class SourceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster().start()
        cls.addClassCleanup(cls.cluster.stop)
        cls.kafka = Client(cls.cluster)

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="millrace-kafka-")
        self.addCleanup(folder.cleanup)
        self.root = folder.name
        self.topic = "t-" + self.id().rsplit(".", maxsplit=1)[-1][5:60].replace("_", "-")

    def job(self, source="startFrom: {earliest: {}}", topic=None, **kwargs):
        return Job(self.root, self.cluster, f"topics: [{topic or self.topic}], {source}", **kwargs)

    def assert_ran(self, done, code=0):
        self.assertEqual(done.returncode, code, done.stderr)

    def test_reads_every_partition_once_and_goes_on_where_it_was(self):
        self.kafka.create_topic(self.topic, partitions=3)
        self.kafka.produce(self.topic, [(None, f"a{i}", i % 3) for i in range(300)])
        job = self.job()
        self.assert_ran(job.run())
        self.assertEqual(sorted(row["value"] for row in job.rows()), sorted(f"a{i}" for i in range(300)))
        self.kafka.produce(self.topic, [(None, f"b{i}", 1) for i in range(10)])
        self.assert_ran(job.run())
        self.assertEqual([row["value"] for row in job.rows()][300:], [f"b{i}" for i in range(10)])

    def test_latest_is_fixed_by_the_first_start(self):
        self.kafka.create_topic(self.topic)
        self.kafka.produce(self.topic, [(None, "before")])
        job = self.job(source="startFrom: {latest: {}}")
        self.assert_ran(job.run("--batches", "1"))
        self.kafka.produce(self.topic, [(None, "between")])
        self.assert_ran(job.run())
        self.assertEqual([row["value"] for row in job.rows()], ["between"])

    def test_starts_and_ends_at_timestamps(self):
        self.kafka.create_topic(self.topic)
        second = 1_700_000_000_000
        self.kafka.produce(self.topic, [(None, str(i), 0, second + i * 1000) for i in range(10)])
        job = self.job(source='startFrom: {timestamp: "2023-11-14T22:13:22Z"}, endAt: {timestamp: "2023-11-14T22:13:25Z"}')
        self.assert_ran(job.run("--until-idle", "60s"))
        self.assertEqual([row["value"] for row in job.rows()], ["2", "3", "4"])

    def test_ends_at_the_latest_record_of_the_start(self):
        self.kafka.create_topic(self.topic, partitions=2)
        self.kafka.produce(self.topic, [(None, "1", 0), (None, "2", 1)])
        job = self.job(source="startFrom: {earliest: {}}, endAt: {latest: {}}")
        self.assert_ran(job.run("--until-idle", "60s"))
        self.kafka.produce(self.topic, [(None, "3", 0)])
        self.assert_ran(job.run("--until-idle", "60s"))
        self.assertEqual(sorted(row["value"] for row in job.rows()), ["1", "2"])

    def test_starts_at_given_offsets(self):
        self.kafka.create_topic(self.topic, partitions=2)
        self.kafka.produce(self.topic, [(None, f"{p}{i}", p) for p in (0, 1) for i in range(3)])
        job = self.job(source=f'startFrom: {{offsets: {{"{self.topic}/0": 2, "{self.topic}/1": 3}}}}')
        self.assert_ran(job.run())
        self.assertEqual([row["value"] for row in job.rows()], ["02"])

    def test_refuses_offsets_that_do_not_exist(self):
        self.kafka.create_topic(self.topic)
        for offsets, message in ((f'"{self.topic}/0": 7', f"startFrom.offsets: {self.topic}/0 has offsets 0 to 0, not 7"),
                                 (f'"{self.topic}/0": 0, "{self.topic}/5": 0', f"startFrom.offsets names {self.topic}/5, which does not exist"),
                                 (f'"{self.topic}/5": 0', f"startFrom.offsets has no offset for {self.topic}/0; every partition needs one")):
            done = self.job(source=f"startFrom: {{offsets: {{{offsets}}}}}").run(state=False)
            self.assertIn(message, done.stderr)
            self.assert_ran(done, 4)

    def test_finds_new_partitions_and_topics_while_it_runs(self):
        self.kafka.create_topic(self.topic + "-a")
        self.kafka.produce(self.topic + "-a", [(None, "first", 0)])
        job = Job(self.root, self.cluster, f'topicPattern: "{self.topic}-.*", properties: {{metadata.max.age.ms: "200"}}')
        running = job.start()
        try:
            self.wait_for(job, 0, lambda: self.kafka.produce(self.topic + "-a", [(None, "second", 0)]))
            self.kafka.add_partitions(self.topic + "-a", 2)
            self.kafka.produce(self.topic + "-a", [(None, "new partition", 1)])
            self.kafka.create_topic(self.topic + "-b")
            self.kafka.produce(self.topic + "-b", [(None, "new topic", 0)])
            self.wait_for(job, 3)
        finally:
            self.end(running)
        self.assertEqual(sorted(row["value"] for row in job.rows()), ["new partition", "new topic", "second"])

    def wait_for(self, job, rows, nudge=None):
        """Until the job committed `rows` rows; `nudge` is called once its first batch committed."""
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            if nudge and job.committed() > 0:
                nudge()
                return
            if not nudge and len(job.rows()) >= rows:
                return
            time.sleep(0.05)
        self.fail(f"the job wrote {job.rows()}")

    def test_reads_committed_transactions_only(self):
        self.kafka.create_topic(self.topic)
        with self.kafka.transaction("w") as transaction:
            transaction.produce(self.topic, [(None, "aborted")])
            transaction.abort()
            transaction.begin()
            transaction.produce(self.topic, [(None, "committed")])
            transaction.commit()
            transaction.begin()
            transaction.produce(self.topic, [(None, "open")])
            job = self.job()
            self.assert_ran(job.run())
            self.assertEqual([row["value"] for row in job.rows()], ["committed"])
            dirty = self.job(source="startFrom: {earliest: {}}, isolation: ReadUncommitted")
            self.assert_ran(dirty.run("--state", os.path.join(self.root, "dirty"), "--set", f"spec.sinks[0].file.path={self.root}/dirty-out", state=False))
            self.assertEqual([row["value"] for row in dirty.rows("dirty-out")], ["aborted", "committed", "open"])

    def test_reads_every_compression(self):
        self.kafka.create_topic(self.topic)
        for codec in ("none", "gzip", "snappy", "lz4", "zstd"):
            self.kafka.produce(self.topic, [(None, f"{codec} {i} " + "x" * 50) for i in range(200)], **{"compression_type": codec})
        job = self.job()
        self.assert_ran(job.run())
        self.assertEqual([row["value"].split()[0] for row in job.rows()][::200], ["none", "gzip", "snappy", "lz4", "zstd"])
        self.assertEqual(len(job.rows()), 1000)

    def test_shows_key_place_time_and_headers(self):
        self.kafka.create_topic(self.topic, partitions=2)
        self.kafka.produce(self.topic, [("k", "v", 1, 1_700_000_000_123, [("h", b"1"), ("h", b"2"), ("g", b"")]), (None, "w", 1, 1_700_000_000_124)])
        steps = ('[{map: {value: value, key: "string(coalesce(__key, b\'none\'))", topic: __topic, partition: __partition, offset: __offset, '
                 'time: __timestamp, header: "\'h\' in __headers ? string(__headers[\'h\']) : \'\'", headers: "__headers.size()"}}]')
        job = self.job(steps=steps)
        self.assert_ran(job.run())
        self.assertEqual(job.rows(), [
            {"value": "v", "key": "k", "topic": self.topic, "partition": 1, "offset": 0, "time": "2023-11-14T22:13:20.123Z", "header": "2", "headers": 2},
            {"value": "w", "key": "none", "topic": self.topic, "partition": 1, "offset": 1, "time": "2023-11-14T22:13:20.124Z", "header": "", "headers": 0}])

    def test_tombstones_are_what_the_job_says(self):
        self.kafka.create_topic(self.topic)
        self.kafka.produce(self.topic, [("k", '{"a":1}'), ("k", None), ("k", '{"a":2}')])
        json_format = 'json: {schema: {a: "int?"}}'
        done = self.job(fmt=json_format).run(state=False)
        self.assertIn(f"{self.topic}/0 offset 1: the record is null (a tombstone); set tombstones: Skip or Keep to accept it", done.stderr)
        self.assert_ran(done, 1)
        for policy, rows in (("Skip", [{"a": 1}, {"a": 2}]), ("Keep", [{"a": 1}, {"a": None}, {"a": 2}])):
            job = self.job(source=f"startFrom: {{earliest: {{}}}}, tombstones: {policy}", fmt=json_format)
            out = f"{self.root}/{policy}"
            self.assert_ran(job.run("--set", f"spec.sinks[0].file.path={out}", state=False))
            self.assertEqual(job.rows(policy), rows)

    def test_dead_letters_say_where_a_bad_record_is(self):
        self.kafka.create_topic(self.topic)
        self.kafka.produce(self.topic, [("k0", '{"a":1}'), ("k1", '{"a":"x"}')])
        job = self.job(fmt="json: {schema: {a: int}}",
                       extra="    - {name: bad, from: deadLetters, onError: Fail, file: {path: ROOT/bad}, format: {json: {}}}\n  onError: DeadLetter\n")
        self.assert_ran(job.run())
        self.assertEqual(job.rows(), [{"a": 1}])
        letter = job.rows("bad")[0]
        self.assertEqual((letter["origin"], letter["reason"], letter["topic"], letter["partition"], letter["offset"]), ("records", "Decode", self.topic, 0, 1))
        self.assertTrue(letter["message"].startswith(f"{self.topic}/0 offset 1: "), letter["message"])

    def test_stops_when_the_topic_was_recreated(self):
        self.kafka.create_topic(self.topic)
        self.kafka.produce(self.topic, [(None, "old")])
        job = self.job()
        self.assert_ran(job.run())
        self.kafka.delete_topic(self.topic)
        self.kafka.create_topic(self.topic)
        self.kafka.produce(self.topic, [(None, "new"), (None, "newer")])
        done = job.run()
        self.assertIn(f'SourceChanged: topic "{self.topic}" was recreated: the job reads id ', done.stderr)
        self.assertNotEqual(done.returncode, 0)
        self.assertEqual([row["value"] for row in job.rows()], ["old"])

    def test_follows_the_policy_for_records_that_are_gone(self):
        self.kafka.create_topic(self.topic)
        self.kafka.produce(self.topic, [(None, "read")])
        job = self.job()
        self.assert_ran(job.run())
        self.kafka.produce(self.topic, [(None, "lost"), (None, "kept")])
        self.delete_records(2)
        done = job.run()
        self.assertIn(f"OffsetOutOfRange: {self.topic}/0 is to be read from offset 1, but the broker has 2 to 3", done.stderr)
        self.assertNotEqual(done.returncode, 0)
        self.assert_ran(job.run("--set", "spec.sources[0].kafka.onMissingOffsets=Earliest"))
        self.assertEqual([row["value"] for row in job.rows()], ["read", "kept"])

    def delete_records(self, before):
        """Drops the records of partition 0 before an offset."""
        path = os.path.join(self.root, "delete.json")
        with open(path, "w", encoding="utf-8") as out:
            json.dump({"version": 1, "partitions": [{"topic": self.topic, "partition": 0, "offset": before}]}, out)
        subprocess.run([TOOL, "delete-records", "--bootstrap-server", self.cluster.internal_bootstrap, "--offset-json-file", path],
                       check=True, capture_output=True, timeout=SECONDS)

    def test_says_what_is_missing(self):
        done = self.job(topic="no-such-topic").run(state=False)
        self.assertIn('no-such-topic', done.stderr)
        self.assert_ran(done, 4)

    def test_reads_ten_megabyte_records(self):
        self.kafka.create_topic(self.topic, config={"max.message.bytes": "12000000"})
        big = "x" * 10_000_000
        self.kafka.produce(self.topic, [(None, "a"), (None, big), (None, "b")], **{"message_max_bytes": 11_000_000})
        job = self.job(steps="[{map: {size: value.size()}}]")
        self.assert_ran(job.run())
        self.assertEqual([row["size"] for row in job.rows()], [1, 10_000_000, 1])

    def test_tables_follow_a_compacted_topic(self):
        rules = self.topic + "-rules"
        self.kafka.create_topic(self.topic)
        self.kafka.create_topic(rules, partitions=2, config={"cleanup.policy": "compact"})
        self.kafka.produce(rules, [("k1", '{"id":"a","limit":1}', 0), ("k2", '{"id":"b","limit":1}', 1), ("k1", '{"id":"a","limit":2}', 0)])
        brokers = json.dumps(self.cluster.bootstrap.split(","))
        job = self.job(fmt="json: {schema: {id: string}}", steps="[{lookup: {table: rules, match: {id: id}}}, {map: {id: id, limit: 'rules == null ? 0 : rules.limit'}}]", extra=(
            f'  tables: [{{name: rules, key: [id], kafka: {{brokers: {brokers}, topic: {rules}}}, format: {{json: {{schema: {{id: string, limit: int}}}}}}}}]\n'))
        running = job.start()
        try:
            self.kafka.produce(self.topic, [(None, '{"id":"a"}'), (None, '{"id":"b"}')])
            self.wait_for(job, 2)
            self.kafka.produce(rules, [("k1", '{"id":"a","limit":3}', 0), ("k2", None, 1), ("k3", '{"id":"c","limit":9}', 1)])
            time.sleep(2.5)  # a table shows what was written about a second ago
            self.kafka.produce(self.topic, [(None, '{"id":"a"}'), (None, '{"id":"b"}'), (None, '{"id":"c"}')])
            self.wait_for(job, 5)
        finally:
            self.end(running)
        self.assertEqual([(row["id"], row["limit"]) for row in job.rows()], [("a", 2), ("b", 1), ("a", 3), ("b", 0), ("c", 9)])

    def test_shows_progress_in_the_consumer_group(self):
        self.kafka.create_topic(self.topic, partitions=2)
        self.kafka.produce(self.topic, [(None, "a", 0), (None, "b", 0), (None, "c", 1)])
        self.assert_ran(self.job(source=f"startFrom: {{earliest: {{}}}}, groupId: {self.topic}").run())
        self.assertEqual(self.kafka.committed(self.topic, self.topic), {0: 2, 1: 1})

    def end(self, running):
        """Stops a job that was started."""
        running.terminate()
        self.assertEqual(running.wait(SECONDS), 0, running.stderr.read())
        running.stdout.close()
        running.stderr.close()

    def test_the_example_counts_words(self):
        self.kafka.create_topic("lines", partitions=2)
        self.kafka.produce("lines", [(None, "To be, or not"), (None, "to be")])
        brokers = json.dumps(self.cluster.bootstrap.split(","))
        example = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "examples", "kafka-to-kafka.yaml")
        done = subprocess.run([MILLRACE, "run", example, "--quiet", "--until-idle", "2s", "--state", os.path.join(self.root, "state"), "--set",
                               f"spec.sources.lines.kafka.brokers={brokers}", "--set", f"spec.sinks.out.kafka.brokers={brokers}"],
                              capture_output=True, text=True, timeout=SECONDS, check=False)
        self.assert_ran(done)
        counts = {record.key: json.loads(record.value)["count"] for record in self.kafka.consume("counts")}
        self.assertEqual(counts, {b"to": 2, b"be": 2, b"or": 1, b"not": 1})

    def test_goes_on_after_the_broker_was_away(self):
        self.kafka.create_topic(self.topic)
        self.kafka.produce(self.topic, [(None, "before")])
        job = self.job()
        running = job.start()
        try:
            self.wait_for(job, 1)
            self.cluster.kill()
            time.sleep(0.5)
            self.cluster.restart()
            self.kafka.produce(self.topic, [(None, "after")])
            self.wait_for(job, 2)
        finally:
            self.end(running)
        self.assertEqual([row["value"] for row in job.rows()], ["before", "after"])


if __name__ == "__main__":
    unittest.main(verbosity=2)

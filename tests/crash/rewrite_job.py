"""A job with so much state that its log is rewritten, for the kill between rewrite and rename."""

import os

import harness
from harness import Failure, Verdict

REWRITE_STEP = "rewrite.before_rename"
KEYS = 3000
ROUNDS = 24

JOB = f"""apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {{name: rewrite}}
spec:
  batchInterval: 50ms
  maxParallelism: 2
  backpressure: {{enabled: false}}
  sources:
    - name: numbers
      generator: {{fields: {{key: 'string(seq % {KEYS})', amount: seq}}, rate: 60000, count: {KEYS * ROUNDS}}}
  streams:
    - name: totals
      from: numbers
      steps:
        - state:
            key: [key]
            fields: {{hits: {{type: int, init: "0"}}, total: {{type: int, init: "0"}}, ballast: {{type: string, init: '""'}}}}
            update: {{hits: state.hits + 1, total: state.total + amount, ballast: '"{"x" * 600}"'}}
            output: {{when: state.hits == {ROUNDS}, fields: {{key: key, total: state.total}}}}
  sinks:
    - {{name: out, from: totals, file: {{path: ROOT/out}}, format: {{json: {{}}}}}}
"""


def check_rewrite(millrace, crashes):
    with harness.temp_folder() as root:
        job_file = os.path.join(root, "job.yaml")
        with open(job_file, "w", encoding="utf-8") as out:
            out.write(JOB.replace("ROOT", root))
        arguments = ["run", job_file, "--state", os.path.join(root, "state"), "--quiet"]
        if not harness.run(millrace, arguments, REWRITE_STEP):
            raise Failure("the state log was never rewritten")
        crashes.kills += 1
        harness.run(millrace, arguments)
        verdict = Verdict()
        rows = harness.read_rows(os.path.join(root, "out"))
        expected = [(str(key), sum(range(key, KEYS * ROUNDS, KEYS))) for key in range(KEYS)]
        verdict.compare("totals", [(row["key"], row["total"]) for _, row in rows], expected)
        crashes.batches += harness.committed_batch(os.path.join(root, "out"))
        return verdict

#!/usr/bin/env python3
"""Writes the Grafana dashboards of this folder: what differs between panels stands here once, the JSON repeats it for Grafana.

Usage: build.py [--check]

A panel is (title, unit, description, [(query, legend)], options). `$sel` stands for the chosen namespaces and jobs, `$by` for
the labels that tell jobs apart. Gauges of a job are taken from the worker with the newest commit: one that led before keeps its own.
"""
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
SEL = 'namespace=~"$namespace", job=~"$job"'
SOURCE = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
WIDTH = 24
NEWEST = ("(millrace_batch_last_committed_timestamp_seconds{$sel} == on (namespace, job) group_left () "
          "max by (namespace, job) (millrace_batch_last_committed_timestamp_seconds{$sel}))")


def newest(metric, by="namespace, job"):
    return f"max by ({by}) ({metric}{{$sel}} and on (namespace, job, instance) {NEWEST})"


def rate(metric, by="namespace, job", extra=""):
    return f"sum by ({by}) (rate({metric}{{$sel{extra}}}[$__rate_interval]))"


def mean(histogram, by="namespace, job"):
    return f"{rate(histogram + '_sum', by)} / ({rate(histogram + '_count', by)} > 0)"


def quantile(q, histogram, by="namespace, job"):
    return f"histogram_quantile({q}, sum by ({by}, le) (rate({histogram}_bucket{{$sel}}[$__rate_interval])))"


def steps(*pairs):
    """steps("green", (1, "red")): green below 1."""
    return [{"color": pairs[0], "value": None}] + [{"color": color, "value": value} for value, color in pairs[1:]]


class Dashboard:
    """Collects rows of panels and places them from left to right."""

    def __init__(self, uid, title, description, variables, links):
        self.head = {"uid": uid, "title": title, "description": description}
        self.variables, self.links, self.panels = variables, links, []
        self.x = self.y = self.height = 0

    def row(self, title):
        self.y += self.height
        self.x = self.height = 0
        self.add({"type": "row", "title": title, "collapsed": False, "panels": []}, WIDTH, 1)

    def add(self, panel, width, height):
        if self.x + width > WIDTH:
            self.x, self.y, self.height = 0, self.y + self.height, 0
        panel["id"] = len(self.panels) + 1
        panel["gridPos"] = {"x": self.x, "y": self.y, "w": width, "h": height}
        self.x, self.height = self.x + width, max(self.height, height)
        self.panels.append(panel)

    def query_panel(self, kind, title, unit, description, queries, thresholds, custom, options, size):
        colour = {"mode": "thresholds" if kind == "stat" else "palette-classic"}
        defaults = {"unit": unit, "noValue": "-", "color": colour, "custom": custom,
                    "thresholds": {"mode": "absolute", "steps": thresholds or steps("green")}}
        targets = [{"refId": chr(ord("A") + i), "datasource": SOURCE, "expr": expr.replace("$sel", SEL), "legendFormat": legend,
                    "range": kind != "table", "instant": kind in ("stat", "table"), **({"format": "table"} if kind == "table" else {})}
                   for i, (expr, legend) in enumerate(queries)]
        for target in targets:
            target["range"] = not target["instant"]
        self.add({"type": kind, "title": title, "description": description, "datasource": SOURCE, "interval": "15s",
                  "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options, "targets": targets}, *size)

    def stat(self, title, unit, description, query, thresholds=None):
        options = {"colorMode": "value", "graphMode": "none", "textMode": "auto", "justifyMode": "auto", "orientation": "auto",
                   "reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}}
        self.query_panel("stat", title, unit, description, [(query, "")], thresholds, {}, options, (4, 4))

    def graph(self, title, unit, description, queries, thresholds=None, stack=False, width=8):
        custom = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 20 if stack else 5, "showPoints": "never", "spanNulls": False,
                  "stacking": {"mode": "normal" if stack else "none", "group": "A"},
                  "thresholdsStyle": {"mode": "line" if thresholds else "off"}}
        options = {"legend": {"displayMode": "list", "placement": "bottom", "showLegend": True, "calcs": []},
                   "tooltip": {"mode": "multi", "sort": "desc"}}
        self.query_panel("timeseries", title, unit, description, queries, thresholds, custom, options, (width, 8))

    def json(self):
        shared = {"id": None, "schemaVersion": 39, "version": 1, "editable": True, "graphTooltip": 1, "refresh": "30s", "timezone": "browser",
                  "tags": ["millrace"], "time": {"from": "now-1h", "to": "now"}, "fiscalYearStartMonth": 0, "weekStart": "",
                  "annotations": {"list": []}, "links": self.links, "templating": {"list": self.variables}, "panels": self.panels}
        return json.dumps({**self.head, **shared}, indent=1) + "\n"


def data_source():
    return {"name": "DS_PROMETHEUS", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "hide": 0,
            "includeAll": False, "multi": False, "current": {}, "options": [], "regex": ""}


def variable(name, label, query, every=True):
    return {"name": name, "label": label, "type": "query", "datasource": SOURCE, "query": {"query": query, "refId": name}, "refresh": 2,
            "sort": 1, "hide": 0, "regex": "", "includeAll": every, "multi": every, **({"allValue": ".*"} if every else {}),
            "current": {}, "options": []}


def link(title, uid):
    return {"title": title, "type": "link", "icon": "dashboard", "url": f"/d/{uid}", "tags": [], "asDropdown": False, "includeVars": True,
            "keepTime": True, "targetBlank": False, "tooltip": ""}


def job_variables(every):
    return [data_source(), variable("namespace", "Namespace", "label_values(millrace_batch_interval_seconds, namespace)", every),
            variable("job", "Job", 'label_values(millrace_batch_interval_seconds{namespace=~"$namespace"}, job)', every)]


LINKS = [link("Jobs", "millrace-jobs"), link("One job", "millrace-job"), link("Operator", "millrace-operator")]
EACH = "{{namespace}}/{{job}}"


def overview():
    board = Dashboard("millrace-jobs", "Millrace / Jobs", "All jobs side by side: who is behind, who is slow, who fails.", job_variables(True), LINKS)
    board.row("Is it healthy?")
    board.stat("Jobs", "short", "Jobs with at least one process that answers.", "count(count by (namespace, job) (millrace_batch_interval_seconds{$sel}))")
    board.stat("Processes", "short", "Workers and local runs that answer.", "count(millrace_build_info{$sel})")
    board.stat("Records in", "rps", "Records that all jobs read a second.", f"sum({rate('millrace_input_records_total')})")
    board.stat("Records waiting", "short", "Known records that no batch has planned yet.", f"sum({newest('millrace_lag_records')} >= 0)")
    board.stat("Oldest commit", "s", "Time since the last commit of the job where it is longest ago. Idle jobs do not commit.",
               "max(time() - max by (namespace, job) (millrace_batch_last_committed_timestamp_seconds{$sel} > 0))",
               steps("green", (60, "orange"), (300, "red")))
    board.stat("Failed attempts", "short", "Attempts of batches that failed and were undone, in the last hour.",
               "sum(increase(millrace_batch_failures_total{$sel}[1h]))", steps("green", (1, "orange"), (10, "red")))
    board.row("Traffic")
    board.graph("Records in", "rps", "Records read in committed batches.", [(rate("millrace_input_records_total"), EACH)])
    board.graph("Rows out", "rps", "Rows delivered by committed batches.", [(rate("millrace_output_records_total"), EACH)])
    board.graph("Bytes in", "Bps", "Undecoded bytes read in committed batches.", [(rate("millrace_input_bytes_total"), EACH)])
    board.row("Delay")
    board.graph("Batch time as part of the interval", "percentunit", "Mean processing delay over the batch interval: above 1 the job cannot keep up.",
                [(f"({mean('millrace_batch_processing_delay_seconds')}) / max by (namespace, job) (millrace_batch_interval_seconds{{$sel}})", EACH)],
                steps("green", (1, "red")))
    board.graph("Scheduling delay", "s", "From the time a batch was due to its start, mean.", [(mean("millrace_batch_scheduling_delay_seconds"), EACH)])
    board.graph("Records waiting", "short", "Known records that no batch has planned yet; -1 when a source cannot tell.", [(newest("millrace_lag_records"), EACH)])
    board.row("Trouble")
    board.graph("Failed attempts", "cps", "Attempts of batches that failed and were undone.", [(rate("millrace_batch_failures_total"), EACH)])
    board.graph("Records not delivered", "rps", "Late, bad and rejected records.", [
        (rate("millrace_late_records_total"), EACH + " late"), (rate("millrace_bad_records_total"), EACH + " bad"),
        (rate("millrace_rejected_records_total"), EACH + " rejected")])
    board.graph("State", "bytes", "Committed state, encoded.", [(newest("millrace_state_bytes"), EACH)])
    board.row("Processes")
    board.graph("Processor", "short", "Cores that each process uses.",
                [("rate(process_cpu_seconds_total{$sel}[$__rate_interval]) and on (namespace, job, instance) millrace_build_info", EACH + " {{instance}}")], width=12)
    board.graph("Memory", "bytes", "Resident memory of each process.",
                [("process_resident_memory_bytes{$sel} and on (namespace, job, instance) millrace_build_info", EACH + " {{instance}}")], width=12)
    return board


def health(board):
    board.row("Is it healthy?")
    board.stat("Last commit", "s", "Time since the last commit. An idle job does not commit.",
               "min(time() - max by (namespace, job) (millrace_batch_last_committed_timestamp_seconds{$sel} > 0))", steps("green", (60, "orange"), (300, "red")))
    board.stat("Batch interval", "s", "The job's batch interval.", "max(millrace_batch_interval_seconds{$sel})")
    board.stat("Batch time", "percentunit", "Mean processing delay over the batch interval: above 1 the job cannot keep up.",
               f"sum({mean('millrace_batch_processing_delay_seconds')}) / max(millrace_batch_interval_seconds{{$sel}})", steps("green", (0.7, "orange"), (1, "red")))
    board.stat("Records waiting", "short", "Known records that no batch has planned yet; -1 when a source cannot tell.", newest("millrace_lag_records"))
    board.stat("Time behind", "s", "Records that wait over the records read a second.",
               f"sum({newest('millrace_lag_records')} >= 0) / (sum({rate('millrace_input_records_total')}) > 0)", steps("green", (60, "orange"), (900, "red")))
    board.stat("Failed attempts", "short", "Attempts of batches that failed and were undone, in the last hour.",
               "sum(increase(millrace_batch_failures_total{$sel}[1h]))", steps("green", (1, "orange"), (10, "red")))


def batches(board):
    board.row("Batches")
    board.graph("Total delay", "s", "Scheduling delay plus processing delay; the line is the batch interval.", [
        (quantile(0.5, "millrace_batch_total_delay_seconds"), "median"), (quantile(0.99, "millrace_batch_total_delay_seconds"), "99 %"),
        ("max(millrace_batch_interval_seconds{$sel})", "interval")])
    board.graph("Parts of the delay", "s", "Mean waiting, work and commit of a batch; the commit is part of the work.", [
        (mean("millrace_batch_scheduling_delay_seconds"), "waiting"), (mean("millrace_batch_processing_delay_seconds"), "work"),
        (mean("millrace_batch_commit_seconds"), "commit")])
    board.graph("Batches", "cps", "Batches that committed, and attempts that failed.", [
        (rate("millrace_batches_total"), "committed"), (rate("millrace_batch_failures_total"), "failed")])
    board.graph("Time by stage", "percentunit", "Share of wall-clock time that batches spent in each stage.",
                [(rate("millrace_stage_seconds_total", "stage"), "{{stage}}")], stack=True, width=12)
    board.graph("Tasks by stage", "cps", "Tasks (stage, unit) that ran.", [(rate("millrace_stage_tasks_total", "stage"), "{{stage}}")], width=12)


def flow(board):
    board.row("Records")
    board.graph("Records in by source", "rps", "Records read in committed batches.", [(rate("millrace_input_records_total", "source"), "{{source}}")])
    board.graph("Rows out by sink", "rps", "Rows delivered by committed batches.", [(rate("millrace_output_records_total", "sink"), "{{sink}}")])
    board.graph("Bytes in", "Bps", "Undecoded bytes read in committed batches.", [(rate("millrace_input_bytes_total"), "in")])
    board.graph("Records waiting", "short", "Known records that no batch has planned yet.", [(newest("millrace_lag_records"), "waiting")])
    board.graph("Limit by back-pressure", "rps", "Rate that back-pressure allows; 0 before the first estimate.",
                [(newest("millrace_rate_limit_records_per_second"), "limit"), (rate("millrace_input_records_total"), "read")])
    board.graph("Age of the watermark", "s", "Wall clock minus event-time watermark, by source. A replay of old records is far behind by nature.",
                [(f"time() - ({newest('millrace_watermark_timestamp_seconds', 'source')} > 0)", "{{source}}")])


def trouble_and_state(board):
    board.row("Trouble and state")
    board.graph("Records not delivered", "rps", "Late: behind the watermark. Bad: not decoded or a failed expression. Rejected: refused by a sink.", [
        (rate("millrace_late_records_total"), "late"), (rate("millrace_bad_records_total"), "bad"), (rate("millrace_rejected_records_total"), "rejected")])
    board.graph("State", "bytes", "Committed state, encoded.", [(newest("millrace_state_bytes"), "state")])
    board.graph("Expired keys", "cps", "Idle keys that the ttl of a global window dropped.", [(rate("millrace_expired_keys_total"), "expired")])


def kafka(board):
    board.row("Kafka (empty without it)")
    board.graph("Lag by partition", "short", "Offsets between the committed one and the end.",
                [(newest("millrace_kafka_lag_records", "source, topic, partition"), "{{source}} {{topic}}/{{partition}}")])
    board.graph("Offsets", "cps", "Committed offsets and ends of partitions: how fast both move.", [
        (f"sum by (topic) (deriv(millrace_kafka_committed_offset{{$sel}}[$__rate_interval]))", "{{topic}} read"),
        (f"sum by (topic) (deriv(millrace_kafka_end_offset{{$sel}}[$__rate_interval]))", "{{topic}} written")])
    board.graph("Transactions", "cps", "Transactions of sinks, by how they ended, and producers made.", [
        (rate("millrace_kafka_transactions_committed_total", "sink"), "{{sink}} committed"),
        (rate("millrace_kafka_transactions_aborted_total", "sink"), "{{sink}} aborted"),
        (rate("millrace_kafka_transactions_unknown_total", "sink"), "{{sink}} unknown"),
        (rate("millrace_kafka_fenced_total", "sink"), "{{sink}} fenced"), (rate("millrace_kafka_producers_total", "sink"), "{{sink}} producers")])
    board.graph("Commit of a transaction", "s", "From the request to commit to its confirmation.",
                [(quantile(0.99, "millrace_kafka_transaction_commit_seconds", "sink"), "{{sink}} 99 %")], width=24)


def workers(board):
    board.row("Several workers (empty with one process)")
    board.graph("Leader", "short", "1 at the worker that leads; the term grows with each election.", [
        ("max by (instance) (millrace_leader{$sel})", "{{instance}}"), (rate("millrace_elections_total") + " * 60", "elections a minute")])
    board.graph("Seats and term", "short", "Workers in the generation, and the number of the leader's term.", [
        ("max by (namespace, job) (millrace_slots{$sel})", "seats"), ("max by (namespace, job) (millrace_leader_epoch{$sel})", "term")])
    board.graph("Key groups", "short", "Key groups whose state each worker owns.", [("sum by (instance) (millrace_key_groups{$sel})", "{{instance}}")], stack=True)
    board.graph("Generations", "cps", "Generations opened, seats taken and seats that could not be taken.", [
        (rate("millrace_generations_total"), "generations"), (rate("millrace_recoveries_total"), "seats taken"),
        (rate("millrace_recovery_failures_total"), "failed")])
    board.graph("Time without commits", "s", "From the reason for a generation to its opening, and how long taking a seat took, means.", [
        (mean("millrace_generation_open_seconds"), "generation"), (mean("millrace_recovery_seconds"), "seat")])
    board.graph("State loaded", "Bps", "Decoded state that new seats loaded.", [(rate("millrace_recovery_bytes_total"), "loaded")])
    board.graph("Batches by worker", "cps", "Batches of which each worker has done its part.", [(rate("millrace_slot_batches_total", "instance"), "{{instance}}")])
    board.graph("A worker's part of a batch", "s", "Means: tasks, with waiting for other workers; output to sinks; writing state.", [
        (mean("millrace_slot_compute_seconds"), "tasks"), (mean("millrace_slot_output_seconds"), "output"),
        (mean("millrace_blob_write_seconds"), "state")])
    board.graph("Commit call", "s", "The leader's one call that commits a batch in Redis.", [
        (quantile(0.5, "millrace_commit_seconds"), "median"), (quantile(0.99, "millrace_commit_seconds"), "99 %")])
    board.graph("Blobs of state", "cps", "Deltas and snapshots written, and blobs deleted.", [
        (rate("millrace_blobs_total", "kind"), "{{kind}}"), (rate("millrace_blobs_swept_total"), "deleted")])
    board.graph("Bytes of state", "Bps", "Bytes of deltas and snapshots, as stored.", [(rate("millrace_blob_bytes_total", "kind"), "{{kind}}")])
    board.graph("Rows between workers", "Bps", "Encoded rows sent and taken.", [
        (rate("millrace_exchange_sent_bytes_total"), "sent"), (rate("millrace_exchange_received_bytes_total"), "taken")])
    board.graph("Waiting for receivers", "percentunit", "Share of time that frames waited, and how often a frame did a second.", [
        (rate("millrace_exchange_credit_wait_seconds_total", "instance"), "{{instance}}"), (rate("millrace_exchange_credit_waits_total"), "waits")])
    board.graph("Trouble between workers", "cps", "Connections lost, workers gone with rows unsent, frames dropped, strangers refused.", [
        (rate("millrace_exchange_reconnects_total"), "reconnects"), (rate("millrace_exchange_broken_streams_total"), "broken"),
        (rate("millrace_exchange_dropped_frames_total"), "dropped"), (rate("millrace_exchange_refused_connections_total"), "refused")])
    board.graph("Redis", "reqps", "Requests to Redis by purpose.", [(rate("millrace_redis_round_trips_total", "purpose"), "{{purpose}}")])
    board.graph("Bytes to Redis", "Bps", "Bytes of these requests.", [(rate("millrace_redis_sent_bytes_total", "purpose"), "{{purpose}}")], width=24)


def processes(board):
    board.row("Processes")
    known = "and on (namespace, job, instance) millrace_build_info"
    board.graph("Processor", "short", "Cores that each process uses.", [(f"rate(process_cpu_seconds_total{{$sel}}[$__rate_interval]) {known}", "{{instance}}")])
    board.graph("Memory", "bytes", "Resident memory of each process.", [(f"process_resident_memory_bytes{{$sel}} {known}", "{{instance}}")])
    board.graph("Age of processes", "s", "Time since the start of each process; a drop is a restart.",
                [(f"time() - process_start_time_seconds{{$sel}} {known}", "{{instance}} {{version}}")])


def one_job():
    board = Dashboard("millrace-job", "Millrace / One job", "One job in depth: delay by part and stage, records by source and sink, state, Kafka.",
                      job_variables(False), LINKS)
    for part in (health, batches, flow, trouble_and_state, kafka, workers, processes):
        part(board)
    return board


def operator():
    chosen = 'namespace=~"$namespace"'
    variables = [data_source(), variable("namespace", "Namespace", 'label_values(workqueue_depth{name="streamingjob"}, namespace)')]
    board = Dashboard("millrace-operator", "Millrace / Operator", "The operator: leader, passes over jobs, requests to the API server.", variables, LINKS)
    leader = f'leader_election_master_status{{name="millrace-operator", {chosen}}}'
    queue = f'{{name="streamingjob", {chosen}}}'
    passes = f'{{controller="streamingjob", {chosen}}}'
    own = f'and on (namespace, instance) workqueue_depth{{name="streamingjob", {chosen}}}'
    board.row("Is it healthy?")
    board.stat("Operators", "short", "Processes that answer.", f'count(workqueue_depth{{name="streamingjob", {chosen}}})', steps("red", (1, "green")))
    board.stat("Leaders", "short", "One of them leads.", f"sum({leader})", steps("red", (1, "green"), (2, "red")))
    board.stat("Jobs waiting", "short", "Keys in the queue.", f'sum(workqueue_depth{{name="streamingjob", {chosen}}})', steps("green", (50, "red")))
    board.stat("Errors", "percentunit", "Passes over jobs that ended with an error, in the last hour.",
               f"sum(increase(controller_runtime_reconcile_errors_total{passes}[1h])) / (sum(increase(controller_runtime_reconcile_total{passes}[1h])) > 0)",
               steps("green", (0.01, "orange"), (0.1, "red")))
    board.row("Passes over jobs")
    board.graph("Passes", "cps", "Passes over jobs by result.", [(f"sum by (result) (rate(controller_runtime_reconcile_total{passes}[$__rate_interval]))", "{{result}}")])
    board.graph("Errors", "cps", "Passes that ended with an error.", [(f"sum(rate(controller_runtime_reconcile_errors_total{passes}[$__rate_interval]))", "errors")])
    board.graph("Time of a pass", "s", "99th percentile.",
                [(f"histogram_quantile(0.99, sum by (le) (rate(controller_runtime_reconcile_time_seconds_bucket{passes}[$__rate_interval])))", "99 %")])
    board.graph("Passes at work", "short", "Passes that run now; never more than `operator.concurrency` of the chart.",
                [(f"sum by (instance) (controller_runtime_active_workers{passes})", "{{instance}}")])
    board.graph("Longest pass", "s", "How long the longest of the passes that run now has been at it.",
                [(f"max by (instance) (workqueue_longest_running_processor_seconds{queue})", "{{instance}}")])
    board.graph("Wait for a pass", "s", "From the reason to look at a job to its pass, 99th percentile; put-off retries are not counted.",
                [(f"histogram_quantile(0.99, sum by (le) (rate(workqueue_queue_duration_seconds_bucket{queue}[$__rate_interval])))", "99 %")])
    board.row("Queue and API server")
    board.graph("Queue", "short", "Jobs that wait to be looked at.", [(f'sum by (instance) (workqueue_depth{{name="streamingjob", {chosen}}})', "{{instance}}")])
    board.graph("Requests", "reqps", "Requests to the API server by method and code.",
                [(f"sum by (method, code) (rate(rest_client_requests_total{{{chosen}}}[$__rate_interval]) {own})", "{{method}} {{code}}")])
    board.graph("Time of a request", "s", "99th percentile by verb, watches left out.",
                [(f"histogram_quantile(0.99, sum by (verb, le) (rate(rest_client_request_duration_seconds_bucket{{{chosen}}}[$__rate_interval]) {own}))", "{{verb}}")])
    board.graph("Retries", "cps", "Passes put off after a failure.", [(f"sum(rate(workqueue_retries_total{queue}[$__rate_interval]))", "retries")])
    board.graph("Leader", "short", "1 at the operator that leads.", [(f"max by (instance) ({leader})", "{{instance}}")])
    return board


def main():
    stale = []
    for board, name in ((overview(), "jobs"), (one_job(), "job"), (operator(), "operator")):
        path = HERE / f"{name}.json"
        if not path.exists() or path.read_text() != board.json():
            stale.append(path.name)
            if "--check" not in sys.argv:
                path.write_text(board.json())
    if "--check" in sys.argv and stale:
        sys.exit("not what dashboards/build.py writes: " + ", ".join(stale))


if __name__ == "__main__":
    main()

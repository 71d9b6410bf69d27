"""The metrics that the project exports, as its documents list them, and those that a query uses."""
import re

ROW = re.compile(r"^\| `([a-z_]+)` \| (counter|gauge|histogram) \|", re.MULTILINE)
NAME = re.compile(r"\b((?:millrace|process|workqueue|controller_runtime|rest_client|leader_election)_[a-z_]+)\b")
RECORD = re.compile(r"\b[a-z_]+:[a-z0-9_]+:[a-z0-9]+\b")
# The operator's, by the names that controllers of Kubernetes have in common.
OPERATOR = {
    "controller_runtime_reconcile_total": "counter", "controller_runtime_reconcile_errors_total": "counter",
    "controller_runtime_reconcile_time_seconds": "histogram", "workqueue_depth": "gauge", "workqueue_adds_total": "counter",
    "workqueue_retries_total": "counter", "workqueue_queue_duration_seconds": "histogram", "workqueue_work_duration_seconds": "histogram",
    "rest_client_requests_total": "counter", "leader_election_master_status": "gauge",
}


def exported(root):
    """{name: type}; a histogram also under the names of its series."""
    found = dict(OPERATOR)
    found.update(ROW.findall((root / "docs/metrics.md").read_text()))
    for name, kind in list(found.items()):
        if kind == "histogram":
            found.update({f"{name}_{part}": "counter" for part in ("sum", "count", "bucket")})
    return found


def used(query):
    return set(NAME.findall(RECORD.sub("", query)))

#!/usr/bin/env python3
"""Checks the dashboards and alerts as files: their shape, that every metric they use is exported and every exported one is used, that
counters are only used as rates, and that each alert has tests and a runbook.

Usage: dashboards_test.py REPOSITORY
"""
import json
import pathlib
import re
import subprocess
import sys

import catalogue

try:
    import yaml
except ImportError as error:
    print(f"skipped: {error}; install python3-yaml")
    sys.exit(77)

UNITS = {"short", "rps", "Bps", "cps", "reqps", "s", "bytes", "percentunit"}
MOST_STATS = 6
# Told by other panels, or only of use when reading /metrics by eye.
NOT_DRAWN = {"millrace_batch_id", "controller_runtime_max_concurrent_reconciles", "workqueue_adds_total",
             "workqueue_work_duration_seconds", "workqueue_unfinished_work_seconds"}
RUNBOOK = re.compile(r"^# (\w+)\n\n.+?\n\n## Look\n\n```sh\n.+?```\n\n## Do\n\n- .+", re.DOTALL)


def panels(board):
    return [panel for panel in board["panels"] if panel["type"] != "row"]


def queries(board):
    return [target["expr"] for panel in panels(board) for target in panel["targets"]]


def board_problems(board):
    if board["schemaVersion"] < 39 or board["id"] is not None or not re.fullmatch(r"[a-z-]{1,40}", board["uid"]):
        yield "schemaVersion 39 or later, no id and a short uid are wanted"
    variables = [each["name"] for each in board["templating"]["list"]]
    if variables[0] != "DS_PROMETHEUS" or "namespace" not in variables:
        yield f"variables are {variables}"
    if len({panel["id"] for panel in board["panels"]}) != len(board["panels"]):
        yield "panels share an id"
    if sum(panel["type"] == "stat" for panel in board["panels"]) > MOST_STATS:
        yield f"more than {MOST_STATS} figures on top"
    if [each["type"] for each in board["panels"][:2]] != ["row", "stat"]:
        yield "begins without a row of figures"


def panel_problems(panel):
    where, defaults = panel["title"], panel["fieldConfig"]["defaults"]
    if len(panel.get("description", "")) < 10 or not panel["description"].endswith("."):
        yield f"{where}: no description"
    if defaults.get("unit") not in UNITS:
        yield f"{where}: unit {defaults.get('unit')}"
    if not defaults["thresholds"]["steps"] or defaults.get("noValue") is None:
        yield f"{where}: no thresholds or no text for no value"
    if panel["datasource"]["uid"] != "${DS_PROMETHEUS}" or not panel["targets"]:
        yield f"{where}: no query, or a fixed data source"
    place = panel["gridPos"]
    if place["x"] + place["w"] > 24:
        yield f"{where}: beyond the right edge"


def overlaps(board):
    places = [(panel["title"], panel["gridPos"]) for panel in board["panels"]]
    for i, (name, a) in enumerate(places):
        for other, b in places[:i]:
            if a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"] and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"]:
                yield f"{name} lies over {other}"


def query_problems(query, known):
    for name in sorted(catalogue.used(query)):
        if name not in known:
            yield f"no metric {name}"
        elif known[name] == "counter" and not re.search(rf"\b(rate|increase)\({name}", query):
            yield f"the counter {name} is read without rate or increase"
        elif known[name] == "gauge" and re.search(rf"\b(rate|increase)\({name}", query):
            yield f"rate of the gauge {name}"


def alert_problems(alert, root, tested):
    name, notes = alert["alert"], alert["annotations"]
    if not re.fullmatch(r"Millrace[A-Z]\w+", name) or alert["labels"].get("severity") not in ("critical", "warning"):
        yield f"{name}: name or severity"
    if set(notes) != {"summary", "description", "runbook_url"} or notes["runbook_url"] != f"{name}.md":
        yield f"{name}: annotations are {sorted(notes)}, runbook {notes.get('runbook_url')}"
    if "$" not in notes["summary"] + notes["description"] and re.search(r"by \(namespace, job", alert["expr"]):
        yield f"{name}: says nothing about what it found"
    page = root / "docs/runbooks" / f"{name}.md"
    match = RUNBOOK.match(page.read_text()) if page.exists() else None
    if not match or match.group(1) != name:
        yield f"{name}: {page.name} is no runbook (a title, what it means, Look, Do)"
    if tested.get(name, 0) < 1:
        yield f"{name}: no test lets it fire"
    if not re.fullmatch(r"[1-9]\d*[mh]", alert["for"]):
        yield f"{name}: for {alert['for']}"


def fired(tests):
    counts = {}
    for case in (rule for test in tests for rule in test["alert_rule_test"]):
        counts[case["alertname"]] = counts.get(case["alertname"], 0) + len(case["exp_alerts"])
    return counts


def unused(all_queries, known):
    seen = set().union(*(catalogue.used(query) for query in all_queries))
    for name, kind in known.items():
        parts = {name} | {f"{name}_{part}" for part in ("sum", "count", "bucket")}
        if name not in NOT_DRAWN and not re.search(r"_(sum|count|bucket)$", name) and not parts & seen:
            yield f"{name} ({kind}) is on no dashboard and in no alert"


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    known, found, all_queries = catalogue.exported(root), [], []
    for path in sorted((root / "dashboards").glob("*.json")):
        board = json.loads(path.read_text())
        here = [*board_problems(board), *overlaps(board), *(text for panel in panels(board) for text in panel_problems(panel))]
        here += [text for query in queries(board) for text in query_problems(query, known)]
        found += [f"{path.name}: {text}" for text in here]
        all_queries += queries(board)
    rules = [rule for group in yaml.safe_load((root / "dashboards/alerts/millrace.yaml").read_text())["groups"] for rule in group["rules"]]
    tested = fired([test for path in (root / "dashboards/alerts").glob("*_test.yaml") for test in yaml.safe_load(path.read_text())["tests"]])
    alerts = [rule for rule in rules if "alert" in rule]
    for alert in alerts:
        found += alert_problems(alert, root, tested)
    index = (root / "docs/runbooks/README.md").read_text()
    found += [f"{alert['alert']} is not in docs/runbooks/README.md" for alert in alerts
              if f"| [{alert['alert']}]({alert['alert']}.md) | {alert['labels']['severity']} | {alert['for']} |" not in index]
    pages = {path.stem for path in (root / "docs/runbooks").glob("Millrace*.md")}
    found += [f"runbook {name} is of no alert" for name in sorted(pages - {alert["alert"] for alert in alerts})]
    found += [f"{rule.get('alert', rule.get('record'))}: {text}" for rule in rules for text in query_problems(rule["expr"], known)
              if "last_over_time" not in rule["expr"]]
    found += unused(all_queries + [rule["expr"] for rule in rules], known)
    found += [f"dashboards/build.py: {done.stderr}" for done in [subprocess.run(
        [sys.executable, root / "dashboards/build.py", "--check"], capture_output=True, text=True, check=False)] if done.returncode]
    if found:
        sys.exit("\n".join(found))
    print(f"{len(all_queries)} queries, {len(alerts)} alerts")


if __name__ == "__main__":
    main()

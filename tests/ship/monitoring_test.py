#!/usr/bin/env python3
"""Lets a real Prometheus scrape a real run of orders.yaml, and sends it every query of the dashboards, every variable and every rule:
all must be understood, and those that the run has something for must return data.

Usage: monitoring_test.py REPOSITORY MILLRACE
"""
import json
import pathlib
import re
import sys

import monitoring

# What a run of one process, without Kafka and without an operator has no data for.
EMPTY_ROWS = ("Kafka (empty without it)", "Several workers (empty with one process)")
EMPTY_BOARDS = ("millrace-operator",)
LABEL_VALUES = re.compile(r"label_values\((.+), (\w+)\)$")


def panel_problems(server, board):
    for row, panel in monitoring.rows_of(board):
        empty_is_fine = row in EMPTY_ROWS or board["uid"] in EMPTY_BOARDS
        for target in panel["targets"]:
            query = monitoring.filled(target["expr"])
            try:
                found = server.instant(query)
            except ValueError as error:
                yield f"{board['uid']}: {panel['title']}: {error}"
                continue
            if not found and not empty_is_fine:
                yield f"{board['uid']}: {panel['title']}: no data for {query}"


def variable_problems(server, board):
    for variable in board["templating"]["list"][1:]:
        match = LABEL_VALUES.match(monitoring.filled(variable["query"]["query"]))
        if not match:
            yield f"{board['uid']}: {variable['name']}: {variable['query']['query']}"
            continue
        values = server.ask(f"label/{match.group(2)}/values", **{"match[]": match.group(1)})
        if values not in (["shop"], ["orders"]) and board["uid"] not in EMPTY_BOARDS:
            yield f"{board['uid']}: {variable['name']} offers {values}"


def rule_problems(server):
    for group in server.ask("rules")["groups"]:
        for rule in group["rules"]:
            if rule["health"] != "ok":
                yield f"{rule['name']}: {rule['health']} {rule.get('lastError', '')}"
            if rule["type"] == "alerting" and rule["state"] == "firing":
                yield f"{rule['name']} fires while all is well"
            if rule["type"] == "recording" and not server.instant(rule["name"]):
                yield f"{rule['name']} records nothing"


def main():
    root, millrace = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
    missing = monitoring.missing_programs()
    if missing:
        print(f"skipped: no {', '.join(missing)}; scripts/install-deps.sh --monitoring installs them")
        sys.exit(77)
    boards = [json.loads(path.read_text()) for path in sorted((root / "dashboards").glob("*.json"))]
    with monitoring.Monitored(millrace, root / "tests/ship/orders.yaml", root / "dashboards/alerts/millrace.yaml") as server:
        server.wait_for("increase(millrace_expired_keys_total[10s]) > 0 and increase(millrace_late_records_total[10s]) > 0")
        server.wait_for("namespace_job:millrace_batch_processing_delay_seconds:avg5m")
        found = [text for board in boards for text in (*panel_problems(server, board), *variable_problems(server, board))]
        found += rule_problems(server)
    if found:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()

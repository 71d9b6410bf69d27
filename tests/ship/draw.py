#!/usr/bin/env python3
"""Draws the dashboards of jobs from the data of a real run, as pictures for the documents.

Usage: draw.py REPOSITORY MILLRACE FOLDER [SECONDS]
"""
import json
import pathlib
import re
import sys
import time

import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plot  # noqa: E402
from matplotlib.ticker import FuncFormatter  # noqa: E402

import monitoring  # noqa: E402
import monitoring_test  # noqa: E402

LEFT_OUT = monitoring_test.EMPTY_ROWS
BACK, PANEL, INK, FAINT = "#111217", "#181b1f", "#d0d3d8", "#3a3f47"
COLOURS = {"green": "#73bf69", "orange": "#ff9830", "red": "#f2495c"}
CELL_WIDTH, CELL_HEIGHT = 0.5, 0.30  # inches
GAP = 0.25  # cells


def amount(value, unit):
    if unit == "percentunit":
        return f"{value * 100:.3g} %"
    if unit == "s" and abs(value) >= 86400:
        return f"{value / 86400:.3g} days"
    if unit == "s" and abs(value) < 1:
        return f"{value * 1000:.3g} ms"
    for factor, letter in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")) if unit == "bytes" else ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= factor:
            return f"{value / factor:.3g} {letter}" + ("B/s" if unit == "Bps" else "")
    return f"{value:.3g}" + {"s": " s", "bytes": " B", "Bps": " B/s"}.get(unit, "")


def suffix(unit):
    return {"rps": " (records/s)", "cps": " (1/s)"}.get(unit, "")


def legend(pattern, labels):
    return re.sub(r"\{\{(\w+)\}\}", lambda match: labels.get(match.group(1), ""), pattern)


def level(value, steps):
    colour = steps[0]["color"]
    for step in steps[1:]:
        if value >= step["value"]:
            colour = step["color"]
    return COLOURS[colour]


def draw_stat(axes, panel, server):
    defaults = panel["fieldConfig"]["defaults"]
    found = server.instant(monitoring.filled(panel["targets"][0]["expr"]))
    value = float(found[0]["value"][1]) if found else None
    text = "-" if value is None else amount(value, defaults["unit"])
    axes.text(0.5, 0.42, text, color=level(value or 0, defaults["thresholds"]["steps"]), fontsize=17, ha="center", va="center", transform=axes.transAxes)
    axes.set_xticks([])
    axes.set_yticks([])


def draw_graph(axes, panel, server, seconds):
    defaults = panel["fieldConfig"]["defaults"]
    unit, stacked = defaults["unit"], defaults["custom"]["stacking"]["mode"] == "normal"
    lines = [(legend(target["legendFormat"], series["metric"]), series["values"])
             for target in panel["targets"] for series in server.range(monitoring.filled(target["expr"]), seconds)]
    now = time.time()
    if stacked and lines:
        shortest = min(len(values) for _, values in lines)
        axes.stackplot([float(at) - now for at, _ in lines[0][1][-shortest:]], *[[float(y) for _, y in values[-shortest:]] for _, values in lines],
                       labels=[name for name, _ in lines], alpha=0.7)
    else:
        for name, values in lines:
            axes.plot([float(at) - now for at, _ in values], [float(y) for _, y in values], label=name, linewidth=1)
    for step in defaults["thresholds"]["steps"][1:]:
        axes.axhline(step["value"], color=COLOURS[step["color"]], linewidth=0.8, linestyle="--")
    axes.set_ylim(bottom=0) if axes.dataLim.ymin >= 0 and axes.dataLim.ymax > 0 else axes.set_ylim(0, 1)
    axes.set_xlim(-seconds, 0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(value, unit)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0f} s"))
    axes.tick_params(colors=INK, labelsize=6, length=0)
    axes.grid(color=FAINT, linewidth=0.4)
    if lines:
        axes.legend(fontsize=6, loc="upper center", bbox_to_anchor=(0.5, -0.10), ncol=4, frameon=False, labelcolor=INK, handlelength=1)


def draw(board, server, seconds, path):
    panels = [(row, panel) for row, panel in monitoring.rows_of(board) if row not in LEFT_OUT]
    rows = [panel for panel in board["panels"] if panel["type"] == "row"]
    skipped = [row["gridPos"]["y"] for row in rows if row["title"] in LEFT_OUT]  # they are neighbours
    after = [row["gridPos"]["y"] for row in rows if skipped and row["gridPos"]["y"] > skipped[-1]]
    cut = (skipped[0], after[0] - skipped[0]) if skipped else (10**6, 0)

    def top(panel):
        y = panel["gridPos"]["y"]
        return y - cut[1] if y > cut[0] else y

    total = max(top(panel) + panel["gridPos"]["h"] for _, panel in panels)
    figure = plot.figure(figsize=(24 * CELL_WIDTH, total * CELL_HEIGHT), facecolor=BACK)
    for panel in board["panels"]:
        if panel["type"] == "row" and panel["title"] not in LEFT_OUT:
            figure.text(0.006, 1 - (top(panel) + 0.8) / total, panel["title"], color=INK, fontsize=9, fontweight="bold")
    for _, panel in panels:
        place, y = panel["gridPos"], top(panel)
        stat = panel["type"] == "stat"
        x0, y0 = place["x"] + GAP, y + GAP
        width, height = place["w"] - 2 * GAP, place["h"] - 2 * GAP
        figure.patches.append(plot.Rectangle((x0 / 24, 1 - (y0 + height) / total), width / 24, height / total, transform=figure.transFigure, color=PANEL, zorder=-1))
        left, above, below = (0, 0, 0) if stat else (1.3, 1.2, 1.8)
        axes = figure.add_axes([(x0 + left) / 24, 1 - (y0 + height - below) / total, (width - left - (0 if stat else 0.4)) / 24, (height - above - below) / total],
                               facecolor="none" if stat else PANEL)
        for side in axes.spines.values():
            side.set_visible(False)
        unit = panel["fieldConfig"]["defaults"]["unit"]
        figure.text((x0 + 0.2) / 24, 1 - (y0 + 0.75) / total, panel["title"] + suffix(unit), color=INK, fontsize=7.5)
        draw_stat(axes, panel, server) if stat else draw_graph(axes, panel, server, seconds)
    figure.savefig(path, dpi=80, facecolor=BACK)
    plot.close(figure)
    shrink(path)


def shrink(path):
    from PIL import Image
    Image.open(path).convert("RGB").quantize(128).save(path, optimize=True)


def main():
    root, millrace, folder = (pathlib.Path(each).resolve() for each in sys.argv[1:4])
    seconds = int(sys.argv[4]) if len(sys.argv) > 4 else 120
    folder.mkdir(parents=True, exist_ok=True)
    with monitoring.Monitored(millrace, root / "tests/ship/orders.yaml", root / "dashboards/alerts/millrace.yaml") as server:
        server.wait_for(f"time() - process_start_time_seconds > {seconds}", seconds + 60)
        for name in ("jobs", "job"):
            draw(json.loads((root / f"dashboards/{name}.json").read_text()), server, seconds - 15, folder / f"dashboard-{name}.png")


if __name__ == "__main__":
    main()

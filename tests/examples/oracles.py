"""Expected rows of the examples that read this machine's own files, computed from the same files without Millrace.

Each check takes `run(extra_flags) -> text` and `tables(text)`, and returns None or a message.
"""
import collections
import datetime
import glob
import json
import os
import re

DOCUMENTS = "/usr/share/doc/p*/copyright"  # a part of what the job reads, for speed
LICENCES = "/usr/share/common-licenses/*"
DPKG_LOG = "/var/log/dpkg.log"


def texts(pattern):
    """The contents of the regular files of a glob, each inode once, links out of the folder left alone."""
    root = os.path.realpath(os.path.dirname(pattern.split("*")[0]))
    seen = set()
    for path in sorted(glob.glob(pattern)):
        real = os.path.realpath(path)
        info = os.stat(real) if os.path.isfile(real) else None
        if info is None or not real.startswith(root + "/") or (info.st_dev, info.st_ino) in seen:
            continue
        seen.add((info.st_dev, info.st_ino))
        with open(real, "rb") as file:
            yield file.read()


def word_counts(*patterns):
    counts = collections.Counter()
    for pattern in patterns:
        for data in texts(pattern):
            for line in data.split(b"\n"):
                try:
                    counts.update(re.findall("[a-z]+", ascii_lower(line.decode())))
                except UnicodeDecodeError:
                    pass  # a bad record: onError is Skip
    return counts


def ascii_lower(text):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in text)


def difference(got, want):
    if got == want:
        return None
    wrong = {key for key in got.keys() | want.keys() if got[key] != want[key]}
    shown = [f"{key}: got {got[key]}, want {want[key]}" for key in sorted(wrong)[:20]]
    return f"{len(wrong)} of {len(want)} differ\n" + "\n".join(shown)


def licences(run, tables):
    """Every window holds two seconds and starts every second, so each word is counted twice in all."""
    text = run(["--set", "spec.sources.copyrights.file.path=" + DOCUMENTS, "--set", "spec.sinks[0].from=counts", "--set", "spec.sinks[0].fields=[word, count]",
                "--set", "spec.sinks[0].console.rows=1000000", "--set", "spec.sinks[0].format={json: {}}"])
    got = collections.Counter()
    for line in text.splitlines():
        row = json.loads(line)
        got[row["word"]] += row["count"]
    want = word_counts(LICENCES, DOCUMENTS)
    return difference(got, collections.Counter({word: 2 * count for word, count in want.items()}))


def running(run, tables):
    rows = tables(run())["top"][-10:]
    want = sorted(word_counts(LICENCES).items(), key=lambda item: (-item[1], item[0]))[:10]
    want = [f"{rank} {word} {count}" for rank, (word, count) in enumerate(want, 1)]
    return None if rows == want else f"got  {rows}\nwant {want}"


def dpkg(run, tables):
    if not os.path.exists(DPKG_LOG):
        print("no " + DPKG_LOG + " on this machine")
        return None
    days, hours, packages = collections.Counter(), collections.Counter(), collections.defaultdict(set)
    with open(DPKG_LOG, encoding="utf-8") as file:
        for line in file:
            date, time, action, *detail = line.split()
            at = datetime.datetime.fromisoformat(f"{date}T{time}")
            days[f"{date}T00:00:00Z {action}"] += 1
            if action == "install":
                hour = at.strftime("%Y-%m-%dT%H:00:00Z")
                hours[hour] += 1
                packages[hour].add(detail[0].split(":")[0])
    found = tables(run())
    got = collections.Counter({" ".join(row.split()[:2]): int(row.split()[2]) for row in found["perDay"][1:]})
    got_hours = collections.Counter({tuple(row.split()): 1 for row in found.get("perHour", [""])[1:]})
    want_hours = collections.Counter({(h, str(n), str(len(packages[h]))): 1 for h, n in hours.items()})
    return difference(got, days) or difference(got_hours, want_hours)


def instant(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def raw_events(run, *streams):
    """The rows of streams of the job, as one list of JSON objects."""
    sinks = ", ".join("{name: %s, from: %s, console: {rows: 1000000}, format: {json: {}}}" % (name, name) for name in streams)
    return [json.loads(line) for line in run(["--set", f"spec.sinks=[{sinks}]"]).splitlines()]


def average_prices(auctions, bids):
    """Nexmark q4: the mean over auctions of the highest bid in time, by category."""
    of_auction, winning = collections.defaultdict(list), collections.defaultdict(list)
    for bid in bids:
        of_auction[bid["auction"]].append((instant(bid["at"]), bid["price"]))
    for auction in auctions:
        opened, expires = instant(auction["at"]), instant(auction["expires"])
        until = min(expires, opened + datetime.timedelta(hours=1))
        prices = [price for at, price in of_auction[auction["id"]] if opened <= at <= until]
        if prices:
            winning[auction["category"]].append(max(prices))
    return {(str(category), str(len(prices))): sum(prices) / len(prices) for category, prices in winning.items()}


def hot_items(bids):
    """Nexmark q5: the auctions with most bids in each ten seconds that begin every two."""
    windows = collections.defaultdict(collections.Counter)
    for bid in bids:
        second = int(instant(bid["at"]).timestamp())
        last = second - second % 2
        for start in range(last - 8, last + 2, 2):
            windows[start + 10][bid["auction"]] += 1
    rows = collections.Counter()
    for end, counts in windows.items():
        most = max(counts.values())
        stamp = datetime.datetime.fromtimestamp(end, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
        rows.update((stamp, str(auction), str(count)) for auction, count in counts.items() if count == most)
    return rows


def nexmark(run, tables):
    found = tables(run())
    events = raw_events(run, "auctions", "bids")
    auctions = [event for event in events if "category" in event]
    bids = [event for event in events if "price" in event]
    prices = {row.split()[0]: row.split() for row in found["averagePrice"][1:]}
    got = {(category, count): float(price) for category, count, price in prices.values()}
    want = average_prices(auctions, bids)
    if got.keys() != want.keys() or any(abs(got[key] / want[key] - 1) > 1e-12 for key in want):
        return f"q4\ngot  {got}\nwant {want}"
    return difference(collections.Counter(tuple(row.split()) for row in found["hotItems"][1:]), hot_items(bids))


CHECKS = {"word-count-licences": licences, "word-count-running": running, "dpkg-events": dpkg, "nexmark-q4-q5": nexmark}

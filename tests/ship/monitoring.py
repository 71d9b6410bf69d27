"""A Prometheus that scrapes a real `millrace run`, both on free ports of the loopback, and the queries of dashboards on it."""
import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

START_SECONDS = 60
CONFIG = """
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
scrape_configs:
  - job_name: workers
    honor_labels: true
    static_configs: [{{targets: ["127.0.0.1:{target}"]}}]
"""


def missing_programs():
    return [name for name in ("prometheus", "promtool") if not shutil.which(name)]


def free_port():
    with socket.socket() as each:
        each.bind(("127.0.0.1", 0))
        return each.getsockname()[1]


class Monitored:
    """Used by `with`: runs `job` under Prometheus with the project's rules; stops both and removes their files at its end."""

    def __init__(self, millrace, job, rules):
        self.millrace, self.job, self.rules, self.processes = millrace, job, rules, []

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace-monitoring-"))
        try:
            target, self.port = free_port(), free_port()
            config = self.folder / "prometheus.yml"
            config.write_text(CONFIG.format(rules=self.rules, target=target))
            self.run("millrace", [self.millrace, "run", self.job, "--quiet", "--metrics-address", f"127.0.0.1:{target}", "--state", self.folder / "state"])
            self.run("prometheus", ["prometheus", f"--config.file={config}", f"--storage.tsdb.path={self.folder}/data",
                                    f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn"])
            self.wait_for("up == 1")
        except BaseException:
            self.__exit__()
            raise
        return self

    def run(self, name, command):
        log = open(self.folder / f"{name}.log", "wb")
        self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    def wait_for(self, query, seconds=START_SECONDS):
        deadline = time.monotonic() + seconds
        while True:
            with contextlib.suppress(OSError, ValueError):  # it is not up yet
                if self.instant(query):
                    return
            if time.monotonic() > deadline or any(process.poll() is not None for process in self.processes):
                raise RuntimeError(f"{query} gives nothing\n" + "".join(path.read_text()[-1000:] for path in self.folder.glob("*.log")))
            time.sleep(0.3)

    def ask(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise ValueError(json.load(error).get("error", "")) from error

    def instant(self, query):
        return self.ask("query", query=query)["result"]

    def range(self, query, seconds):
        now = time.time()
        return self.ask("query_range", query=query, start=now - seconds, end=now, step=1)["result"]

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def filled(query, namespace="shop", job="orders"):
    """The query as Grafana sends it."""
    return query.replace("$__rate_interval", "10s").replace("$namespace", namespace).replace("$job", job)


def rows_of(board):
    """Yields (title of the row, panel)."""
    title = ""
    for panel in board["panels"]:
        if panel["type"] == "row":
            title = panel["title"]
        else:
            yield title, panel

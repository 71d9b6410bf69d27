"""What the tests of the operator share: an API server with the custom resource and the operator's roles, operators as processes, and
a stand-in for the controllers and nodes that are not there. Requests go over HTTP without kubectl, which is slow to start."""
import base64
import contextlib
import http.server
import json
import os
import pathlib
import re
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "crd"))
import apiserver  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OPERATOR_NAMESPACE = "millrace-system"
OPERATOR_USER = f"system:serviceaccount:{OPERATOR_NAMESPACE}:millrace-operator"
JOBS = "/apis/streaming.millrace.io/v1alpha1"
WAIT_SECONDS = 120  # the machine may be busy
UID_LABEL = "streaming.millrace.io/job-uid"


def wait_for(what, condition, seconds=WAIT_SECONDS):
    """The first result of `condition` that counts; fails with the last one after `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        found = condition()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for {what}; last: {found!r}")
        time.sleep(0.1)


class Refused(Exception):
    def __init__(self, code, text):
        super().__init__(f"{code}: {text}")
        self.code = code


class Api:
    """Requests of one user to an API server."""

    def __init__(self, port, certificate, token):
        self.base, self.token = f"https://127.0.0.1:{port}", token
        self.context = ssl.create_default_context(cafile=str(certificate))

    def call(self, method, path, body=None, kind="application/json"):
        request = urllib.request.Request(self.base + path, method=method, data=None if body is None else json.dumps(body).encode())
        request.add_header("Authorization", "Bearer " + self.token)
        if body is not None:
            request.add_header("Content-Type", kind)
        try:
            with urllib.request.urlopen(request, context=self.context, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise Refused(error.code, error.read().decode(errors="replace")) from None

    def get(self, path):
        """The object, or nothing."""
        try:
            return self.call("GET", path)
        except Refused as refused:
            if refused.code == 404:
                return None
            raise

    def items(self, path):
        return self.call("GET", path)["items"]

    def patch(self, path, body):
        return self.call("PATCH", path, body, "application/merge-patch+json")


class Cluster:
    """An API server with the resource and the roles; use with `with`."""

    def __enter__(self):
        self.server = apiserver.ApiServer(users=[OPERATOR_USER]).__enter__()
        self.api = Api(self.server.port, self.server.certificate, self.server.token)
        crd = self.server.kubectl("apply", "-f", str(ROOT / "crds/streamingjob.yaml"))
        assert crd.returncode == 0, crd.stderr
        wait_for("the resource", lambda: self.api.get(JOBS + "/streamingjobs"))
        self.make_namespace(OPERATOR_NAMESPACE)
        self.grant(OPERATOR_NAMESPACE, "own")
        return self

    def __exit__(self, *_):
        self.server.__exit__()

    def make_namespace(self, name):
        self.api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})

    def grant(self, namespace, which):
        """Binds the rules of operator/rbac/<which>.yaml to the operator in one namespace."""
        rules = yaml.safe_load((ROOT / f"operator/rbac/{which}.yaml").read_text())
        group, name = "rbac.authorization.k8s.io", f"operator-{which}"
        path = f"/apis/{group}/v1/namespaces/{namespace}"
        self.api.call("POST", path + "/roles", {"metadata": {"name": name}, "rules": rules})
        self.api.call("POST", path + "/rolebindings", {
            "metadata": {"name": name}, "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            "subjects": [{"kind": "ServiceAccount", "name": "millrace-operator", "namespace": OPERATOR_NAMESPACE}]})

    def job_namespace(self, name):
        self.make_namespace(name)
        self.grant(name, "watched")
        return name

    def kubeconfig(self, path, server=None, certificate=None, user=OPERATOR_USER, token_file=None, by_file=False):
        certificate = pathlib.Path(certificate or self.server.certificate)
        authority = {"certificate-authority": str(certificate)} if by_file else {
            "certificate-authority-data": base64.b64encode(certificate.read_bytes()).decode()}
        path.write_text(json.dumps({
            "current-context": "test", "contexts": [{"name": "test", "context": {"cluster": "test", "user": "operator", "namespace": OPERATOR_NAMESPACE}}],
            "clusters": [{"name": "test", "cluster": {"server": server or f"https://127.0.0.1:{self.server.port}", **authority}}],
            "users": [{"name": "operator", "user": {"tokenFile": str(token_file)} if token_file else {"token": self.server.tokens[user]}}]}))
        return path

    def requests_of_all(self):
        """What everybody asked for, by the server's audit log: dicts of the log."""
        with open(self.server.audit) as lines:
            return [json.loads(line) for line in lines if line.endswith("\n")]

    def requests(self):
        return [entry for entry in self.requests_of_all() if entry["user"].get("username") == OPERATOR_USER]

    def writes(self, since=0):
        """The writes among the requests from number `since` on, without leases and events."""
        return [f"{entry['verb']} {entry['requestURI']} {entry['responseStatus']['code']}" for entry in self.requests()[since:]
                if entry["verb"] not in ("get", "list", "watch") and entry["objectRef"]["resource"] not in ("leases", "events")]


def memory_bytes(pid):
    """The resident memory of a process."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


class Operator:
    """One process; its log is kept."""

    def __init__(self, program, kubeconfig, namespaces, *flags):
        command = [program, "--kubeconfig", str(kubeconfig), "--image", "millrace:test", "--metrics-address", "127.0.0.1:0",
                   "--progress-interval", "500ms", "--watch-namespaces", ",".join(namespaces), *flags]
        self.lines = []
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, "POD_NAMESPACE": OPERATOR_NAMESPACE})
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()

    def read(self):
        for line in self.process.stderr:
            self.lines.append(line.rstrip("\n"))

    def log(self):
        return "\n".join(self.lines[-40:])

    def logged(self, text):
        return any(text in line for line in list(self.lines))

    def port(self):
        def found():
            for line in list(self.lines):
                match = re.search(r'serving metrics and probes.*"port":"(\d+)"', line)
                if match:
                    return int(match.group(1))
            return None
        return wait_for("the port of the operator", found)

    def fetch(self, path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port()}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    def metric(self, name):
        """The value of the series whose name and labels begin with `name`."""
        for line in self.fetch("/metrics")[1].splitlines():
            if line.startswith(name):
                return float(line.rsplit(" ", 1)[1])
        return None

    def leads(self):
        return self.logged('"leading"')

    def send(self, number):
        self.process.send_signal(number)

    def stop(self, seconds=30):
        """SIGTERM; the exit code."""
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.reader.join()
        self.process.stderr.close()
        return self.process.returncode

    def kill(self):
        self.process.kill()
        self.process.wait()


class StatusServer:
    """A worker's /status on a free port, or on that of another worker with an address of its own; `answer` is what it says."""

    def __init__(self, address="127.0.0.1", port=0):
        self.answer = {"phase": "running", "committedBatch": 7, "lagRecords": 0, "worker": {"leading": True, "epoch": 1},
                       "batches": [{"batch": 7, "batchTime": "2024-06-01T00:00:00Z", "inputRecords": 5, "processingDelayMs": 12.5,
                                    "schedulingDelayMs": 0, "computeMs": 10, "outputMs": 1, "sources": []}], "errors": []}
        status = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                body = json.dumps(status.answer).encode()
                with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                    self.send_response(200)
                    self.send_header("Content-Length", str(len(body)))
                    self.end_headers()
                    self.wfile.write(body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer((address, port), Handler)
        self.port = self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


class Nodes:
    """Does for Deployments in one namespace what the controllers and nodes of a whole cluster would: pods come and go with the
    replicas, run at the address that `address` gives to their template, are ready, and Deployments say so in their status. While
    `container` is set, it is the state of every worker's container, as the kubelet writes it."""

    def __init__(self, api, namespace):
        self.api, self.namespace, self.stopped = api, namespace, threading.Event()
        self.serial = 0
        self.address, self.container = lambda template: "127.0.0.1", None
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def stop(self):
        self.stopped.set()
        self.thread.join()

    def run(self):
        while not self.stopped.is_set():
            with contextlib.suppress(Refused, OSError, KeyError):
                self.step()
            self.stopped.wait(0.1)

    def step(self):
        pods = self.api.items(f"/api/v1/namespaces/{self.namespace}/pods")
        deployments = self.api.items(f"/apis/apps/v1/namespaces/{self.namespace}/deployments")
        owners = {deployment["metadata"]["labels"].get(UID_LABEL) for deployment in deployments}
        for pod in pods:
            if pod["metadata"]["labels"].get(UID_LABEL) not in owners:
                self.remove(pod)
        for deployment in deployments:
            self.settle(deployment, pods)
        if self.container:
            for pod in pods:
                self.report(pod)

    def report(self, pod):
        """Writes the state of the container where it is another."""
        wanted = {"name": "worker", "image": "i", "imageID": "i", **self.container}
        have = (pod["status"].get("containerStatuses") or [{}])[0]
        if {key: have.get(key) for key in wanted} != wanted:
            ready = "True" if wanted["ready"] else "False"
            self.api.patch(f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}/status", {"status": {
                "containerStatuses": [wanted], "conditions": [{"type": "Ready", "status": ready}]}})

    def settle(self, deployment, pods):
        template = deployment["spec"]["template"]
        labels = template["metadata"]["labels"]
        mine = [pod for pod in pods if pod["metadata"]["labels"].get(UID_LABEL) == labels[UID_LABEL]]
        mark = json.dumps(template, sort_keys=True)
        current = [pod for pod in mine if pod["metadata"]["annotations"]["template"] == mark]
        for pod in mine:
            if pod not in current:
                self.remove(pod)
        replicas = deployment["spec"]["replicas"]
        for pod in current[replicas:]:
            self.remove(pod)
        for _ in range(replicas - len(current)):
            self.add(template, mark)
        status = {"replicas": replicas, "updatedReplicas": replicas, "readyReplicas": replicas, "availableReplicas": replicas,
                  "observedGeneration": deployment["metadata"]["generation"]}
        if {name: deployment.get("status", {}).get(name) for name in status} != status:
            self.api.patch(f"/apis/apps/v1/namespaces/{self.namespace}/deployments/{deployment['metadata']['name']}/status", {"status": status})

    def add(self, template, mark):
        self.serial += 1
        name, path, address = f"pod-{self.serial}", f"/api/v1/namespaces/{self.namespace}/pods", self.address(template)
        spec = {key: value for key, value in template["spec"].items() if key not in ("volumes",)}
        for container in spec["containers"]:
            container.pop("volumeMounts", None)
        self.api.call("POST", path, {"metadata": {"name": name, "labels": template["metadata"]["labels"], "annotations": {**template["metadata"].get("annotations", {}), "template": mark}}, "spec": spec})
        self.api.patch(f"{path}/{name}/status", {"status": {
            "phase": "Running", "podIP": address, "podIPs": [{"ip": address}], "conditions": [{"type": "Ready", "status": "True"}]}})

    def remove(self, pod):
        self.api.call("DELETE", f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}", {"gracePeriodSeconds": 0})


def ended(code, message, restarts, waiting="CrashLoopBackOff"):
    """The state of a container that ended and waits for its next start."""
    return {"ready": False, "restartCount": restarts, "state": {"waiting": {"reason": waiting, "message": "back-off"}},
            "lastState": {"terminated": {"exitCode": code, "reason": "Completed" if code == 0 else "Error", "message": message,
                                         "startedAt": "2024-06-01T00:00:00Z", "finishedAt": "2024-06-01T00:00:01Z"}}}


def job(name, port, **spec):
    return {"apiVersion": "streaming.millrace.io/v1alpha1", "kind": "StreamingJob", "metadata": {"name": name},
            "spec": {"sources": [{"name": "words", "generator": {"fields": {"word": '"a"'}}}],
                     "sinks": [{"name": "out", "from": "words", "console": {}}], "state": {"redis": {"addresses": ["redis:6379"]}},
                     "metrics": {"port": port}, **spec}}

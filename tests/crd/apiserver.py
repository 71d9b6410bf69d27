"""A Kubernetes API server of this machine alone: etcd and kube-apiserver on free ports of the loopback, no kubelet.

The server is built from the module in kube/ by build_apiserver.sh and kept in ~/.cache/millrace-kube.
"""
import contextlib
import os
import pathlib
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request

CACHE = pathlib.Path(os.environ.get("MILLRACE_KUBE", pathlib.Path.home() / ".cache/millrace-kube"))
START_SECONDS = 240


def missing_programs():
    wanted = {"kube-apiserver": CACHE / "kube-apiserver", "etcd": CACHE / "etcd", "kubectl": shutil.which("kubectl")}
    return [name for name, path in wanted.items() if not path or not pathlib.Path(path).exists()]


def free_ports(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def etcd_command(folder, client, peer):
    return [CACHE / "etcd", "--data-dir", folder / "etcd", "--unsafe-no-fsync",
            "--listen-client-urls", f"http://127.0.0.1:{client}", "--advertise-client-urls", f"http://127.0.0.1:{client}",
            "--listen-peer-urls", f"http://127.0.0.1:{peer}", "--initial-advertise-peer-urls", f"http://127.0.0.1:{peer}",
            "--initial-cluster", f"default=http://127.0.0.1:{peer}"]


def server_command(folder, etcd, port):
    key = folder / "service-account.key"
    subprocess.run(["openssl", "genrsa", "-out", key, "2048"], check=True, capture_output=True)
    return [CACHE / "kube-apiserver", "--etcd-servers", f"http://127.0.0.1:{etcd}", "--bind-address", "127.0.0.1",
            "--advertise-address", "127.0.0.1", "--secure-port", str(port), "--cert-dir", folder / "certs",
            "--token-auth-file", folder / "tokens.csv", "--authorization-mode", "RBAC",
            "--audit-policy-file", folder / "audit.yaml", "--audit-log-path", folder / "audit.jsonl",
            "--service-account-issuer", "https://localhost", "--service-account-key-file", key,
            "--service-account-signing-key-file", key, "--service-cluster-ip-range", "10.0.0.0/24",
            "--disable-admission-plugins", "ServiceAccount"]


def is_ready(port, certificate):
    import ssl
    if not certificate.exists():
        return False
    context = ssl.create_default_context(cafile=str(certificate))
    context.check_hostname = False
    try:
        with urllib.request.urlopen(f"https://127.0.0.1:{port}/readyz", context=context, timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


AUDIT_POLICY = """apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{level: Metadata}]
"""


def end(process):
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class ApiServer:
    """Started by `with`; stops both processes and removes their files at its end. `kubectl` runs the client on it. `users` have a
    token each, in `tokens`; what everybody did is in the file `audit`, a line of JSON for each request that ended."""

    def __init__(self, users=()):
        self.tokens = {name: secrets.token_hex(16) for name in ("admin", *users)}

    def __enter__(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="millrace-kube-"))
        self.processes = []
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        client, peer, self.port = free_ports(3)
        self.token = self.tokens["admin"]
        lines = [f"{token},{name},{name}{',system:masters' if name == 'admin' else ''}" for name, token in self.tokens.items()]
        (self.folder / "tokens.csv").write_text("\n".join(lines) + "\n")
        (self.folder / "audit.yaml").write_text(AUDIT_POLICY)
        self.audit = self.folder / "audit.jsonl"
        self.certificate = self.folder / "certs/apiserver.crt"
        self.etcd = etcd_command(self.folder, client, peer)
        self.run("etcd", self.etcd)
        self.command = server_command(self.folder, client, self.port)
        self.start_server()

    def start_server(self):
        self.run("kube-apiserver", self.command)
        deadline = time.monotonic() + START_SECONDS
        while not is_ready(self.port, self.certificate):
            if time.monotonic() > deadline or any(process.poll() is not None for process in self.processes):
                raise RuntimeError("the API server did not start:\n" + self.log()[-3000:])
            time.sleep(0.2)

    def restart_etcd(self):
        """Ends etcd and starts it again on its data and ports."""
        end(self.processes[0])
        with open(self.folder / "etcd.log", "ab") as log:
            self.processes[0] = subprocess.Popen(self.etcd, stdout=log, stderr=log)

    def stop_server(self):
        """Ends the API server and leaves etcd; `start_server` brings it back on the same port."""
        end(self.processes.pop())

    def run(self, name, command):
        with open(self.folder / f"{name}.log", "ab") as log:
            self.processes.append(subprocess.Popen(command, stdout=log, stderr=log))

    def log(self):
        return "".join(path.read_text(errors="replace") for path in sorted(self.folder.glob("*.log")))

    def kubectl(self, *arguments, text=None):
        return subprocess.run(
            ["kubectl", "--kubeconfig", "/dev/null", "--server", f"https://127.0.0.1:{self.port}", "--token", self.token,
             "--insecure-skip-tls-verify", "--cache-dir", self.folder / "cache", *arguments],
            input=text, capture_output=True, text=True, timeout=120)

    def __exit__(self, *_):
        for process in reversed(self.processes):
            end(process)
        shutil.rmtree(self.folder, ignore_errors=True)

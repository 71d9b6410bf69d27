"""A proxy in front of an API server that does to requests what broken networks and busy servers do. It speaks TLS with a certificate of
its own, so that the operator talks to it as to any API server."""
import contextlib
import http.client
import http.server
import pathlib
import ssl
import subprocess
import threading


class Fault:
    """What happens to the next `count` requests that `wanted(method, path)` names. One of: `status` is answered instead of
    passing the request on, with `headers`; `reset` closes the connection at once; `freeze` passes a watch on but no byte of its answer;
    `cut` closes a watch after its first piece; `lines` are sent as the answer of a watch; `delay` seconds pass before each piece of a
    watch; `mangle(line)` gives the lines to send instead of each of a watch."""

    def __init__(self, wanted, count=1, status=None, headers=(), reset=False, freeze=False, cut=False, lines=None, delay=0, mangle=None):
        self.wanted, self.count, self.delay, self.mangle = wanted, count, delay, mangle
        self.status, self.headers, self.reset, self.freeze, self.cut, self.lines = status, headers, reset, freeze, cut, lines
        self.hits = 0


def is_watch(method, path):
    return method == "GET" and "watch=1" in path


def is_list(method, path):
    return method == "GET" and "limit=" in path


def is_write(method, path):
    return method != "GET" and "/leases" not in path and "/events" not in path


class FaultProxy:
    def __init__(self, port, certificate, folder):
        self.lock, self.faults, self.seen = threading.Lock(), [], []
        self.frozen, self.held = threading.Event(), threading.Event()
        self.certificate, self.key = pathlib.Path(folder) / "proxy.crt", pathlib.Path(folder) / "proxy.key"
        self.make_certificate()
        upstream = ssl.create_default_context(cafile=str(certificate))
        proxy = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def handle(self):
                try:
                    super().handle()
                except (OSError, ssl.SSLError, http.client.HTTPException):
                    self.close_connection = True

            def forward(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                fault = proxy.take(self.command, self.path)
                if fault and fault.reset:
                    self.close_connection = True
                    self.connection.close()
                    return
                if fault and fault.status:
                    self.answer(fault.status, b'{"kind":"Status","message":"injected","code":%d}' % fault.status, fault.headers)
                    return
                if fault and fault.lines:
                    self.answer(200, fault.lines.encode(), ())
                    return
                with contextlib.closing(http.client.HTTPSConnection("127.0.0.1", port, context=upstream, timeout=700)) as connection:
                    headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection")}
                    connection.request(self.command, self.path, body or None, headers)
                    with contextlib.closing(connection.getresponse()) as answer:
                        self.pass_on(answer, fault)

            def answer(self, status, body, headers):
                self.send_response(status)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def pass_on(self, answer, fault):
                if answer.headers.get("Content-Length") is not None:
                    self.answer(answer.status, answer.read(), ())
                    return
                self.send_response(answer.status)
                self.send_header("Transfer-Encoding", "chunked")
                self.end_headers()
                rest = b""
                while True:
                    piece = answer.read1(65536)
                    while proxy.held.is_set() and not proxy.frozen.wait(0.1):
                        pass
                    if fault and fault.delay:
                        proxy.frozen.wait(fault.delay)
                    if fault and fault.mangle and piece:
                        *whole, rest = (rest + piece).split(b"\n")
                        piece = b"".join(line + b"\n" for each in whole for line in fault.mangle(each))
                        if not piece:
                            continue
                    if fault and fault.freeze:
                        proxy.frozen.wait(600)
                        self.close_connection = True
                        return
                    self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece) if piece else b"0\r\n\r\n")
                    self.wfile.flush()
                    if not piece:
                        return
                    if fault and fault.cut:
                        self.close_connection = True
                        self.connection.close()
                        return

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(self.certificate, self.key)
        self.server.socket = self.context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"https://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def make_certificate(self):
        subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", self.key, "-out", self.certificate,
                        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)

    def renew_certificate(self):
        """New connections see another certificate from now on; the file of the old one holds the new one."""
        self.make_certificate()
        self.context.load_cert_chain(self.certificate, self.key)

    def hold_watches(self):
        """From now on no watch says anything, nor ends."""
        self.held.set()

    def take(self, method, path):
        with self.lock:
            self.seen.append((method, path))
            for fault in self.faults:
                if fault.hits < fault.count and fault.wanted(method, path):
                    fault.hits += 1
                    return fault
        return None

    def inject(self, fault):
        with self.lock:
            self.faults.append(fault)
        return fault

    def lists(self, plural):
        with self.lock:
            return sum(1 for method, path in self.seen if is_list(method, path) and "/" + plural + "?" in path)

    def stop(self):
        self.frozen.set()
        self.server.shutdown()
        self.server.server_close()

#!/usr/bin/env python3
"""Secrets and certificates that cannot be used: `millrace run` names the exact cause, never the content.

secrets_test.py --millrace PATH
"""

import argparse
import http.server
import os
import pathlib
import select
import ssl
import subprocess
import sys
import tempfile
import threading
import unittest

MILLRACE = ""
SECRET = "hunter2"

JOB = """apiVersion: streaming.millrace.io/v1alpha1
kind: StreamingJob
metadata: {name: secrets}
spec:
  batchInterval: 50ms
  poisonBatch: {attempts: 1}
  sources: [{name: lines, generator: {fields: {v: seq}, rate: 1000, count: 3}}]
  sinks: [{name: out, from: lines, http: {url: "URL", timeout: 5s, MORE}, format: {json: {}}}]
"""
HEAD = JOB[:JOB.index("  sinks:")]
KAFKA_JOB = HEAD + """  sinks: [{name: out, from: lines, kafka: {brokers: ["127.0.0.1:9"], topic: t, tls: {secretName: peer}}, format: {json: {}}}]
"""
TABLE_JOB = HEAD + """  tables: [{name: t, key: [id], http: {url: "https://127.0.0.1:9/", tls: {secretName: peer}}, format: {json: {schema: {id: int}}}}]
  streams: [{name: s, from: lines, steps: [{lookup: {table: t, match: {id: v}}}]}]
  sinks: [{name: out, from: s, console: {}}]
"""


class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.authorizations.append(self.headers.get("Authorization"))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class SecretsCase(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="millrace-secrets-")
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.secret = self.folder / "secrets" / "peer"
        self.secret.mkdir(parents=True)

    def put(self, key, data, mode=0o600):
        path = self.secret / key
        path.write_bytes(data)
        path.chmod(mode)

    def serve(self, context=None):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
        server.authorizations = []
        if context:
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return server, server.server_address[1]

    def run_job(self, url, more, secrets="secrets"):
        return self.run_text(JOB.replace("URL", url).replace("MORE", more), secrets)

    def run_text(self, job, secrets="secrets"):
        (self.folder / "job.yaml").write_text(job)
        flags = ["--secrets", secrets] if secrets else []
        done = subprocess.run([MILLRACE, "run", "job.yaml", "--quiet", *flags], cwd=self.folder, capture_output=True, text=True, timeout=60,
                              check=False)
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        return done


class SecretFileTest(SecretsCase):
    """B38 and B70: files of a Secret."""

    AUTH = "auth: {secretName: peer, username: me}"

    def refused(self, secrets="secrets"):
        done = self.run_job("http://127.0.0.1:9/", self.AUTH, secrets)
        self.assertNotEqual(done.returncode, 0)
        return done.stderr

    def test_line_breaks_at_the_end_do_not_count(self):
        for end in (b"", b"\n", b"\r\n"):
            with self.subTest(end=end):
                self.put("token", SECRET.encode() + end)
                server, port = self.serve()
                done = self.run_job(f"http://127.0.0.1:{port}/", self.AUTH)
                self.assertEqual((done.returncode, done.stderr), (0, ""))
                self.assertEqual(set(server.authorizations), {"Bearer " + SECRET})

    def test_names_the_file_that_cannot_be_used(self):
        cases = [(b"", "secret file secrets/peer/token is empty\n"),
                 (b"\n", "secret file secrets/peer/token is empty\n"),
                 (SECRET.encode() + b"\nmore\n", "secret file secrets/peer/token has a line break or NUL inside its value\n"),
                 (SECRET.encode() + b"\0", "secret file secrets/peer/token has a line break or NUL inside its value\n")]
        for data, message in cases:
            with self.subTest(data=data):
                self.put("token", data)
                self.assertEqual(self.refused(), 'millrace: sink "out": ' + message)

    def test_names_a_missing_secret_key_and_flag(self):
        self.assertEqual(self.refused(), 'millrace: sink "out": secret folder secrets/peer has neither "token" nor "password"\n')
        self.assertEqual(self.refused(secrets=None),
                         'millrace: sink "out": secret "peer" is needed but no secrets folder is set; pass --secrets DIR\n')

    def test_warns_of_a_file_that_others_can_read(self):
        self.put("token", SECRET.encode(), 0o644)
        _, port = self.serve()
        done = self.run_job(f"http://127.0.0.1:{port}/", self.AUTH)
        self.assertEqual(done.returncode, 0)
        self.assertIn("secret file can be read by other users; chmod 600 it path=secrets/peer/token", done.stderr)


class CertificateTest(SecretsCase):
    """B71: certificates and keys."""

    TLS = "tls: {secretName: peer}"

    def setUp(self):
        super().setUp()
        self.certificate("ca", "/CN=authority", "-x509")

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True)

    def certificate(self, name, subject, *more):
        key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", name + ".key"]
        self.openssl("req", *key, "-out", name + (".crt" if "-x509" in more else ".csr"), "-subj", subject, *more)

    def signed(self, name, host, days="2"):
        self.certificate(name, "/CN=" + name)
        (self.folder / "ext").write_text(f"subjectAltName={host}\n")
        self.openssl("x509", "-req", "-in", name + ".csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-set_serial", "7", "-days", days, "-extfile",
                     "ext", "-out", name + ".crt")

    def read(self, name):
        return (self.folder / name).read_bytes()

    def port_of(self, name):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / (name + ".crt"), self.folder / (name + ".key"))
        return self.serve(context)[1]

    def warning(self, name):
        """What a job that cannot deliver to this server says first; it tries on for ever."""
        (self.folder / "job.yaml").write_text(JOB.replace("URL", f"https://127.0.0.1:{self.port_of(name)}/").replace("MORE", self.TLS))
        process = subprocess.Popen([MILLRACE, "run", "job.yaml", "--quiet", "--secrets", "secrets"], cwd=self.folder, stderr=subprocess.PIPE,
                                   stdout=subprocess.DEVNULL, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        ready = select.select([process.stderr], [], [], 20)[0]
        return process.stderr.readline() if ready else ""

    def test_trusts_the_authority_of_the_secret(self):
        self.put("ca.crt", self.read("ca.crt"))
        self.signed("server", "IP:127.0.0.1")
        done = self.run_job(f"https://127.0.0.1:{self.port_of('server')}/", self.TLS)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_names_why_a_server_is_not_trusted(self):
        self.put("ca.crt", self.read("ca.crt"))
        self.signed("other", "DNS:elsewhere.example")
        self.signed("old", "IP:127.0.0.1", days="-1")
        self.certificate("stranger", "/CN=stranger", "-x509", "-addext", "subjectAltName=IP:127.0.0.1")
        for name, cause in (("other", "for another host than 127.0.0.1; if it is the right one, set tls.serverName to a name in it"),
                            ("old", "refused: certificate has expired"), ("stranger", "refused: self-signed certificate")):
            with self.subTest(name=name):
                self.assertIn("the server's certificate is " + cause, self.warning(name))

    def test_names_files_that_cannot_be_used_before_it_connects(self):
        self.signed("client", "DNS:client")
        self.signed("second", "DNS:second")
        self.signed("old", "DNS:client", days="-1")
        self.openssl("ec", "-in", "client.key", "-aes128", "-passout", "pass:x", "-out", "locked.key")
        cases = [
            ({}, 'secret folder secrets/peer has none of "ca.crt", "tls.crt", "tls.key"'),
            ({"tls.crt": self.read("client.crt")}, 'secret folder secrets/peer has only one of "tls.crt" and "tls.key"'),
            ({"ca.crt": b"no PEM\n"}, "CA file secrets/peer/ca.crt holds no PEM certificate"),
            ({"ca.crt": self.read("ca.crt"), "tls.crt": self.read("client.crt"), "tls.key": self.read("second.key")},
             "key file secrets/peer/tls.key does not belong to certificate file secrets/peer/tls.crt"),
            ({"ca.crt": self.read("ca.crt"), "tls.crt": self.read("client.crt"), "tls.key": self.read("locked.key")},
             "key file secrets/peer/tls.key is encrypted; write it without a passphrase (openssl pkey -in ... -out ...)"),
            ({"ca.crt": self.read("ca.crt"), "tls.crt": b"no PEM\n", "tls.key": self.read("client.key")},
             "certificate file secrets/peer/tls.crt holds no PEM certificate"),
            ({"ca.crt": self.read("ca.crt"), "tls.crt": self.read("old.crt"), "tls.key": self.read("old.key")},
             "certificate file secrets/peer/tls.crt has expired on "),
        ]
        jobs = {"http sink": JOB.replace("URL", "https://127.0.0.1:9/").replace("MORE", self.TLS), "http table": TABLE_JOB, "kafka sink": KAFKA_JOB}
        for files, message in cases:
            for old in self.secret.iterdir():
                old.unlink()
            for key, data in files.items():
                self.put(key, data)
            for kind, job in jobs.items():
                with self.subTest(message=message, kind=kind):
                    done = self.run_text(job)
                    self.assertEqual(done.returncode, 1 if files else 4, done.stderr)  # 4: something is missing
                    self.assertIn(message, done.stderr)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--millrace", required=True)
    options, rest = parser.parse_known_args()
    MILLRACE = os.path.abspath(options.millrace)
    unittest.main(argv=sys.argv[:1] + rest)

"""Certificates made by openssl for one test run: an authority, a server, a client, and a stranger that nobody trusts."""

import pathlib
import subprocess

VALID_DAYS = "2"
SERVER_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


class Certificates:
    """PEM files in `folder`: `ca.crt`; `server`, `client` and `stranger` with `.crt`, `.key`, and `.pem` that holds both.

    `stranger` is signed by `stranger-ca.crt`, which the server does not trust.
    """

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self._authority("ca")
        self._authority("stranger-ca")
        self._signed("server", "ca", SERVER_NAMES)
        self._signed("client", "ca", "extendedKeyUsage=clientAuth")
        self._signed("stranger", "stranger-ca", "extendedKeyUsage=clientAuth")

    def path(self, name):
        """The path of a file as text, as settings want it."""
        return str(self.folder / name)

    def _authority(self, name):
        self._openssl("req", "-x509", *self._new_key(name), "-days", VALID_DAYS, "-out", f"{name}.crt", "-subj", f"/CN=test {name}")

    def _signed(self, name, authority, extension):
        self._openssl("req", *self._new_key(name), "-out", f"{name}.csr", "-subj", f"/CN={name}")
        (self.folder / f"{name}.ext").write_text(extension + "\n")
        self._openssl("x509", "-req", "-in", f"{name}.csr", "-CA", f"{authority}.crt", "-CAkey", f"{authority}.key",
                      "-set_serial", str(1 + sum(name.encode())), "-days", VALID_DAYS, "-extfile", f"{name}.ext", "-out", f"{name}.crt")
        (self.folder / f"{name}.pem").write_text(
            (self.folder / f"{name}.key").read_text() + (self.folder / f"{name}.crt").read_text())

    @staticmethod
    def _new_key(name):
        return ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key"]

    def _openssl(self, *arguments):
        done = subprocess.run(["openssl", *arguments], cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {' '.join(arguments)}: {done.stderr}")

"""The broker's jars on this machine, and what is made from them once: class data and formatted storage."""

import contextlib
import fcntl
import hashlib
import os
import pathlib
import shutil
import subprocess
import tempfile

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FETCH = REPOSITORY / "scripts" / "kafka" / "fetch.sh"
LOGGING = REPOSITORY / "scripts" / "kafka" / "log4j2.properties"
SCRAM_MECHANISMS = ("SCRAM-SHA-256", "SCRAM-SHA-512")


class Installation:
    """Jars fetched by scripts/kafka/fetch.sh, in a cache that all tests of this user share.

    `archive` is where the class data of this Java goes: with it a broker starts in half the time.
    """

    def __init__(self):
        done = subprocess.run([str(FETCH)], stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{FETCH} failed: a broker needs Java, Maven and, the first time, the network")
        self.home = pathlib.Path(done.stdout.strip())
        java = os.path.realpath(shutil.which("java"))
        self.archive = self.home / f"classes-{_digest(java, os.stat(java).st_mtime_ns)}.jsa"
        self._class_path = ":".join(sorted(str(jar) for jar in (self.home / "lib").glob("*.jar")))

    def command(self, main_class, *arguments, options=()):
        """The command line that runs a class of the broker's jars."""
        if self.archive.exists():
            options = [f"-XX:SharedArchiveFile={self.archive}", *options]
        return ["java", *options, f"-Dlog4j2.configurationFile={LOGGING}", "-cp", self._class_path, main_class, *arguments]

    def formatted(self, users):
        """The `bootstrap.checkpoint` of an empty cluster whose SCRAM users are `users` (name -> password); made once, then kept.

        Any number of clusters may start from copies of it: identities of cluster and broker are in `meta.properties`.
        """
        checkpoint = self.home / f"format-{_digest(sorted(users.items()))}.checkpoint"
        with self.locked("format"):
            if not checkpoint.exists():
                self._format(users, checkpoint)
        return checkpoint

    @contextlib.contextmanager
    def locked(self, name):
        """Holds the lock `name` of this installation, across processes."""
        with open(self.home / f"{name}.lock", "w", encoding="ascii") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _format(self, users, checkpoint):
        with tempfile.TemporaryDirectory(dir=self.home) as folder:
            settings = pathlib.Path(folder) / "server.properties"
            settings.write_text("process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:1\n"
                                "listeners=PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:1\ncontroller.listener.names=CONTROLLER\n"
                                f"log.dirs={folder}/data\n")
            scram = [option for mechanism in SCRAM_MECHANISMS for name, password in users.items()
                     for option in ("--add-scram", f"{mechanism}=[name={name},password={password}]")]
            command = self.command("kafka.tools.StorageTool", "format", "-t", "AAAAAAAAAAAAAAAAAAAAAQ", "-c", str(settings), *scram)
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"formatting storage failed: {done.stdout}{done.stderr}")
            os.replace(f"{folder}/data/bootstrap.checkpoint", checkpoint)


def _digest(*parts):
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:12]

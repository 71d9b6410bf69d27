#!/usr/bin/env python3
"""Apache Kafka of a test's own: one broker or three, started in seconds, gone with the test.

    with Cluster(brokers=3) as cluster:
        cluster.bootstrap                # "127.0.0.1:40001,127.0.0.1:40002,127.0.0.1:40003"
        cluster.kill(cluster.leader("lines"))

As a program it runs a cluster until Ctrl-C; `broker.py prepare` does what only a first start does. The standard library suffices;
producing and consuming is in client.py.
"""

import argparse
import base64
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import uuid

import settings
from installation import Installation
from metadata import read_metadata
from process import Folder, Ports, spawn
from tls import Certificates

READY_SECONDS = 60
STOP_SECONDS = 30
POLL_SECONDS = 0.02
LOG_TAIL_LINES = 60
USERS = {"alice": "alice-secret", "bob": "bob-secret"}
FAST_START = ["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData", "-Xms64m"]


class Broker:
    """One broker's identity, folder and process (None unless it should run). Used through Cluster."""

    def __init__(self, identity, folder, ports, advertised=None, host="127.0.0.1"):
        self.id = identity
        self.host = host
        self.folder = folder
        self.client_port, self.internal_port, self.controller_port = ports
        self.advertised_port = advertised or self.client_port
        self.log = folder / "broker.log"
        self.process = None

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def log_tail(self):
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-LOG_TAIL_LINES:])


class Cluster:
    """Brokers numbered from 1, each broker and controller in one process, on free ports of the loopback.

    brokers      1 or 3. Replication, minimum in-sync replicas and transaction log follow.
    properties   settings of server.properties that win over those of settings.py.
    security     None, "sasl_plaintext", "ssl" or "sasl_ssl", for clients; `users` (name -> password) then know PLAIN and SCRAM,
                 `certificates` (tls.Certificates) are made. A client certificate is asked for, and needed with
                 properties={"listener.name.client.ssl.client.auth": "required"}.
    folder       keeps the data: a cluster on the same folder has the same topics. Without it all is removed by `stop`.
    advertised   the ports that clients are told, one for each broker: those of proxies in front of them.
    host         address of this machine at which clients are served; brokers and tests use the loopback all the same.
    heap_mib, options, cpus   of each Java process: memory, further options (given, they replace those for a fast start), and the
                 list of cores for taskset.

    Not thread-safe, but may be used from any thread. Brokers die with the interpreter, even when it is killed.
    """

    def __init__(self, brokers=1, properties=None, security=None, users=None, folder=None, heap_mib=384, options=None, cpus=None,
                 advertised=None, host="127.0.0.1"):
        if security not in settings.SECURITY:
            raise ValueError(f"security {security!r} is none of {list(settings.SECURITY)}")
        self.security = security
        self.users = dict(users or USERS)
        self._properties = dict(properties or {})
        self._options = [f"-Xmx{heap_mib}m", *(FAST_START if options is None else options)]
        self._cpus = cpus
        self._installation = Installation()
        self._keep = folder is not None
        self._folder = Folder(folder)
        self.folder = self._folder.path
        self._ports = Ports(3 * brokers)
        numbers = iter(self._ports.numbers)
        self.brokers = [Broker(index + 1, self.folder / f"broker-{index + 1}", (next(numbers), next(numbers), next(numbers)),
                               advertised[index] if advertised else None, host)
                        for index in range(brokers)]
        self.certificates = Certificates(self.folder / "tls") if security and "ssl" in security else None

    # --- life -------------------------------------------------------------------------------------------------------------------

    def start(self):
        """Starts every broker; returns the cluster when all of them serve. Raises RuntimeError with the log when one does not."""
        checkpoint = self._installation.formatted(self.users if self.security and "sasl" in self.security else {})
        self._make_archive()
        cluster_id = _identity()
        for broker in self.brokers:
            self._format(broker, cluster_id, checkpoint)
            self._spawn(broker)
        self.wait_ready()
        return self

    def stop(self):
        """Ends every broker, in order when the data is kept and at once when not, and removes what was made. May be repeated."""
        for broker in self.brokers:
            if broker.running:
                broker.process.send_signal(signal.SIGCONT)
                broker.process.send_signal(signal.SIGTERM if self._keep else signal.SIGKILL)
        for broker in self.brokers:
            if broker.process is not None:
                _wait(broker.process)
        self._ports.release()
        self._folder.remove()

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.stop()
            raise

    def __exit__(self, kind, *_):
        if kind is not None and not issubclass(kind, KeyboardInterrupt):
            print(self.logs(), file=sys.stderr)
        self.stop()

    # --- trouble ----------------------------------------------------------------------------------------------------------------

    def kill(self, broker=1):
        """SIGKILL. The ports stay this broker's."""
        self._process(broker).kill()
        self._end(broker)

    def shutdown(self, broker=1):
        """SIGTERM: the broker hands its partitions over and closes its logs. Returns when it has ended."""
        self._process(broker).terminate()
        self._end(broker)

    def pause(self, broker=1):
        """SIGSTOP: connections stay open and nothing is answered, until `resume`."""
        self._process(broker).send_signal(signal.SIGSTOP)

    def resume(self, broker=1):
        self._process(broker).send_signal(signal.SIGCONT)

    def restart(self, broker=1):
        """Starts a broker again on its ports and data, after ending it in order if it runs; returns when it serves."""
        if self.brokers[broker - 1].running:
            self.shutdown(broker)
        self._spawn(self.brokers[broker - 1])
        self.wait_ready()

    def revive(self):
        """Starts every broker that does not run; returns when all serve."""
        for broker in self.brokers:
            if not broker.running:
                self._spawn(broker)
        self.wait_ready()

    # --- questions --------------------------------------------------------------------------------------------------------------

    @property
    def bootstrap(self):
        """Addresses for clients, with `security`."""
        return ",".join(f"{broker.host}:{broker.advertised_port}" for broker in self.brokers)

    @property
    def internal_bootstrap(self):
        """Addresses in plain text, whatever `security` is: for a test's own reading and writing."""
        return ",".join(f"127.0.0.1:{broker.internal_port}" for broker in self.brokers)

    def client_config(self, user=None, password=None, mechanism="PLAIN", certificate=None):
        """librdkafka settings that are let in. `certificate` is "client" or "stranger"; None sends none.

        librdkafka before 2.6.1 repeats its nonce in SCRAM, which Kafka 4 refuses: with those, "PLAIN" is the only mechanism.
        """
        config = {"bootstrap.servers": self.bootstrap, "security.protocol": settings.SECURITY[self.security].lower()}
        if self.certificates:
            config["ssl.ca.location"] = self.certificates.path("ca.crt")
            if certificate:
                config["ssl.certificate.location"] = self.certificates.path(f"{certificate}.crt")
                config["ssl.key.location"] = self.certificates.path(f"{certificate}.key")
        if self.security and "sasl" in self.security:
            user = user or next(iter(self.users))
            config.update({"sasl.mechanism": mechanism, "sasl.username": user,
                           "sasl.password": self.users.get(user, "") if password is None else password})
        return config

    def java_config(self, path, user, password, mechanism):
        """Writes what a client with the right certificate sets to `path`, in the form that Kafka's own tools read."""
        login = "plain.PlainLoginModule" if mechanism == "PLAIN" else "scram.ScramLoginModule"
        properties = {"security.protocol": settings.SECURITY[self.security], "sasl.mechanism": mechanism,
                      "sasl.jaas.config": f"org.apache.kafka.common.security.{login} required "
                                          f'username="{user}" password="{password}";'}
        if self.certificates:
            properties.update({"ssl.truststore.type": "PEM", "ssl.truststore.location": self.certificates.path("ca.crt"),
                               "ssl.keystore.type": "PEM", "ssl.keystore.location": self.certificates.path("client.pem")})
        pathlib.Path(path).write_text(settings.text(properties))

    def metadata(self):
        """metadata.Metadata as the first running broker that answers sees it. Raises OSError when none does."""
        error = OSError("no broker runs")
        for broker in self.brokers:
            if broker.running:
                try:
                    return read_metadata(broker.internal_port)
                except OSError as failure:
                    error = failure
        raise error

    def leader(self, topic, partition=0):
        """The broker that leads a partition; -1 for none."""
        return self.metadata().topics[topic][partition].leader

    def wait_until(self, condition, what, seconds=READY_SECONDS):
        """Asks `condition()` until it is true. OSError counts as not yet. Raises RuntimeError with the logs after `seconds`."""
        deadline = time.monotonic() + seconds
        while not _holds(condition):
            ended = [broker.id for broker in self.brokers if broker.process is not None and not broker.running]
            if time.monotonic() > deadline or ended:
                why = f"broker {ended} ended" if ended else f"{seconds} s passed"
                raise RuntimeError(f"{why} before {what}\n{self.logs()}")
            time.sleep(POLL_SECONDS)

    def wait_ready(self):
        """Returns when every running broker serves and knows of the others, and, if all run, every partition has a leader."""
        self.wait_until(self._ready, "every broker served")

    def logs(self):
        return "\n".join(f"--- broker {broker.id} ({'runs' if broker.running else 'does not run'})\n{broker.log_tail()}"
                         for broker in self.brokers)

    # --- inside -----------------------------------------------------------------------------------------------------------------

    def _process(self, broker):
        return self.brokers[broker - 1].process

    def _end(self, broker):
        _wait(self._process(broker))
        self.brokers[broker - 1].process = None

    def _ready(self):
        running = [broker for broker in self.brokers if broker.running]
        answers = [read_metadata(broker.internal_port) for broker in running]
        identities = {broker.id for broker in running}
        partitions = [partition for answer in answers for topic in answer.topics.values() for partition in topic.values()]
        led = len(running) < len(self.brokers) or all(partition.leader >= 0 for partition in partitions)
        return led and all(identities <= answer.brokers for answer in answers)

    def _format(self, broker, cluster_id, checkpoint):
        """Writes the settings, and the storage of a broker that has none."""
        data = broker.folder / "data"
        data.mkdir(parents=True, exist_ok=True)
        properties = settings.server_properties(broker, self.brokers, self.security, self.users, self.certificates)
        (broker.folder / "server.properties").write_text(settings.text({**properties, **self._properties}))
        if not (data / "meta.properties").exists():
            shutil.copy(checkpoint, data / "bootstrap.checkpoint")
            (data / "meta.properties").write_text(settings.text(
                {"version": 1, "cluster.id": cluster_id, "node.id": broker.id, "directory.id": _identity()}))

    def _spawn(self, broker, options=()):
        command = self._installation.command("kafka.Kafka", str(broker.folder / "server.properties"),
                                             options=[*self._options, *options])
        pin = ["taskset", "-c", self._cpus] if self._cpus else []
        broker.process = spawn([*pin, *command], broker.log, {"LANG": "C.UTF-8"})

    def _make_archive(self):
        """Once for each Java: runs a broker that writes the data of its classes when it ends."""
        if self._installation.archive.exists():
            return
        with self._installation.locked("archive"):
            if not self._installation.archive.exists():
                _Training(self._installation.archive).run()


class _Training(Cluster):
    def __init__(self, archive):
        super().__init__()
        self._archive = archive

    def run(self):
        new = pathlib.Path(f"{self._archive}.new")
        try:
            self._format(self.brokers[0], _identity(), self._installation.formatted({}))
            self._spawn(self.brokers[0], [f"-XX:ArchiveClassesAtExit={new}"])
            self.wait_ready()
            self.shutdown()
            os.replace(new, self._archive)
        finally:
            self.stop()


def _holds(condition):
    try:
        return condition()
    except OSError:
        return False


def _identity():
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def _wait(process):
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _arguments():
    parser = argparse.ArgumentParser(description="Runs a Kafka cluster on this machine until Ctrl-C.")
    parser.add_argument("action", choices=["run", "prepare"], help="prepare: fetch what a broker needs, start it once, end")
    parser.add_argument("--brokers", type=int, choices=[1, 3], default=1)
    parser.add_argument("--security", choices=[name for name in settings.SECURITY if name])
    parser.add_argument("--folder", help="keep the data here (default: a temporary folder)")
    parser.add_argument("--property", action="append", default=[], metavar="NAME=VALUE", help="of server.properties; may be repeated")
    return parser.parse_args()


def _announce(cluster):
    count = f"{len(cluster.brokers)} broker{'s' if len(cluster.brokers) > 1 else ''}"
    print(f"Kafka is ready at {cluster.bootstrap} ({count}, {settings.SECURITY[cluster.security]}, data in {cluster.folder})")
    if cluster.security:
        for name, value in cluster.client_config().items():
            print(f"  {name}={value}")
    plain = cluster.internal_bootstrap if cluster.security else cluster.bootstrap
    print(f"  echo hello | kcat -P -b {plain} -t lines          write; makes the topic\n"
          f"  kcat -C -b {plain} -t lines -o beginning -e       read what is there\n"
          f"  kcat -L -b {plain}                                list topics\n"
          f"  scripts/kafka/tool.sh topics --bootstrap-server {plain} --create --topic words --partitions 4\n"
          "Ctrl-C stops it.", flush=True)


def main():
    arguments = _arguments()
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    properties = {"auto.create.topics.enable": "true", **dict(item.split("=", 1) for item in arguments.property)}
    try:
        with Cluster(arguments.brokers, properties, arguments.security, folder=arguments.folder) as cluster:
            if arguments.action == "run":
                _announce(cluster)
                signal.pause()
    except KeyboardInterrupt:
        print("stopped")
    return 0


if __name__ == "__main__":
    sys.exit(main())

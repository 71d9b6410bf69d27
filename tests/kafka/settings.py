"""The `server.properties` of a broker: three listeners, and timeouts made for tests."""

SECURITY = {None: "PLAINTEXT", "sasl_plaintext": "SASL_PLAINTEXT", "ssl": "SSL", "sasl_ssl": "SASL_SSL"}
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")

# Delays that a test would only wait for, threads and buffers that it has no use for, and records of any age kept.
FOR_TESTS = {
    "auto.create.topics.enable": "false",
    "background.threads": 2,
    "broker.heartbeat.interval.ms": 200,
    "broker.session.timeout.ms": 2000,
    "controller.quorum.election.backoff.max.ms": 200,
    "controller.quorum.election.timeout.ms": 500,
    "controller.quorum.fetch.timeout.ms": 1500,
    "group.coordinator.threads": 1,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 500,
    "log.cleaner.backoff.ms": 200,
    "log.cleaner.dedupe.buffer.size": 4 << 20,
    "log.message.timestamp.after.max.ms": (1 << 63) - 1,
    "log.retention.ms": -1,
    "num.io.threads": 4,
    "num.network.threads": 2,
    "num.partitions": 1,
    "offsets.topic.num.partitions": 4,
    "share.coordinator.state.topic.num.partitions": 1,
    "transaction.abort.timed.out.transaction.cleanup.interval.ms": 500,
    "transaction.state.log.num.partitions": 4,
}


def server_properties(broker, voters, security, users, certificates):
    """Settings of one broker as a dictionary.

    `broker` has `id`, `host`, `folder` and the ports `client_port`, `advertised_port`, `internal_port`, `controller_port`; `voters` are all brokers.
    Clients
    meet `security` on the client listener; brokers and tests talk in plain text on the internal one.
    """
    copies = min(3, len(voters))
    return {
        "process.roles": "broker,controller",
        "node.id": broker.id,
        "controller.quorum.voters": ",".join(f"{voter.id}@127.0.0.1:{voter.controller_port}" for voter in voters),
        "listeners": f"CLIENT://{broker.host}:{broker.client_port},INTERNAL://127.0.0.1:{broker.internal_port},"
                     f"CONTROLLER://127.0.0.1:{broker.controller_port}",
        "advertised.listeners": f"CLIENT://{broker.host}:{broker.advertised_port},INTERNAL://127.0.0.1:{broker.internal_port}",
        "listener.security.protocol.map": f"CLIENT:{SECURITY[security]},INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "inter.broker.listener.name": "INTERNAL",
        "controller.listener.names": "CONTROLLER",
        "log.dirs": broker.folder / "data",
        "default.replication.factor": copies,
        "min.insync.replicas": max(1, copies - 1),
        "offsets.topic.replication.factor": copies,
        "share.coordinator.state.topic.replication.factor": copies,
        "share.coordinator.state.topic.min.isr": max(1, copies - 1),
        "transaction.state.log.replication.factor": copies,
        "transaction.state.log.min.isr": max(1, copies - 1),
        **FOR_TESTS,
        **(_sasl(users) if security and "sasl" in security else {}),
        **(_tls(certificates) if certificates else {}),
    }


def text(properties):
    return "".join(f"{name}={value}\n" for name, value in properties.items())


def _sasl(users):
    module = "org.apache.kafka.common.security"
    passwords = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    settings = {"sasl.enabled.mechanisms": ",".join(MECHANISMS)}
    settings["listener.name.client.plain.sasl.jaas.config"] = f"{module}.plain.PlainLoginModule required {passwords};"
    for mechanism in MECHANISMS[1:]:
        settings[f"listener.name.client.{mechanism.lower()}.sasl.jaas.config"] = f"{module}.scram.ScramLoginModule required;"
    return settings


def _tls(certificates):
    return {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": certificates.path("server.pem"),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": certificates.path("ca.crt"),
        "listener.name.client.ssl.client.auth": "requested",
    }

"""Requests that the client library has no call for, over a socket of our own.

    AlterPartitionReassignments (45, version 0) puts another replica first; ElectLeaders (43, version 1) makes the first one lead;
    CreateAcls (30, version 1) grants rights.
The first is "flexible": its arrays and strings have their length plus one as a varint, and end in a byte of tags.
"""

import socket
import struct

from metadata import CLIENT_ID, CORRELATION, exactly

TIMEOUT_MS = 20_000
PREFERRED = 0
NO_ERROR, ELECTION_NOT_NEEDED = 0, 84
TOPIC, GROUP, CLUSTER, TRANSACTIONAL_ID = 2, 3, 4, 5
LITERAL, PREFIXED = 3, 4
READ, WRITE, CREATE, DESCRIBE = 3, 4, 5, 8
ALLOW = 3


def prefer(cluster, topic, partition, replicas):
    """Makes `replicas`, the partition's own in another order, its replicas, and the first of them its leader."""
    name, tags = topic.encode(), b"\0"
    order = struct.pack(f">B{len(replicas)}i", len(replicas) + 1, *replicas)
    body = struct.pack(">iB", TIMEOUT_MS, 2) + struct.pack("B", len(name) + 1) + name + struct.pack(">Bi", 2, partition) + order + tags * 3
    answer = _ask(cluster, 45, 0, tags + body)
    _check("reassign", topic, struct.unpack_from(">h", answer, 9)[0])  # correlation id, tags, throttle time
    body = struct.pack(f">bih{len(name)}siii", PREFERRED, 1, len(name), name, 1, partition, TIMEOUT_MS)
    answer = _ask(cluster, 43, 1, body)
    _check("elect", topic, struct.unpack_from(">h", answer, 8)[0])


def allow(cluster, user, kind, name, *operations, pattern=LITERAL):
    """Grants `operations` on a resource to a user of the client listener."""
    principal = f"User:{user}".encode()
    body = struct.pack(">i", len(operations))
    for operation in operations:
        body += struct.pack("b", kind) + _string(name.encode()) + struct.pack("b", pattern)
        body += _string(principal) + _string(b"*") + struct.pack("bb", operation, ALLOW)
    answer = _ask(cluster, 30, 1, body)
    _check("allow", name, struct.unpack_from(">h", answer, 12)[0])  # correlation id, throttle time, number of results


def _string(data):
    return struct.pack(f">h{len(data)}s", len(data), data)


def _check(what, topic, error):
    if error not in (NO_ERROR, ELECTION_NOT_NEEDED):
        raise RuntimeError(f"{what} {topic}: error {error}")


def _ask(cluster, key, version, body):
    """The answer of the first running broker, from its correlation id on."""
    port = next(broker.internal_port for broker in cluster.brokers if broker.running)
    frame = struct.pack(f">hhih{len(CLIENT_ID)}s", key, version, CORRELATION, len(CLIENT_ID), CLIENT_ID) + body
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_MS / 1000) as connection:
        connection.sendall(struct.pack(">i", len(frame)) + frame)
        (size,) = struct.unpack(">i", exactly(connection, 4))
        return exactly(connection, size)

"""What a broker says about its cluster: one Metadata request (version 1) over a socket of our own, no client library.

    request  = int32 size, int16 api key 3, int16 version 1, int32 correlation id, string client id, int32 -1 (all topics)
    response = int32 size, int32 correlation id, [broker], int32 controller id, [topic]
    broker   = int32 id, string host, int32 port, nullable string rack
    topic    = int16 error, string name, int8 internal, [partition]
    partition = int16 error, int32 index, int32 leader (-1: none), [int32] replicas, [int32] in sync
Arrays have an int32 count, strings an int16 length (-1: null). All numbers are big-endian.
"""

import socket
import struct
from dataclasses import dataclass, field

CORRELATION = 1
CLIENT_ID = b"millrace-test"


@dataclass
class Partition:
    leader: int
    replicas: list
    in_sync: list


@dataclass
class Metadata:
    """Brokers that are up (their ids), and the partitions by topic and number."""

    brokers: set = field(default_factory=set)
    topics: dict = field(default_factory=dict)


class _Reader:
    def __init__(self, data):
        self._data = data
        self._at = 0

    def number(self, layout):
        (value,) = struct.unpack_from(">" + layout, self._data, self._at)
        self._at += struct.calcsize(layout)
        return value

    def string(self):
        length = self.number("h")
        start, self._at = self._at, self._at + max(length, 0)
        return self._data[start:self._at].decode() if length >= 0 else None

    def array(self, read):
        return [read() for _ in range(self.number("i"))]


def read_metadata(port, timeout_seconds=5.0):
    """Asks the plaintext listener on `port` of the loopback. Raises OSError when nobody answers in time."""
    body = struct.pack(f">hhih{len(CLIENT_ID)}si", 3, 1, CORRELATION, len(CLIENT_ID), CLIENT_ID, -1)
    with socket.create_connection(("127.0.0.1", port), timeout=timeout_seconds) as connection:
        connection.sendall(struct.pack(">i", len(body)) + body)
        (size,) = struct.unpack(">i", exactly(connection, 4))
        return _parse(_Reader(exactly(connection, size)))


def exactly(connection, size):
    data = bytearray()
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise ConnectionError("the broker closed the connection")
        data += part
    return bytes(data)


def _parse(reader):
    if reader.number("i") != CORRELATION:
        raise ConnectionError("an answer to another request")
    brokers = reader.array(lambda: _broker(reader))
    reader.number("i")
    return Metadata(set(brokers), dict(reader.array(lambda: _topic(reader))))


def _broker(reader):
    identity = reader.number("i")
    reader.string()
    reader.number("i")
    reader.string()
    return identity


def _topic(reader):
    reader.number("h")
    name = reader.string()
    reader.number("b")
    return name, dict(reader.array(lambda: _partition(reader)))


def _partition(reader):
    reader.number("h")
    index, leader = reader.number("i"), reader.number("i")
    replicas = reader.array(lambda: reader.number("i"))
    return index, Partition(leader, replicas, reader.array(lambda: reader.number("i")))

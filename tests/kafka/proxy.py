"""A TCP proxy in front of one broker that knows where Kafka's requests begin and end, so that a test can hold, lose or watch them.

    proxy = Proxy()
    cluster = Cluster(advertised=[proxy.port]); proxy.target = cluster.brokers[0].client_port
    proxy.on_request = lambda request: request.hold() if request.api == END_TXN else None

request  = int32 size, int16 api key, int16 version, int32 correlation id, ...
response = int32 size, int32 correlation id, ...
Both are passed on whole. `on_request` is called for each request before it is passed on, `on_response` for each answer, with the
request that it belongs to; both in threads of the proxy.
"""

import socket
import struct
import threading

PRODUCE, ADD_PARTITIONS_TO_TXN, END_TXN = 0, 24, 26


class Request:
    """One request on its way. Thread-safe."""

    def __init__(self, connection, frame):
        self._connection = connection
        self._frame = frame
        self.api, self.version, self.correlation = struct.unpack_from(">hhi", frame)
        self.held = False
        self.muted = False

    def hold(self):
        """Does not pass it on until `release`."""
        self.held = True

    def release(self):
        """Passes a held request on, also when its client has gone; False when the broker's side is closed."""
        return self._connection.to_broker(self._frame)

    def mute(self):
        """The answer is thrown away."""
        self.muted = True

    def cut(self):
        """Closes the client's side: to the client the connection is lost, to the broker it is open until the proxy is closed."""
        self._connection.cut()

    def text(self):
        return self._frame


class Proxy:
    """Listens on `port` of the loopback and passes everything on to `target`, a port of the loopback. Thread-safe."""

    def __init__(self):
        self.target = 0
        self.on_request = None
        self.on_response = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._connections = []
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        _close(self._listener)
        for connection in self._connections:
            connection.close()

    def forget(self):
        """No more hooks."""
        self.on_request = self.on_response = None

    def _accept(self):
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                broker = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            connection = _Connection(self, client, broker)
            self._connections.append(connection)
            connection.start()


class _Connection:
    """A client's connection and its twin to the broker."""

    def __init__(self, proxy, client, broker):
        self._proxy, self._client, self._broker = proxy, client, broker
        self._requests = {}
        self._sending = threading.Lock()
        self._cut = False
        for side in (client, broker):
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self):
        threading.Thread(target=self._requests_loop, daemon=True).start()
        threading.Thread(target=self._responses_loop, daemon=True).start()

    def to_broker(self, frame):
        try:
            with self._sending:
                self._broker.sendall(struct.pack(">i", len(frame)) + frame)
            return True
        except OSError:
            return False

    def cut(self):
        self._cut = True
        _close(self._client)

    def close(self):
        _close(self._client)
        _close(self._broker)

    def _requests_loop(self):
        while (frame := _frame(self._client)) is not None:
            request = Request(self, frame)
            self._requests[request.correlation] = request
            if self._proxy.on_request:
                self._proxy.on_request(request)
            if not request.held and not self.to_broker(frame):
                break
        if not self._cut:
            self.close()

    def _responses_loop(self):
        while (frame := _frame(self._broker)) is not None:
            request = self._requests.pop(struct.unpack_from(">i", frame)[0], None)
            if request and self._proxy.on_response:
                self._proxy.on_response(request)
            if request and request.muted:
                continue
            try:
                self._client.sendall(struct.pack(">i", len(frame)) + frame)
            except OSError:
                if not self._cut:
                    break
        self.close()


def _frame(connection):
    """The next frame without its size; None at the end of the stream."""
    head = _exactly(connection, 4)
    return _exactly(connection, struct.unpack(">i", head)[0]) if head else None


def _exactly(connection, size):
    data = bytearray()
    while len(data) < size:
        try:
            part = connection.recv(size - len(data))
        except OSError:
            return None
        if not part:
            return None
        data += part
    return bytes(data)


def _close(side):
    try:
        side.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    side.close()

"""A connection pooler for tests, as pgbouncer is one: by session or by transaction, in front of a PostgreSQL that trusts all."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.tcp_proxy import shut

SSL, GSS = 80_877_103, 80_877_104
AUTHENTICATED = b"R" + struct.pack("!ii", 8, 0)
MADE_UP_KEY = b"K" + struct.pack("!iii", 12, 1, 1)
READY = b"Z" + struct.pack("!i", 5) + b"I"
PARAMETERS = {"server_version": "15.0", "client_encoding": "UTF8", "integer_datetimes": "on"}


class Pooler:
    """A pooler at a port of this host; ``by_transaction`` gives a server connection back after each transaction."""

    def __init__(self, server: Path, database: str, *, by_transaction: bool) -> None:
        """Listen on a free port, in front of the server at a socket."""
        self._server = server
        self._startup = f"user\0postgres\0database\0{database}\0\0".encode()
        self._by_transaction = by_transaction
        self._idle: list[socket.socket] = []
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._serving: list[threading.Thread] = []
        self._accepting = threading.Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._sockets.append(client)
                self._serving.append(threading.Thread(target=self._serve, args=(client,)))
                self._serving[-1].start()

    def _serve(self, client: socket.socket) -> None:
        server: socket.socket | None = None
        with suppress(OSError):
            _greet(client)
            while (message := _message(client))[:1] != b"X":
                server = server or self._take()
                server.sendall(message)
                if message[:1] in b"QS" and self._answer(server, client) and self._by_transaction:
                    self._idle.append(server)
                    server = None
        client.close()
        if server:
            server.close()

    def _take(self) -> socket.socket:
        return self._idle.pop() if self._idle else self._connect()

    def _connect(self) -> socket.socket:
        server = socket.socket(socket.AF_UNIX)
        server.connect(str(self._server))
        self._sockets.append(server)
        server.sendall(struct.pack("!ii", len(self._startup) + 8, 196_608) + self._startup)
        while _message(server)[:1] != b"Z":
            pass
        return server

    @staticmethod
    def _answer(server: socket.socket, client: socket.socket) -> bool:
        """Pass the server's answer on; whether its transaction has ended."""
        answer = b""
        while answer[:1] != b"Z":
            answer = _message(server)
            client.sendall(answer)
        return answer[-1:] == b"I"

    def close(self) -> None:
        """Close all connections, and wait until nobody is served any more."""
        shut(self._listener)
        self._accepting.join(10)
        for each in list(self._sockets):
            shut(each)
        for thread in self._serving:
            thread.join(10)
        for each in (self._listener, *self._sockets):
            each.close()


def _greet(client: socket.socket) -> None:
    while True:
        (size,) = struct.unpack("!i", _exactly(client, 4))
        (code,) = struct.unpack("!i", _exactly(client, size - 4)[:4])
        if code not in (SSL, GSS):
            break
        client.sendall(b"N")
    texts = [f"{name}\0{value}\0".encode() for name, value in PARAMETERS.items()]
    parameters = b"".join(b"S" + struct.pack("!i", len(text) + 4) + text for text in texts)
    client.sendall(AUTHENTICATED + parameters + MADE_UP_KEY + READY)


def _message(source: socket.socket) -> bytes:
    head = _exactly(source, 5)
    (size,) = struct.unpack("!i", head[1:])
    return head + _exactly(source, size - 4)


def _exactly(source: socket.socket, count: int) -> bytes:
    found = b""
    while len(found) < count:
        part = source.recv(count - len(found))
        if not part:
            raise ConnectionError
        found += part
    return found


@contextmanager
def pooler(server: Path, database: str, *, by_transaction: bool) -> Iterator[str]:
    """Run a pooler in front of the server at a socket; return the URL of a database through it."""
    running = Pooler(server, database, by_transaction=by_transaction)
    try:
        yield f"postgresql://postgres:secret@127.0.0.1:{running.port}/{database}"
    finally:
        running.close()

"""A network between a client and a server that the test can cut, or freeze, at a moment of its choosing."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

CHUNK_BYTES = 65536


class Network:
    """Carries bytes from a port of this machine to a server's socket, and back, as long as it is told to."""

    def __init__(self, server: Path) -> None:
        """Listen; ``is_last`` tells of what a client sends whether the answer to it is to be lost, with the connection."""
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.is_last: Callable[[bytes], bool] = lambda _: False
        self.frozen = False
        self._deaf: set[socket.socket] = set()
        self._open: list[socket.socket] = []
        self._carrying: list[Thread] = []
        self._accepting = Thread(target=self._accept)
        self._accepting.start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(str(self._server))
                self._open += [client, server]
                for both in ((client, server, True), (server, client, False)):
                    self._carrying.append(Thread(target=self._carry, args=both))
                    self._carrying[-1].start()

    def _carry(self, source: socket.socket, target: socket.socket, is_request: bool) -> None:  # noqa: FBT001
        with suppress(OSError):
            while (data := source.recv(CHUNK_BYTES)) and target not in self._deaf:
                if is_request and self.is_last(data):
                    self._deaf.add(source)
                if not self.frozen:
                    target.sendall(data)
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut everything, and wait until nothing is carried any more."""
        shut(self._listening)
        self._accepting.join(10)
        for each in self._open:
            shut(each)
        for thread in self._carrying:
            thread.join(10)
        for each in (self._listening, *self._open):
            each.close()


def shut(each: socket.socket) -> None:
    """Wake whoever waits at a socket: nothing comes any more."""
    with suppress(OSError):
        each.shutdown(socket.SHUT_RDWR)


@contextmanager
def network(server: Path) -> Iterator[Network]:
    """Give a network to a server's socket, and take it down at the end."""
    made = Network(server)
    try:
        yield made
    finally:
        made.close()

"""A network between a client and a server that the test can cut, freeze or slow down, and mend, at moments of its choosing."""

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

CHUNK_BYTES = 65536


class Network:
    """Carries bytes from a port of this machine to a server's socket, and back, as long as it is told to."""

    def __init__(self, server: Path) -> None:
        """Listen; ``is_last`` tells of what a client sends whether the answer to it is to be lost, with the connection.

        ``delay`` is how many seconds each part of what is sent takes.
        """
        self._server = server
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.is_last: Callable[[bytes], bool] = lambda _: False
        self.delay = 0.0
        self._is_cut = False
        self._flows = Event()
        self._flows.set()
        self._deaf: set[socket.socket] = set()
        self._open: list[socket.socket] = []
        self._carrying: list[Thread] = []
        self._accepting = Thread(target=self._accept)
        self._accepting.start()

    def freeze(self) -> None:
        """Hold all that is sent from now on, in both directions, as a partition does: nobody is told."""
        self._flows.clear()

    def cut(self) -> None:
        """Cut all connections, and refuse further ones."""
        self._is_cut = True
        self._flows.set()
        for each in list(self._open):
            shut(each)

    def forget(self) -> None:
        """Have the server lose its connections, as its keepalives do after a while of silence; the clients are not told."""
        self.freeze()
        for each in self._open[1::2]:
            shut(each)

    def mend(self) -> None:
        """Carry again: what was held arrives, and connections are taken."""
        self._is_cut = False
        self._flows.set()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listening.accept()
                server = socket.socket(socket.AF_UNIX)
                if self._is_cut or not reaches(server, self._server):
                    client.close()
                    server.close()
                    continue
                self._open += [client, server]
                for both in ((client, server, True), (server, client, False)):
                    self._carrying.append(Thread(target=self._carry, args=both))
                    self._carrying[-1].start()

    def _carry(self, source: socket.socket, target: socket.socket, is_request: bool) -> None:  # noqa: FBT001
        with suppress(OSError):
            while (data := source.recv(CHUNK_BYTES)) and target not in self._deaf:
                if is_request and self.is_last(data):
                    self._deaf.add(source)
                if self.delay:
                    time.sleep(self.delay)
                self._flows.wait()
                target.sendall(data)
        self._flows.wait()
        for each in (source, target):
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Cut everything, and wait until nothing is carried any more."""
        self._flows.set()
        shut(self._listening)
        self._accepting.join(10)
        for each in self._open:
            shut(each)
        for thread in self._carrying:
            thread.join(10)
        for each in (self._listening, *self._open):
            each.close()


def reaches(each: socket.socket, server: Path) -> bool:
    """Connect to a server's socket, and return whether anybody listens there."""
    try:
        each.connect(str(server))
    except OSError:
        return False
    return True


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

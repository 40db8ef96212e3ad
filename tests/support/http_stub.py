"""Another service over real sockets, which answers as it was told: properly, with rubbish, without end, or not at all."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from threading import Event, Thread

DRIP_SECONDS = 0.02


def http(status: str, body: bytes = b"", *headers: str) -> bytes:
    """Return a whole answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


class Remote:
    """A listening service: its address, and what it was asked."""

    def __init__(self, listener: socket.socket, answer: bytes, drip: bytes | None) -> None:
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}/api.php"
        self.heads: list[bytes] = []
        self.stopping = Event()
        self._listener = listener
        self._answer = answer
        self._drip = drip

    @property
    def target(self) -> str:
        """What the last request asked for: its path and query."""
        return self.heads[-1].split()[1].decode()

    def serve(self) -> None:
        while not self.stopping.is_set():
            with suppress(OSError):  # Nobody came, or somebody hung up.
                self._answer_one()

    def _answer_one(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(1)
            self.heads.append(connection.recv(65536))
            connection.sendall(self._answer)
            while self._drip is not None and not self.stopping.wait(DRIP_SECONDS):
                connection.sendall(self._drip)


@contextmanager
def remote(answer: bytes, *, drip: bytes | None = None) -> Iterator[Remote]:
    """Answer each connection with some bytes and hang up, or drip others (or nothing) without end."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        found = Remote(listener, answer, drip)
        thread = Thread(target=found.serve)
        thread.start()
        try:
            yield found
        finally:
            found.stopping.set()
            thread.join()

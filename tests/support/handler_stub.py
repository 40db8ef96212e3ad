"""A handler that a user had before, on a real socket: it notes what it hears, and misbehaves on request."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler
from threading import Event

from tests.support.ports import free_port
from tests.support.stub_server import StubServer

SECONDS_MAX = 20
MORE_THAN_ANYBODY_READS = 200_000_000

Request = BaseHTTPRequestHandler
Behaviour = Callable[[Request], None]


def taking(request: Request) -> None:
    answer(request, 200)


def failing(request: Request) -> None:
    answer(request, 500)


def redirecting(request: Request) -> None:
    answer(request, 302, Location="/elsewhere")


def dropping(request: Request) -> None:
    request.close_connection = True


def answering_by_half(request: Request) -> None:
    request.send_response(200)
    request.send_header("Content-Length", "100")
    request.end_headers()
    request.wfile.write(b"only this")
    request.close_connection = True


def talking_without_end(request: Request) -> None:
    request.send_response(200)
    request.send_header("Content-Length", str(MORE_THAN_ANYBODY_READS))
    request.end_headers()
    with suppress(OSError):
        for _ in range(MORE_THAN_ANYBODY_READS // 1000):
            request.wfile.write(b"x" * 1000)
    request.close_connection = True


def answer(request: Request, status: int, **headers: str) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": "2", "Set-Cookie": "session=17", **headers}.items():
        request.send_header(name, value)
    request.end_headers()
    request.wfile.write(b"ok")


class TheirHandler:
    """Hears requests on one port, however often it is stopped and started; ``heard`` are the query strings.

    ``taken`` are those that were answered as a handler should.
    """

    def __init__(self) -> None:
        self.port = free_port()
        self.behaviour: Behaviour = taking
        self.heard: list[str] = []
        self.taken: list[str] = []
        self.cookies: list[str] = []
        self.released = Event()

    @property
    def connections(self) -> list[socket.socket]:
        return self._server.connections

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/their.php"

    def hanging(self, request: Request) -> None:
        self.released.wait(SECONDS_MAX)
        request.close_connection = True

    def start(self) -> None:
        handler = self

        class Heard(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # It would hold back each answer's body for 40 ms.

            def do_GET(self) -> None:
                query = self.path.partition("?")[2]
                behaviour = handler.behaviour
                handler.heard.append(query)
                handler.cookies += self.headers.get_all("Cookie", [])
                with suppress(OSError):
                    behaviour(self)
                if behaviour is taking:
                    handler.taken.append(query)

            def log_message(self, *_: object) -> None: ...

        self._server = StubServer(self.port, Heard)
        self._server.start()

    def stop(self) -> None:
        """End it, and with it every connection."""
        self.released.set()
        self._server.stop()


@contextmanager
def their_handler() -> Iterator[TheirHandler]:
    """Run a handler until the block ends."""
    handler = TheirHandler()
    handler.start()
    try:
        yield handler
    finally:
        handler.stop()

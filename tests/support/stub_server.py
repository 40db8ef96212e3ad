"""Small HTTP servers of tests, whose threads end with the test that started them.

A thread that lives on prints its traceback while another test runs. Python before 3.11.8 counts how deep it is in a
syntax tree once for all threads, so that a traceback printed there makes a test fail that parses code here.
"""

import socket
import sys
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class StubServer(ThreadingHTTPServer):
    """Serves on 127.0.0.1 from ``start`` to ``stop``; a client that hangs up is nothing to report.

    ``connections`` are those that it took, the last at the end.
    """

    daemon_threads = False  # Else closing it would not wait for them.

    def __init__(self, port: int, handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(("127.0.0.1", port), handler)
        self.connections: list[socket.socket] = []
        self._serving = Thread(target=self.serve_forever, args=[0.01])

    def start(self) -> None:
        self._serving.start()

    def stop(self) -> None:
        """End it and every connection, and wait for its threads."""
        self.shutdown()
        self._serving.join()
        for connection in self.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def get_request(self) -> tuple[socket.socket, object]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]

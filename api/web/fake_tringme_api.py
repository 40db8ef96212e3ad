"""A simulated ``api.php`` of TringMe: it accepts the operation ``setnotifyurl``, and passes on the URL that was set.

TringMe's page documents no answers of this operation, so these are plain text of our own. It documents no formula either:
a signature is right if it has 32 lower-case hexadecimal digits, as those in TringMe's examples, and covers the request's content.
"""

import re
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.application.rehearsal import target_url as target
from api.application.rehearsal.sender import TargetUnreachable
from api.application.rehearsal.target_url import InvalidTarget
from api.application.tringme_api import OPERATION
from domain.notices import notification
from domain.notices.signature import FORMULAS, UNCHECKED, Keyring, covers_content

HOST = "127.0.0.1"
PATH = "/api.php"
_DIGEST = re.compile("[0-9a-f]{32}")


class FakeTringMeApi:
    """Answers at ``/api.php`` until a URL is set, and after that only for the same URL."""

    def __init__(self, keys: Sequence[str], *, formula: str, anywhere: bool) -> None:
        """Check signatures with ``keys`` and ``formula`` (``off``: not checked); ``anywhere`` allows other hosts."""
        self._keys = keys
        self._formula = formula
        self._anywhere = anywhere
        self._url = ""
        self._set: SimpleQueue[str] = SimpleQueue()
        self.app = Starlette(routes=[Route(PATH, self._answer)])

    def wait(self) -> str:
        """Wait for the URL, and return it."""
        return self._set.get()

    async def _answer(self, request: Request) -> Response:
        pairs = notification.parse_pairs(request.scope["query_string"])
        values = dict(pairs)
        if values.get("op") != OPERATION:
            return _refused(400, f"op is {values.get('op', '')!r}: expected {OPERATION}")
        if not values.get("apikey"):
            return _refused(403, "apikey is missing")
        if self._formula != UNCHECKED:
            if not _DIGEST.fullmatch(values.get("sig", "")):
                return _refused(403, "sig is missing or has another form: expected 32 lower-case hexadecimal digits")
            if not self._is_authentic(pairs):
                return _refused(403, "sig is wrong: expected a signature of the request's content")
        return self._take(values.get("url", ""))

    def _take(self, url: str) -> Response:
        try:
            target.read_target_url(url, anywhere=self._anywhere)
        except InvalidTarget as error:
            return _refused(400, f"url: {error}")
        if self._url and url != self._url:
            return _refused(409, f"the rehearsal calls {self._url} already")
        if not self._url:
            self._url = url
            self._set.put(url)
        return PlainTextResponse("OK\n")

    def _is_authentic(self, pairs: list[tuple[str, str]]) -> bool:
        return any(Keyring(formula, self._keys).verify(pairs) for formula in FORMULAS if covers_content(formula))


def _refused(status: int, why: str) -> Response:
    return PlainTextResponse(f"ERROR {why}\n", status)


@contextmanager
def serve_fake_api(app: Starlette, port: int) -> Iterator[int]:
    """Serve the API on this machine in a thread, and yield its port; raises TargetUnreachable if the port is taken."""
    try:
        listener = socket.create_server((HOST, port))
    except OSError as error:
        msg = f"cannot listen on port {port}: {error.strerror}"
        raise TargetUnreachable(msg) from error
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, access_log=False, timeout_graceful_shutdown=1))
    # In a thread of its own uvicorn leaves the signals alone: Ctrl-C is for the rehearsal.
    thread = Thread(target=server.run, args=[[listener]], name="stand-in", daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join()
        listener.close()

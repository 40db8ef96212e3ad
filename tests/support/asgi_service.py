"""The service in process: its ASGI application called without a network, on a clock that the test sets."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from starlette.testclient import TestClient

from api import settings
from api.service import Service
from domain import times
from domain.events.codec import decode_notice
from domain.events.notice_events import Notice
from domain.notices.notification import FORM
from tests.support.follower_thread import FollowerThread
from tests.support.notices import KEY

NOON = times.parse("2026-10-15T12:00:00Z")
SECONDS_MAX = 10.0


class Clock:
    """A clock that stands still until the test moves it."""

    def __init__(self) -> None:
        self.at = NOON

    def __call__(self) -> int:
        return self.at


class Answer(NamedTuple):
    """What came back over ASGI."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


def service_at(
    path: Path, clock: Callable[[], int] | None = None, /, *, follows: bool = False, **environment: str
) -> Service:
    """Return a service over a store in this directory, not started, with these settings beside the usual ones.

    It has no helper processes, which take half a second each to start; where it ``follows``, the read models do, in a thread.
    """
    usual = {"TRINGLEDGER_STORE": f"sqlite:///{path / 'ledger.db'}", "TRINGME_PRIVATE_KEY": KEY}
    service = Service(settings.load_settings({**usual, **environment}), clock or Clock())
    service.helpers = []
    if follows:
        service.follower = FollowerThread(service.ledger.url)
        service.helpers.append(service.follower)
    return service


@contextmanager
def running(service: Service) -> Iterator[TestClient]:
    """Run a service and give a client of it; an error inside it becomes a 500, as it would be on a server."""
    with TestClient(service.app, raise_server_exceptions=False) as client:
        yield client


@asynccontextmanager
async def started(service: Service) -> AsyncIterator[None]:
    """Run a service on the event loop at hand."""
    async with service.app.router.lifespan_context(service.app):
        yield


async def ask(
    service: Service,
    query: str | bytes = b"",
    *,
    method: str = "GET",
    body: bytes = b"",
    content_type: str = FORM,
    gone: bool = False,
) -> Answer:
    """Send one request, its bytes as they are; ``gone`` hangs up where the body would come."""
    sent: list[dict[str, Any]] = []
    raw = query.encode() if isinstance(query, str) else query
    scope = {
        "type": "http",
        "method": method,
        "path": service.settings.notify_path,
        "query_string": raw,
        "headers": [(b"content-type", content_type.encode())],
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"} if gone else {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await service.app(scope, receive, send)
    if not sent:
        return Answer(0, {}, b"")
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return Answer(sent[0]["status"], headers, b"".join(part.get("body", b"") for part in sent[1:]))


def on_a_loop(scenario: Callable[[], Awaitable[None]]) -> None:
    """Run an asynchronous scenario, and not for ever."""

    async def bounded() -> None:
        async with asyncio.timeout(3 * SECONDS_MAX):
            await scenario()

    asyncio.run(bounded())


def notices(service: Service) -> list[Notice]:
    """Return all events of the log, in order."""
    store = service.ledger.store
    return [decode_notice(row.state) for row in store.page(0, store.head() + 1, store.head())]


def eventually(holds: Callable[[], bool], seconds_max: float = SECONDS_MAX) -> None:
    """Wait until something holds; fail where it does not within seconds."""
    deadline = time.monotonic() + seconds_max
    while not holds():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)

"""Answers without an end: they end when whoever asked is removed, or may no longer what he could."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from api.web.auth import guard, users
from api.web.auth.authenticator import Authenticator
from api.web.auth.guard import GuardedRoute, Role
from api.web.auth.store import AccessStore
from api.web.pages import refusal
from tests.support import asgi_service as asgi

PARTS_MAX = 1000


class Stream:
    """A stream that ticks until it is let go of, asked for by a user called ann; ``parts`` came through."""

    def __init__(self, path: Path) -> None:
        self.authenticator = Authenticator(f"sqlite:///{path}/ledger.db", asgi.Clock())
        self.token = users.add_user(self.authenticator.store, "ann", [Role.READ], 0)
        self.parts = 0
        self.is_let_go = False

    async def _ticks(self) -> AsyncIterator[bytes]:
        try:
            for _ in range(PARTS_MAX):
                yield b": tick\n\n"
                await asyncio.sleep(0.001)
        finally:
            self.is_let_go = True

    async def _answer(self, _request: Request) -> Response:
        return StreamingResponse(self._ticks(), media_type="text/event-stream")

    async def run(self, meanwhile: Callable[[AccessStore], object]) -> None:
        """Read it to its end; after ten parts something happens to the user."""
        app = Starlette(
            routes=guard.guard_routes(
                [GuardedRoute("/events", self._answer, Role.READ)], self.authenticator, refusal.answer_refusal
            )
        )
        asked = asyncio.Event()

        async def receive() -> Any:
            if asked.is_set():
                await asyncio.Event().wait()
            asked.set()
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: Any) -> None:
            if message.get("body"):
                self.parts += 1
                if self.parts == 10:
                    await asyncio.to_thread(meanwhile, self.authenticator.store)

        headers = [(b"authorization", f"Bearer {self.token}".encode())]
        scope = {"type": "http", "method": "GET", "path": "/events", "query_string": b"", "headers": headers}
        await app(scope, receive, send)


@pytest.fixture
def stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stream:
    monkeypatch.setattr(guard, "ASKED_AGAIN_SECONDS", 0.02)
    return Stream(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        lambda store: users.remove_user(store, "ann"),
        lambda store: users.set_roles(store, "ann", [Role.EXPORT, Role.PII]),
        lambda store: users.renew_token(store, "ann", 1),
    ],
    ids=["removed", "other roles", "another token"],
)
def test_a_stream_ends_soon_after_its_user_is_another(stream: Stream, change: Callable[[AccessStore], object]) -> None:
    asyncio.run(stream.run(change))
    assert 10 <= stream.parts < PARTS_MAX
    assert stream.is_let_go


def test_a_stream_goes_on_while_its_user_is_who_he_was(stream: Stream) -> None:
    asyncio.run(stream.run(lambda store: users.add_user(store, "bob", [Role.READ], 0)))
    assert stream.parts == PARTS_MAX

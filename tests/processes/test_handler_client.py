"""What a handler's answers mean to the forwarder, and what becomes of a handler that gives none."""

import asyncio
import socket
from collections.abc import Callable

import pytest

from api.processes import handler_client as ours
from api.processes.handler_client import HandlerClient
from tests.support import handler_stub as their_handler
from tests.support.asgi_service import eventually
from tests.support.handler_stub import Request, TheirHandler, answer


def refusals(theirs: TheirHandler, *queries: str, between: Callable[[], None] = lambda: None) -> list[str]:
    """Send queries, one after the other, and return how each was refused."""

    async def sent() -> list[str]:
        found = []
        async with HandlerClient(theirs.url) as handler:
            for query in queries:
                found.append(await handler.refusal(query.encode()))
                between()
        return found

    return asyncio.run(sent())


@pytest.mark.parametrize(
    ("status", "refusal"), [(200, ""), (202, ""), (304, "the answer is 304"), (404, "the answer is 404")]
)
def test_any_2xx_takes_and_anything_else_refuses(status: int, refusal: str) -> None:
    def answering(request: Request) -> None:
        answer(request, status)

    with their_handler.their_handler() as theirs:
        theirs.behaviour = answering
        assert refusals(theirs, "f=tm") == [refusal]


def test_one_that_never_answers_is_given_up_and_asked_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "ANSWER_SECONDS_MAX", 0.3)
    with their_handler.their_handler() as theirs:
        theirs.behaviour = theirs.hanging

        def mend() -> None:
            theirs.behaviour = their_handler.taking

        assert refusals(theirs, "r=1", "r=1", between=mend) == ["no complete answer within 0.3 s", ""]


def test_one_that_answers_a_byte_at_a_time_is_given_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ours, "ANSWER_SECONDS_MAX", 0.3)

    def dripping(request: Request) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        for _ in range(1000):
            request.wfile.write(b"x")
            theirs.released.wait(0.05)

    with their_handler.their_handler() as theirs:
        theirs.behaviour = dripping
        assert refusals(theirs, "r=1") == ["no complete answer within 0.3 s"]


def test_a_kept_connection_that_was_closed_meanwhile_is_no_refusal() -> None:
    with their_handler.their_handler() as theirs:

        def hang_up() -> None:
            theirs.connections[-1].shutdown(socket.SHUT_RDWR)

        assert refusals(theirs, "r=1", "r=2", "r=3", between=hang_up) == ["", "", ""]
        eventually(lambda: theirs.taken == ["r=1", "r=2", "r=3"])


def test_nobody_there_is_a_refusal_that_says_so() -> None:
    theirs = TheirHandler()
    (refusal,) = refusals(theirs, "r=1")
    assert refusal.startswith("no complete answer (ConnectError: ")

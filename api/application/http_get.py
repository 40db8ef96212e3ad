"""Calling another service: one GET, and what came of it, told so that a person can act on it.

Bounded in time and in size, whatever the other side does: one deadline for all of it, since a body (or a head) that drips
would pass every timeout of a single read. Redirects are told, not followed: a signed query is for one address alone.
"""

import asyncio
import os

import msgspec

from api import urls as addresses
from domain.errors import Unavailable
from domain.text import printable

ANSWER_MAX_BYTES = 64 * 1024


class Unanswered(Unavailable):
    """The other side gave no answer, or not the one that was needed; the message names it and says what happened."""


class HttpAnswer(msgspec.Struct):
    """What came back: ``status`` is 0 where nothing did, ``body`` are the bytes as they came, at most 64 KiB.

    ``location`` is where a redirect leads, without its query, which may repeat ours; ``flaw`` says why this is not the
    whole answer (empty: it is).
    """

    status: int = 0
    reason: str = ""
    location: str = ""
    body: bytes = b""
    flaw: str = ""

    @property
    def line(self) -> str:
        """The status as the other side put it, and where a redirect leads, so that it moves no cursor."""
        redirect = f", a redirect to {self.location}, which is not followed" if self.location else ""
        return printable(f"{self.status} {self.reason}".strip() + redirect)


def http_get(url: str, *, timeout_seconds: float) -> HttpAnswer:
    """Call an address, and return what came of it, however it went."""
    # Only here: the service, which calls nobody, starts without the client.
    import httpx2  # noqa: PLC0415

    answer = HttpAnswer()
    try:
        asyncio.run(_receive(url, answer, timeout_seconds))
    except TimeoutError:
        answer.flaw = f"no whole answer within {timeout_seconds:g} s"
    except httpx2.ProtocolError:
        # Without the client's words: they repeat what came, and an echo is full of what was signed.
        answer.flaw = "the answer broke off" if answer.status else "no HTTP answer came"
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        answer.flaw = _reason(error)
    return answer


async def _receive(url: str, answer: HttpAnswer, timeout_seconds: float) -> None:
    import httpx2  # noqa: PLC0415

    # The body is wanted as it comes. A proxy of the environment's leads into the world, not to a neighbour.
    client = httpx2.AsyncClient(
        timeout=None, headers={"Accept-Encoding": "identity"}, trust_env=addresses.is_public(url)
    )
    async with asyncio.timeout(timeout_seconds), client, client.stream("GET", url) as response:
        answer.status, answer.reason = response.status_code, response.reason_phrase
        answer.location = response.headers.get("location", "").partition("?")[0] if response.is_redirect else ""
        async for chunk in response.aiter_raw():
            answer.body += chunk
            if len(answer.body) > ANSWER_MAX_BYTES:
                answer.body = answer.body[:ANSWER_MAX_BYTES]
                answer.flaw = f"the body goes on beyond {ANSWER_MAX_BYTES} bytes"
                return


def _reason(error: BaseException) -> str:
    """Return what lies at the bottom of an error: "Connection refused" rather than "All attempts failed"."""
    inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__
    if inner:
        return _reason(inner)
    if isinstance(error, ConnectionError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__

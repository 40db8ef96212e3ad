"""One GET request to another service, and its answer or the reason for the failure.

It is limited in time and size: one deadline covers everything, because a slow body or head would pass every timeout of a
single read. Redirects are reported, not followed, because a signed query is meant for one URL only.
"""

import asyncio
import os

import msgspec

from api import urls as addresses
from domain.errors import Unavailable
from domain.text import printable

ANSWER_MAX_BYTES = 64 * 1024


class Unanswered(Unavailable):
    """There was no answer, or not the expected one; the message has the URL and the reason."""


class HttpAnswer(msgspec.Struct):
    """An answer: ``status`` is 0 if there was none, ``body`` are the bytes as they came, at most 64 KiB.

    ``location`` is the target of a redirect, without its query, which may repeat ours; ``flaw`` says why the answer is
    incomplete, empty if it is complete.
    """

    status: int = 0
    reason: str = ""
    location: str = ""
    body: bytes = b""
    flaw: str = ""

    @property
    def line(self) -> str:
        """The status line of the answer and the target of a redirect, safe to print."""
        redirect = f", a redirect to {self.location}, which is not followed" if self.location else ""
        return printable(f"{self.status} {self.reason}".strip() + redirect)


def http_get(url: str, *, timeout_seconds: float) -> HttpAnswer:
    """Request a URL, and return the answer; failures are in ``flaw``."""
    # Imported here, so that the service starts without it.
    import httpx2  # noqa: PLC0415

    answer = HttpAnswer()
    try:
        asyncio.run(_receive(url, answer, timeout_seconds))
    except TimeoutError:
        answer.flaw = f"no complete answer within {timeout_seconds:g} s"
    except httpx2.ProtocolError:
        # Without the client's message: it repeats the answer, which may echo what was signed.
        answer.flaw = "the answer broke off" if answer.status else "no HTTP answer came"
    except (httpx2.HTTPError, httpx2.InvalidURL) as error:
        answer.flaw = _reason(error)
    return answer


async def _receive(url: str, answer: HttpAnswer, timeout_seconds: float) -> None:
    import httpx2  # noqa: PLC0415

    # The body as it comes, without compression. Proxies of the environment are for the internet, not for local services.
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
                answer.flaw = f"the body is larger than {ANSWER_MAX_BYTES} bytes"
                return


def _reason(error: BaseException) -> str:
    """Return the root cause of an error: "Connection refused" rather than "All attempts failed"."""
    inner = error.exceptions[0] if isinstance(error, BaseExceptionGroup) else error.__cause__ or error.__context__
    if inner:
        return _reason(inner)
    if isinstance(error, ConnectionError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__

"""The user's own handler, to which notifications are forwarded: one request at a time over one connection that is kept.

Whatever it does, there is an end to it: an answer takes so long and is so large at most, redirects are not followed, no
cookie is kept. Only the forwarding process imports this.
"""

import asyncio
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Self

import httpx2

ANSWER_SECONDS_MAX = 30
ANSWER_SIZE_MAX_BYTES = 64 * 1024
# Shorter than what web servers allow: a request that meets a connection's end must be sent again.
IDLE_SECONDS_MAX = 1
HUNG_UP = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)


class HandlerClient:
    """The handler at an address; an asynchronous context that holds the connection."""

    def __init__(self, url: str) -> None:
        """Take the address; a query of its own stays in front of the notification's."""
        self._url = f"{url}{'&' if '?' in url else '?'}"
        self._client = httpx2.AsyncClient(
            headers={"User-Agent": "tringledger", "Accept-Encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            limits=httpx2.Limits(max_connections=1, keepalive_expiry=IDLE_SECONDS_MAX),
            timeout=None,  # There is one for the whole of it, below.
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Hold the connection."""
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Let go of it."""
        await self._client.aclose()

    async def refusal(self, query: bytes) -> str:
        """Send a notification; return how it was refused, or nothing where the handler took it (its answer is 2xx)."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                try:
                    status = await self._send(query)
                except HUNG_UP:
                    status = await self._send(query)  # Servers do so with a connection that was kept; a new one tells.
        except TimeoutError:
            return f"no whole answer within {ANSWER_SECONDS_MAX} s"
        except httpx2.HTTPError as error:
            return f"no whole answer ({type(error).__name__}: {error})"
        return "" if httpx2.codes.is_success(status) else f"the answer is {status}"

    async def _send(self, query: bytes) -> int:
        """Return the status of the answer, once all of it is there, or more of it than anybody needs."""
        size = 0
        async with self._client.stream("GET", self._url + query.decode()) as answer:
            async for chunk in answer.aiter_raw():
                size += len(chunk)
                if size > ANSWER_SIZE_MAX_BYTES:
                    break
        return answer.status_code

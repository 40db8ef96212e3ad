"""HTTP client of your own handler, which receives forwarded notifications: one request at a time over one connection.

Answers are limited in time and size, redirects are not followed, and no cookies are kept. Only the forwarder imports this.
"""

import asyncio
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Self

import httpx2

ANSWER_SECONDS_MAX = 30
ANSWER_SIZE_MAX_BYTES = 64 * 1024
# Shorter than web servers keep connections: a request on a connection that was just closed must be sent again.
IDLE_SECONDS_MAX = 1
HUNG_UP = (httpx2.RemoteProtocolError, httpx2.ReadError, httpx2.WriteError)


class HandlerClient:
    """The handler at a URL; an asynchronous context that keeps the connection."""

    def __init__(self, url: str) -> None:
        """Send to ``url``; its own query stays in front of the notification's parameters."""
        self._url = f"{url}{'&' if '?' in url else '?'}"
        self._client = httpx2.AsyncClient(
            headers={"User-Agent": "tringledger", "Accept-Encoding": "identity"},
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            limits=httpx2.Limits(max_connections=1, keepalive_expiry=IDLE_SECONDS_MAX),
            timeout=None,  # The whole request has one, below.
            trust_env=False,
        )

    async def __aenter__(self) -> Self:
        """Open the client."""
        await self._client.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the client."""
        await self._client.aclose()

    async def refusal(self, query: bytes) -> str:
        """Send a notification; return how the handler refused it, or an empty text if it answered 2xx."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS_MAX):
                try:
                    status = await self._send(query)
                except HUNG_UP:
                    status = await self._send(query)  # Servers may close a kept connection; try with a new one.
        except TimeoutError:
            return f"no complete answer within {ANSWER_SECONDS_MAX} s"
        except httpx2.HTTPError as error:
            return f"no complete answer ({type(error).__name__}: {error})"
        return "" if httpx2.codes.is_success(status) else f"the answer is {status}"

    async def _send(self, query: bytes) -> int:
        """Return the status of the answer, after reading its body up to the size limit."""
        size = 0
        async with self._client.stream("GET", self._url + query.decode()) as answer:
            async for chunk in answer.aiter_raw():
                size += len(chunk)
                if size > ANSWER_SIZE_MAX_BYTES:
                    break
        return answer.status_code

"""A platform that calls a service over real sockets: many connections, and a memory of what each notice was answered."""

import asyncio
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import Any, NamedTuple

import msgspec

from domain.notices.notification import FORM

CONNECTIONS = 16
SECONDS_MAX = 20


class Reply(NamedTuple):
    """A whole answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return msgspec.json.decode(self.body)


Replies = dict[str, Reply]


def get(query: str, path: str = "/notify") -> bytes:
    """Return a GET request as bytes."""
    return f"GET {path}?{query} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def post(body: str, length: int | None = None) -> bytes:
    """Return a POST request as bytes; it may announce more than it brings."""
    size = len(body) if length is None else length
    head = f"POST /notify HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: {FORM}\r\nContent-Length: {size}\r\n\r\n"
    return (head + body).encode()


async def read_reply(reader: asyncio.StreamReader) -> Reply:
    """Read one answer; raises IncompleteReadError where the server dies over it."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    status, *lines = head.splitlines()
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
    body = await reader.readexactly(int(headers["content-length"]))
    return Reply(int(status.split()[1]), headers, body)


async def ask(port: int, request: bytes) -> Reply:
    """Send one request on a connection of its own and return the answer."""
    async with asyncio.timeout(SECONDS_MAX):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        reply = await read_reply(reader)
        await hang_up(writer)
    return reply


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def deliver(port: int, queries: Iterable[str], replies: Replies, connections: int = CONNECTIONS) -> None:
    """Send notices over so many connections at once, and note each answer the moment it is whole.

    Returns when all are sent or the server is gone; what has no answer then is not in ``replies``.
    """
    waiting = iter(queries)
    async with asyncio.timeout(SECONDS_MAX):
        await asyncio.gather(*(_connection(port, waiting, replies) for _ in range(connections)))


async def _connection(port: int, waiting: Iterator[str], replies: Replies) -> None:
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return
    try:
        for query in waiting:
            writer.write(get(query))
            replies[query] = await read_reply(reader)
    except (OSError, asyncio.IncompleteReadError):
        pass  # The server is gone, or going; this notice has no answer.
    finally:
        await hang_up(writer)


def health(port: int) -> Any:
    """Ask a service how it is."""
    return asyncio.run(ask(port, get("", "/health"))).json()

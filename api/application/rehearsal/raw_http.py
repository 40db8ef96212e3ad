"""HTTP on raw streams, to send half and slow requests, which no client library does.

Normal requests share kept connections. Answers are read by the parser that the service itself uses.
"""

import asyncio
import ssl
from contextlib import suppress
from typing import NamedTuple

import httptools

from api.application.rehearsal.plan import PlannedRequest
from api.application.rehearsal.target_url import TargetUrl
from domain.notices.notification import FORM

READ_BYTES = 65_536
PIECES = 5
PIECE_SECONDS = 0.05

# Errors after which a request is retried.
FAILURES = (OSError, TimeoutError, httptools.HttpParserError, httptools.HttpParserUpgrade)


class RawResponse(NamedTuple):
    """An HTTP status, and the seconds of Retry-After, if any."""

    status: int
    retry_after: int | None


class RawConnection(NamedTuple):
    """An open connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def drop(self) -> None:
        """Abort the connection, like a broken network."""
        self.writer.transport.abort()


class RawHttpClient:
    """Sends requests to one target."""

    def __init__(self, target: TargetUrl) -> None:
        """Send to ``target``; nothing is opened yet."""
        self._target = target
        self._tls = ssl.create_default_context() if target.tls else None
        self._kept: list[RawConnection] = []

    async def open(self) -> RawConnection:
        """Open a new connection; raises OSError."""
        return RawConnection(*await asyncio.open_connection(self._target.host, self._target.port, ssl=self._tls))

    async def ask(self, sending: PlannedRequest, *, slowly: bool = False) -> RawResponse:
        """Send a request and return the answer; raises one of FAILURES."""
        connection = self._take() or await self.open()
        try:
            await _write(connection, self.request(sending), PIECES if slowly else 1)
            answer, is_kept = await _read(connection)
        except BaseException:
            connection.drop()
            raise
        if is_kept:
            self._kept.append(connection)
        else:
            connection.writer.close()
        return answer

    async def send_partially(self, sending: PlannedRequest, share: float) -> None:
        """Send part of a request and hang up without an answer; raises OSError."""
        connection = await self.open()
        request = self.request(sending)
        try:
            await _write(connection, request[: int(len(request) * share)], 1)
        finally:
            connection.drop()

    async def send_raw(self, raw: bytes) -> RawResponse:
        """Send any bytes; status 0 means that the service hung up. Raises one of FAILURES."""
        connection = await self.open()
        try:
            await _write(connection, raw.replace(b"{path}", self._target.path.encode()), 1)
            answer, _ = await _read(connection)
        except ConnectionError:
            return RawResponse(0, None)
        finally:
            connection.drop()
        return answer

    def request(self, sending: PlannedRequest) -> bytes:
        """Return a notice as a request, the parameters in the query or in the body."""
        query, path, name = sending.query, self._target.path, self._target.name
        if not sending.posted:
            return f"GET {path}?{query.decode()} HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
        head = f"POST {path} HTTP/1.1\r\nHost: {name}\r\nContent-Type: {FORM}\r\nContent-Length: {len(query)}\r\n\r\n"
        return head.encode() + query

    def _take(self) -> RawConnection | None:
        while self._kept:
            connection = self._kept.pop()
            if not (connection.reader.at_eof() or connection.writer.is_closing()):
                return connection
            connection.drop()
        return None

    def close(self) -> None:
        """Close the kept connections."""
        for connection in self._kept:
            connection.drop()
        self._kept.clear()


class _ResponseParser:
    """An answer as the parser reads it; without a length, it ends with the connection."""

    def __init__(self) -> None:
        self.retry_after: int | None = None
        self.has_length = self.has_headers = self.is_complete = False

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() in (b"content-length", b"transfer-encoding"):
            self.has_length = True
        if name.lower() == b"retry-after":
            with suppress(ValueError):
                self.retry_after = int(value)

    def on_headers_complete(self) -> None:
        self.has_headers = True

    def on_message_complete(self) -> None:
        self.is_complete = True


async def _write(connection: RawConnection, request: bytes, pieces: int) -> None:
    size = -(-len(request) // pieces)
    for start in range(0, len(request), size):
        if start:
            await asyncio.sleep(PIECE_SECONDS)
        connection.writer.write(request[start : start + size])
        await connection.writer.drain()


async def _read(connection: RawConnection) -> tuple[RawResponse, bool]:
    """Return an answer, and whether the connection can be used again."""
    response = _ResponseParser()
    parser = httptools.HttpResponseParser(response)
    while not response.is_complete:
        data = await connection.reader.read(READ_BYTES)
        if not data and response.has_headers and not response.has_length:
            break
        if not data:
            raise ConnectionResetError("the service hung up before its answer")
        parser.feed_data(data)
    return RawResponse(parser.get_status_code(), response.retry_after), parser.should_keep_alive()

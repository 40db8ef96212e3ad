"""HTTP below the application: limits on heads of requests, and on connections that have not sent a whole one (SPEC 9.4).

uvicorn's protocol on httptools takes heads of any size, at any pace, on any number of connections. Here a head has at most
64 KiB and 30 seconds, what follows a chunked body (its trailers) at most 64 KiB, and an address has a limited number of half-open connections: if there are more, the oldest of them
ends. So whoever sends half a request many times leaves room for callbacks.
"""

from asyncio import TimerHandle, Transport
from collections import Counter
from collections.abc import Callable
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.web.problems import TITLES

HEAD_BYTES_MAX = 64 * 1024
HEAD_SECONDS_MAX = 30.0
SAMPLE_BYTES_MAX = 16 * 1024

# What a refusal before the application calls: the status, the reason, the address, and the bytes that came.
OnRefused = Callable[[int, str, str, bytes], None]


class HeadTooLarge(Exception):
    """The head of a request is over the limit; raised in the parser's callback, where it ends parsing."""


class ConnectionLimits:
    """The limits of a service's connections, shared by all of them; ``counts`` is where refusals are counted."""

    def __init__(
        self, half_open_max: int, counts: Counter[str], refused: OnRefused, head_seconds: float = HEAD_SECONDS_MAX
    ) -> None:
        """Begin with no connection."""
        self.head_seconds = head_seconds
        self._half_open_max = half_open_max
        self._counts = counts
        self._refused = refused
        self._half_open: dict[str, dict[LimitedProtocol, None]] = {}

    def begin_head(self, connection: "LimitedProtocol", address: str) -> None:
        """Count a connection that waits for a whole head; end the oldest one of its address if there are too many."""
        waiting = self._half_open.setdefault(address, {})
        waiting[connection] = None
        if len(waiting) > self._half_open_max:
            oldest = next(iter(waiting))
            self._counts["half-open connections ended"] += 1
            oldest.abort()

    def end_head(self, connection: "LimitedProtocol", address: str) -> None:
        """Count a connection no longer, since its head is whole or it has ended."""
        waiting = self._half_open.get(address)
        if waiting is not None and connection in waiting:
            del waiting[connection]
            if not waiting:
                del self._half_open[address]

    def note_refusal(self, status: int, reason: str, address: str, content: bytes) -> None:
        """Count a refusal before the application, and keep a sample of it."""
        self._counts[f"refused with {status} before the application"] += 1
        self._refused(status, reason, address, content)


class LimitedProtocol(HttpToolsProtocol):
    """One connection, under limits."""

    def __init__(self, limits: ConnectionLimits, **given: Any) -> None:
        """Pass on what uvicorn gives to its protocol."""
        super().__init__(**given)
        self._limits = limits
        self._address = ""
        self._in_head = False
        self._head: list[bytes] = []
        self._head_bytes = 0
        self._head_timer: TimerHandle | None = None
        # Whether the size of a chunk was the last that came: its content follows, or trailers, if it was 0.
        self._may_be_in_trailers = False
        self._trailer_bytes = 0
        self._is_chunk_new = False

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Begin to wait for a head."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        self._in_head = True
        self._wait_for_head()

    def _wait_for_head(self) -> None:
        self._limits.begin_head(self, self._address)
        self._head_timer = self.loop.call_later(self._limits.head_seconds, self._end_slow_head)

    def _end_head(self) -> None:
        self._in_head, self._head_bytes = False, 0
        if self._head_timer:
            self._head_timer.cancel()
            self._head_timer = None
            self._limits.end_head(self, self._address)
        self._head.clear()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._end_head()
        super().connection_lost(exc)

    def abort(self) -> None:
        """End the connection without an answer."""
        self._end_head()
        self.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Pass data to the parser, unless the head is over its limit."""
        self._head_bytes += len(data)
        self._head.append(data)
        super().data_received(data)
        if self._may_be_in_trailers:
            self._limit_trailers(data)
        if not self._in_head:
            # The head was whole before, or is now: what came is not kept.
            self._head_bytes = 0
            self._head.clear()
        elif self._head_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._refuse_large_head()
        elif not self._head_timer and not self.transport.is_closing():
            # It is of a later request and did not come whole. How much of it came is not known: it came with a body.
            self._head, self._head_bytes = [data], 1
            self._wait_for_head()

    def _limit_trailers(self, data: bytes) -> None:
        """Refuse trailers over the limit; how much of them came together with the size of the last chunk is not known."""
        if self._is_chunk_new:
            self._is_chunk_new = False
            return
        self._trailer_bytes += len(data)
        if self._trailer_bytes > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._head = [data]
            self._refuse(431, f"the trailers of the body are too large; expected at most {HEAD_BYTES_MAX} bytes")

    def on_chunk_header(self) -> None:
        """Begin a chunk; after the last one come trailers."""
        self._may_be_in_trailers = self._is_chunk_new = True
        self._trailer_bytes = 0

    def on_chunk_complete(self) -> None:
        """End a chunk."""
        self._may_be_in_trailers = False

    def on_body(self, body: bytes) -> None:
        """Pass on a part of the body."""
        self._may_be_in_trailers = False
        super().on_body(body)

    def on_message_begin(self) -> None:
        """Begin a head."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """End the head, and start the application."""
        if self._head_bytes > HEAD_BYTES_MAX:
            # What came with it may be the body.
            size = len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)
            if size > HEAD_BYTES_MAX:
                raise HeadTooLarge
        self._end_head()
        super().on_headers_complete()

    def send_400_response(self, msg: str) -> None:
        """Answer what the parser did not understand, and keep a sample of it."""
        if self._in_head and self._head_bytes > HEAD_BYTES_MAX:
            self._refuse_large_head()
            return
        self._limits.note_refusal(400, msg, self._address, self._sample())
        self._end_head()
        super().send_400_response(msg)

    def _refuse_large_head(self) -> None:
        self._refuse(431, f"the head of the request is too large; expected at most {HEAD_BYTES_MAX} bytes")

    def _end_slow_head(self) -> None:
        if self.transport.is_closing():
            return
        if self._head_bytes:
            self._refuse(408, f"the head came too slowly; expected all of it within {self._limits.head_seconds:g} s")
        else:
            self.abort()

    def _refuse(self, status: int, reason: str) -> None:
        self._limits.note_refusal(status, reason, self._address, self._sample())
        self._end_head()
        if self.cycle is not None and self.cycle.response_started and not self.cycle.response_complete:
            self.transport.abort()  # An answer is on its way; a second one would be taken for a part of it.
            return
        body = f"{reason}\n".encode()
        head = f"HTTP/1.1 {status} {TITLES[status]}\r\ncontent-type: text/plain; charset=utf-8\r\n"
        self.transport.write(head.encode() + b"content-length: %d\r\nconnection: close\r\n\r\n" % len(body) + body)
        self.transport.close()

    def _sample(self) -> bytes:
        return b"".join(self._head)[:SAMPLE_BYTES_MAX]

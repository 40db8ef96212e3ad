"""A file that is made at full speed into a temporary file, and sent from there as slowly as its reader takes it.

So a slow reader holds no transaction of the read models and no place among the files that are being made.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from tempfile import TemporaryFile
from typing import IO

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

CHUNK_BYTES = 256 * 1024


class SpooledFile(Response):
    """The answer with a file made of ``parts``; ``made`` is called once no more parts are needed, ``sent`` at the end."""

    def __init__(
        self,
        parts: Iterator[bytes],
        headers: dict[str, str],
        media_type: str,
        *,
        made: Callable[[], None],
        sent: Callable[[], None],
    ) -> None:
        """Describe the file; nothing is made before it is sent."""
        super().__init__(headers=headers, media_type=media_type)
        del self.headers["Content-Length"]  # It is known only once all is made.
        self._parts = parts
        self._made = made
        self._sent = sent
        self._written = 0
        self._is_over = False
        self._grown = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Make and send the file; both end if the reader hangs up."""
        del scope
        self._grown = asyncio.Event()
        try:
            with TemporaryFile("w+b", buffering=0) as file:
                making = asyncio.create_task(self._make(file))
                leaving = asyncio.create_task(_left(receive))
                sending = asyncio.create_task(self._send(file, making, send))
                try:
                    await asyncio.wait({leaving, sending}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    self._is_over = True
                    for task in (leaving, sending):
                        task.cancel()
                    results = await asyncio.gather(making, sending, leaving, return_exceptions=True)
            for result in results:
                if isinstance(result, Exception) and not isinstance(result, OSError):
                    raise result
        finally:
            self._sent()

    async def _make(self, file: IO[bytes]) -> None:
        try:
            await run_in_threadpool(self._write, file, asyncio.get_running_loop())
        finally:
            self._grown.set()

    def _write(self, file: IO[bytes], loop: asyncio.AbstractEventLoop) -> None:
        try:
            for part in self._parts:
                if self._is_over:
                    return
                rest = memoryview(part)
                while rest:
                    count = os.write(file.fileno(), rest)
                    self._written, rest = self._written + count, rest[count:]
                loop.call_soon_threadsafe(self._grown.set)
        finally:
            self._made()

    async def _send(self, file: IO[bytes], making: "asyncio.Task[None]", send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        sent = 0
        while True:
            is_whole = making.done()
            while sent < self._written:
                part = await asyncio.to_thread(os.pread, file.fileno(), min(CHUNK_BYTES, self._written - sent), sent)
                await send({"type": "http.response.body", "body": part, "more_body": True})
                sent += len(part)
            if is_whole:
                break
            await self._grown.wait()
            self._grown.clear()
        making.result()  # A file that could not be made whole must not look whole.
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _left(receive: Receive) -> None:
    """Wait until the reader hangs up."""
    while (await receive())["type"] != "http.disconnect":
        pass

"""A file that is made at full speed into a temporary file, and sent from there as slowly as its reader takes it.

So a slow reader holds no transaction of the read models and no place among the files that are being made.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from typing import IO
from weakref import finalize

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

CHUNK_BYTES = 256 * 1024


class SpooledFile(Response):
    """The answer with a file that somebody is writing; ``sent`` is called at the end, also if the answer is never sent."""

    def __init__(
        self,
        file: IO[bytes],
        sizes: Iterator[int],
        headers: dict[str, str],
        media_type: str,
        *,
        sent: Callable[[], None],
    ) -> None:
        """Send ``file``; ``sizes`` yields how many bytes it has, every now and then, until it is whole, and raises if it never is."""
        super().__init__(headers=headers, media_type=media_type)
        if "Content-Length" not in headers:
            del self.headers["Content-Length"]  # It is known only once all is made.
        self._file = file
        self._sizes = sizes
        self._sent = finalize(self, sent)
        self._written = 0
        self._is_over = False
        self._grown = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the file while it is made; both end if the reader hangs up."""
        del scope
        self._grown = asyncio.Event()
        try:
            making = asyncio.create_task(self._follow())
            leaving = asyncio.create_task(_left(receive))
            sending = asyncio.create_task(self._send(making, send))
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

    async def _follow(self) -> None:
        try:
            await run_in_threadpool(self._note_sizes, asyncio.get_running_loop())
        finally:
            self._grown.set()

    def _note_sizes(self, loop: asyncio.AbstractEventLoop) -> None:
        for size in self._sizes:
            self._written = size
            if self._is_over:
                return
            loop.call_soon_threadsafe(self._grown.set)

    async def _send(self, making: "asyncio.Task[None]", send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        sent = 0
        while True:
            is_whole = making.done()
            while sent < self._written:
                count = min(CHUNK_BYTES, self._written - sent)
                part = await asyncio.to_thread(os.pread, self._file.fileno(), count, sent)
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

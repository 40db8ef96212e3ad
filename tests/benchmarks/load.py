"""The load: a lean client that keeps so many connections busy, each with one request at a time, and times every answer.

A process of its own, so that it shares no interpreter with what it measures. The requests are built before the clock
starts; the first tenth of them is sent to warm up and is not measured.
"""

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import msgspec
import uvloop

from tests.benchmarks.serving import Load

SECONDS_MAX = 60
END_OF_HEAD = b"\r\n\r\n"


class Sender(asyncio.Protocol):
    """One connection: sends a request, waits for all of its answer, and takes the next request."""

    def __init__(self, requests: Iterator[bytes], latencies: list[float]) -> None:
        """Take the requests, shared by all connections, and where to put how long each took."""
        self._requests = requests
        self._latencies = latencies
        self._received = b""
        self.refused = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin with the first request."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so.
        self._send_next()

    def _send_next(self) -> None:
        request = next(self._requests, None)
        if request is None:
            self._transport.close()
            self.done.set_result(None)
            return
        self._sent = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Gather the answer; once it is whole, look at its status and go on."""
        self._received += data
        head, separator, body = self._received.partition(END_OF_HEAD)
        if not separator or len(body) < _content_length(head):
            return
        self._latencies.append(time.perf_counter() - self._sent)
        self.refused += not head.startswith(b"HTTP/1.1 200 ")
        self._received = b""
        self._send_next()

    def connection_lost(self, _error: Exception | None) -> None:
        """Say so where the server hung up on a request."""
        if not self.done.done():
            self.done.set_exception(ConnectionResetError("the server hung up"))


def _content_length(head: bytes) -> int:
    return int(head.lower().partition(b"\r\ncontent-length:")[2].split(b"\r\n", 1)[0])


async def send(port: int, requests: list[bytes], connections: int) -> Load:
    """Send all requests over so many connections and tell what came back."""
    latencies: list[float] = []
    shared, loop = iter(requests), asyncio.get_running_loop()
    begun = time.perf_counter()
    made = [
        await loop.create_connection(lambda: Sender(shared, latencies), "127.0.0.1", port) for _ in range(connections)
    ]
    senders = [sender for _, sender in made]
    async with asyncio.timeout(SECONDS_MAX):
        await asyncio.gather(*(sender.done for sender in senders))
    seconds = time.perf_counter() - begun
    refused = sum(sender.refused for sender in senders)
    ranked = [latency * 1000 for latency in sorted(latencies)]
    p50, p99 = (ranked[int(len(ranked) * share)] for share in (0.5, 0.99))
    return Load(len(requests) - refused, refused, seconds, p50, p99)


def main() -> None:
    """Warm up, measure, and print what was found as JSON."""
    port, file, connections = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    requests = [
        b"GET /notify?" + query + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: TringMe\r\nAccept: */*\r\n\r\n"
        for query in file.read_bytes().splitlines()
    ]
    warm_up = len(requests) // 10
    uvloop.run(send(port, requests[:warm_up], connections))
    found = uvloop.run(send(port, requests[warm_up:], connections))
    sys.stdout.buffer.write(msgspec.json.encode(found))


if __name__ == "__main__":
    main()

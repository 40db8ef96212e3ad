"""Compresses pages, JSON and scripts for clients that take gzip.

Callbacks, files of exports and streams of events are sent as they are: short, of any length, or never ending.
"""

import gzip
from functools import cache
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

# Below that, compressing saves no packet.
BYTES_MIN = 1_000
LEVEL, LEVEL_OF_FILES = 5, 9
MEDIA = (
    "text/html",
    "text/css",
    "text/javascript",
    "application/javascript",
    "application/json",
    "application/problem+json",
    "image/svg+xml",
)


def takes_gzip(request: Request) -> bool:
    """Whether the client takes gzip (RFC 9110, 12.5.3)."""
    for each in request.headers.get("accept-encoding", "").split(","):
        coding, _, weight = each.replace(" ", "").lower().partition(";q=")
        if coding in ("gzip", "*"):
            return not weight or weight.strip("0.") != ""
    return False


def is_compressible(media_type: str) -> bool:
    """Whether what has this media type becomes shorter."""
    return media_type.partition(";")[0].strip() in MEDIA


async def compress_response(request: Request, response: Response) -> None:
    """Compress the body of a response where that helps; others stay as they are."""
    if isinstance(response, StreamingResponse) or "content-encoding" in response.headers:
        return
    body = bytes(getattr(response, "body", b""))
    if len(body) < BYTES_MIN or not is_compressible(response.headers.get("content-type", "")):
        return
    response.headers.add_vary_header("Accept-Encoding")
    if takes_gzip(request):
        response.body = await run_in_threadpool(gzip.compress, body, LEVEL, mtime=0)
        response.headers["Content-Encoding"] = "gzip"
        response.headers["Content-Length"] = str(len(response.body))


@cache
def compressed_file(path: Path) -> bytes:
    """Return the compressed content of one of our own files, which do not change while the service runs."""
    return gzip.compress(path.read_bytes(), LEVEL_OF_FILES, mtime=0)

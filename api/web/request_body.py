"""The body of a request, limited in size and time, so that a slow or endless sender holds no worker for long."""

import asyncio

from starlette.requests import Request

from domain.notices.notification import FORM

BODY_SECONDS_MAX = 20


class BodyRefused(Exception):
    """A body that is too large or too slow; ``status`` is the HTTP status, ``detail`` says what was expected."""

    def __init__(self, status: int, detail: str) -> None:
        """Refuse with a status and its words."""
        super().__init__(detail)
        self.status = status
        self.detail = detail


def is_form(request: Request) -> bool:
    """Whether the body is a URL-encoded form."""
    return request.headers.get("content-type", "").partition(";")[0].strip().lower() == FORM


async def read_body(request: Request, size_max: int) -> bytes:
    """Return the body; raises BodyRefused beyond ``size_max`` bytes or 20 seconds, ClientDisconnect if it breaks off."""
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS_MAX):
            async for chunk in request.stream():
                body += chunk
                if len(body) > size_max:
                    msg = f"the body is too large; expected at most {size_max} bytes"
                    raise BodyRefused(413, msg)
    except TimeoutError:
        msg = f"the body came too slowly; expected all of it within {BODY_SECONDS_MAX} s"
        raise BodyRefused(408, msg) from None
    return bytes(body)

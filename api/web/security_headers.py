"""What every answer tells a browser: run and load nothing but what comes from here, and be nobody's frame."""

from starlette.types import Message, Send

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SECURITY = {
    "content-security-policy": CONTENT_SECURITY_POLICY,
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}
_RAW = [(name.encode(), value.encode()) for name, value in SECURITY.items()]
# What is left of it for a few bytes of data, that nobody should take for a page.
FOR_DATA = [(b"content-security-policy", b"default-src 'none'"), (b"x-content-type-options", b"nosniff")]


def secured(send: Send) -> Send:
    """Return what sends an answer with these headers, whoever made it."""

    async def send_secured(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], *_RAW]
        await send(message)

    return send_secured

"""``GET`` and ``POST /notify``: a callback's way from the wire to its answer (SPEC 2).

Checked in this order: method, content type, size, count, ``f``, signature, values. The body is parsed from its raw
bytes, which are what the signature covers.
"""

import asyncio
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.application.intake import Intake, IntakeBusy, IntakeOutcome
from api.application.request_samples import CONTENT_BYTES_MAX, RequestSample, RequestSamples, request_text
from api.application.spool.callback_spool import Spooled
from api.web import security_headers as headers
from api.web.problems import RETRY_AFTER_SECONDS, problem
from api.web.request_body import BodyRefused, is_form, read_body
from domain.errors import NotANotification
from domain.ledger import Ledger
from domain.notices.notification import FORM, SIZE_MAX_BYTES, ParameterProblem, encode_query
from domain.outcomes import Duplicate, Quarantined, Recorded, Rejected, RowConflict

# How long an answer waits for the rest of what a sample shows.
HEARD_SECONDS_MAX = 1.0
MULTIPART = "multipart/form-data"


class CallbackRefused(Exception):
    """A request that is not a notification; carries the answer to send."""

    def __init__(self, response: Response, reason: str = "") -> None:
        """Refuse with an answer; with a ``reason`` it was refused before its signature was checked, and leaves a sample."""
        super().__init__(response.status_code)
        self.response = response
        self.reason = reason
        self.is_sampled = bool(reason)


class BodyListener:
    """Receives a body for another reader, and remembers how it begins."""

    def __init__(self, receive: Receive) -> None:
        """Listen."""
        self._receive = receive
        self.heard = bytearray()
        self._is_whole = False

    async def __call__(self) -> Message:
        """Receive the next part."""
        message = await self._receive()
        if message["type"] == "http.request":
            if len(self.heard) < CONTENT_BYTES_MAX:
                self.heard += message.get("body", b"")
            self._is_whole = not message.get("more_body", False)
        return message

    async def hear_out(self) -> None:
        """Receive what is still to come, as far as a sample has room for it, for a second at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(HEARD_SECONDS_MAX):
                while not self._is_whole and len(self.heard) < CONTENT_BYTES_MAX:
                    if (await self())["type"] != "http.request":
                        return


class NotifyEndpoint:
    """The endpoint that TringMe calls: an ASGI application of its own, outside the framework's router."""

    def __init__(self, ledger: Ledger, intake: Intake, clock: Callable[[], int], samples: RequestSamples) -> None:
        """Check with the ledger, record through the intake; the clock sets received_at (microseconds, UTC).

        What is refused before its signature is checked leaves a sample.
        """
        self._samples = samples
        self._ledger = ledger
        self._intake = intake
        self._clock = clock
        self.counts: Counter[str] = Counter()
        # Of those that are counted as quarantined; the others have a wrong signature.
        self.broken_values = 0
        # Of those that are counted as spooled.
        self.spooled_broken_values = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one callback."""
        response: ASGIApp
        if scope["method"] == "HEAD":
            self.counts["probes"] += 1
            await Response()(scope, receive, headers.secured(send))
            return
        came = receive if scope["method"] == "GET" else BodyListener(receive)
        try:
            response = await self._answer(scope, came)
        except CallbackRefused as refused:
            response = refused.response
            self.counts[f"refused with {refused.response.status_code}"] += 1
            if refused.is_sampled:
                await self.note_refusal(scope, refused.response.status_code, refused.reason, came)
        except ClientDisconnect:
            self.counts["hung up"] += 1
            return
        await response(scope, receive, send if isinstance(response, JsonAnswer) else headers.secured(send))

    async def note_refusal(self, scope: Scope, status: int, reason: str, receive: Receive | None = None) -> None:
        """Keep a sample of a request that was refused before its signature was checked."""
        body = b""
        if isinstance(receive, BodyListener):
            await receive.hear_out()
            body = bytes(receive.heard)
        given, query = scope["headers"], scope["query_string"]
        target = scope.get("raw_path") or scope["path"].encode()
        line = scope["method"].encode() + b" " + target + (b"?" + query if query else b"")
        kind = next((value for name, value in given if name == b"content-type"), b"")
        client = scope.get("client")
        self._samples.add(
            RequestSample(
                self._clock(),
                status,
                reason,
                scope["method"],
                scope["path"],
                kind.decode("latin-1"),
                client[0] if client else "",
                request_text(line, given, body),
            )
        )

    def note_unparsed(self, status: int, reason: str, address: str, content: bytes) -> None:
        """Keep a sample of what was refused before it was a request."""
        self._samples.add(RequestSample(self._clock(), status, reason, "", "", "", address, content))

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        received_at = self._clock()
        raw = await read_request(scope, receive)
        try:
            delivery = self._ledger.verify_delivery(raw, received_at)
        except NotANotification as error:
            raise CallbackRefused(problem(400, str(error)), str(error)) from error
        try:
            answer = await self._intake.record(delivery)
        except IntakeBusy as error:
            raise CallbackRefused(_retry_later(str(error))) from error
        except Exception as error:
            # The intake has logged the cause; TringMe must learn that nothing was kept.
            raise CallbackRefused(_retry_later("the store cannot be written")) from error
        return self._answer_for(answer)

    def _answer_for(self, answer: IntakeOutcome) -> ASGIApp:
        if isinstance(answer, Rejected):
            raise CallbackRefused(_retry_later(answer.reason))
        self.counts[type(answer).__name__.lower()] += 1
        if isinstance(answer, Recorded):
            return JsonAnswer(status="recorded", position=answer.position)
        if isinstance(answer, Duplicate):
            return JsonAnswer(status="duplicate", position=answer.position)
        if isinstance(answer, Spooled):
            return self._spooled(answer)
        assert not isinstance(answer, RowConflict), "only rows of tables can be in conflict"
        self.broken_values += answer.problem is not None
        return _quarantined(answer)

    def _spooled(self, answer: Spooled) -> ASGIApp:
        if answer.problem is None:
            return JsonAnswer(status="spooled")
        self.spooled_broken_values += 1
        return _broken_value(str(answer.problem), answer.problem, spooled=True)


async def read_request(scope: Scope, receive: Receive) -> bytes:
    """Return the raw parameters, the query's followed by the body's; raises CallbackRefused for a bad transport."""
    method, query = scope["method"], scope["query_string"]
    if method == "GET":
        return _sized(query)
    if method != "POST":
        raise _refused(405, f"the method is {method}: expected GET or POST", {"Allow": "GET, HEAD, POST"})
    request = Request(scope, receive)
    given = request.headers.get("content-type", "")
    is_multipart = given.partition(";")[0].strip().lower() == MULTIPART
    if not is_form(request) and not is_multipart and _has_body(request):
        raise _refused(415, f"the content type is {given!r}: expected {FORM}")
    try:
        body = await read_body(request, SIZE_MAX_BYTES)
    except BodyRefused as refused:
        raise _refused(refused.status, refused.detail) from None
    if is_multipart and body:
        body = _read_multipart(given, body)
    return b"&".join(part for part in (_sized(query), body) if part)


def _has_body(request: Request) -> bool:
    return request.headers.get("content-length", "0") != "0" or "transfer-encoding" in request.headers


def _read_multipart(content_type: str, body: bytes) -> bytes:
    """Return the text fields of a form as a query."""
    from api.web.multipart import BrokenForm, FileField, parse_multipart  # noqa: PLC0415 - hardly anybody sends such a form

    try:
        return encode_query(parse_multipart(content_type, body))
    except FileField as error:
        raise _refused(415, f"{error}: expected text fields only") from None
    except BrokenForm as error:
        raise _refused(400, f"the form cannot be read: {error}; expected {MULTIPART} with a boundary") from None


def _refused(status: int, detail: str, headers: dict[str, str] | None = None) -> CallbackRefused:
    return CallbackRefused(problem(status, detail, headers), detail)


def _sized(query: bytes) -> bytes:
    if len(query) > SIZE_MAX_BYTES:
        raise _refused(414, f"the query has {len(query)} bytes: expected at most {SIZE_MAX_BYTES}")
    return query


def _retry_later(detail: str) -> Response:
    return problem(503, detail, {"Retry-After": RETRY_AFTER_SECONDS})


class JsonAnswer:
    """A short JSON answer, with no more work than a callback needs."""

    def __init__(self, **content: object) -> None:
        """Answer with these members."""
        self._body = msgspec.json.encode(content)

    async def __call__(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Send it."""
        content = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(self._body))]
        await send({"type": "http.response.start", "status": 200, "headers": content + headers.FOR_DATA})
        await send({"type": "http.response.body", "body": self._body})


def _quarantined(answer: Quarantined) -> Response:
    if answer.problem is None:
        return problem(
            403, answer.reason, entry=answer.entry, parameter="sig", expected="the signature of these parameters"
        )
    return _broken_value(answer.reason, answer.problem, entry=answer.entry)


def _broken_value(reason: str, wrong: ParameterProblem, **members: Any) -> Response:
    return problem(202, reason, **members, parameter=wrong.name, value=wrong.value, expected=wrong.expected)

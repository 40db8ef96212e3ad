"""``GET`` and ``POST /notify``: a callback's way from the wire to its answer (SPEC 2).

Checked in this order: method, content type, size, count, ``f``, signature, values. The body is parsed from its raw
bytes, which are what the signature covers.
"""

from collections import Counter
from collections.abc import Callable

import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.application.intake import Intake, IntakeBusy
from api.web import security_headers as headers
from api.web.problems import RETRY_AFTER_SECONDS, problem
from api.web.request_body import BodyRefused, is_form, read_body
from domain.errors import NotANotification
from domain.ledger import Ledger
from domain.notices.notification import FORM, SIZE_MAX_BYTES
from domain.outcomes import Duplicate, Quarantined, Recorded, RecordOutcome, Rejected, RowConflict


class CallbackRefused(Exception):
    """A request that is not a notification; carries the answer to send."""

    def __init__(self, response: Response) -> None:
        """Refuse with an answer."""
        super().__init__(response.status_code)
        self.response = response


class NotifyEndpoint:
    """The endpoint that TringMe calls: an ASGI application of its own, outside the framework's router."""

    def __init__(self, ledger: Ledger, intake: Intake, clock: Callable[[], int]) -> None:
        """Check with the ledger, record through the intake; the clock sets received_at (microseconds, UTC)."""
        self._ledger = ledger
        self._intake = intake
        self._clock = clock
        self.counts: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one callback."""
        response: ASGIApp
        try:
            response = await self._answer(scope, receive)
        except CallbackRefused as refused:
            response = refused.response
            self.counts[f"refused with {refused.response.status_code}"] += 1
        except ClientDisconnect:
            self.counts["hung up"] += 1
            return
        await response(scope, receive, send if isinstance(response, JsonAnswer) else headers.secured(send))

    async def _answer(self, scope: Scope, receive: Receive) -> ASGIApp:
        received_at = self._clock()
        raw = await read_request(scope, receive)
        try:
            delivery = self._ledger.verify_delivery(raw, received_at)
        except NotANotification as error:
            raise CallbackRefused(problem(400, str(error))) from error
        try:
            answer = await self._intake.record(delivery)
        except IntakeBusy as error:
            raise CallbackRefused(_retry_later(str(error))) from error
        except Exception as error:
            # The intake has logged the cause; TringMe must learn that nothing was kept.
            raise CallbackRefused(_retry_later("the store cannot be written")) from error
        return self._answer_for(answer)

    def _answer_for(self, answer: RecordOutcome) -> ASGIApp:
        if isinstance(answer, Rejected):
            raise CallbackRefused(_retry_later(answer.reason))
        self.counts[type(answer).__name__.lower()] += 1
        if isinstance(answer, Recorded):
            return JsonAnswer(status="recorded", position=answer.position)
        if isinstance(answer, Duplicate):
            return JsonAnswer(status="duplicate", position=answer.position)
        assert not isinstance(answer, RowConflict), "only rows of tables can be in conflict"
        return _quarantined(answer)


async def read_request(scope: Scope, receive: Receive) -> bytes:
    """Return the raw parameters, the query's followed by the body's; raises CallbackRefused for a bad transport."""
    method, query = scope["method"], scope["query_string"]
    if method == "GET":
        return _sized(query)
    if method != "POST":
        allow = {"Allow": "GET, POST"}
        raise CallbackRefused(problem(405, f"the method is {method}: expected GET or POST", allow))
    request = Request(scope, receive)
    if not is_form(request):
        given = request.headers.get("content-type", "")
        raise CallbackRefused(problem(415, f"the content type is {given!r}: expected {FORM}"))
    try:
        body = await read_body(request, SIZE_MAX_BYTES)
    except BodyRefused as refused:
        raise CallbackRefused(problem(refused.status, refused.detail)) from None
    return b"&".join(part for part in (_sized(query), body) if part)


def _sized(query: bytes) -> bytes:
    if len(query) > SIZE_MAX_BYTES:
        raise CallbackRefused(problem(414, f"the query has {len(query)} bytes: expected at most {SIZE_MAX_BYTES}"))
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
    wrong = answer.problem
    return problem(
        202, answer.reason, entry=answer.entry, parameter=wrong.name, value=wrong.value, expected=wrong.expected
    )

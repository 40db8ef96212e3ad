"""The page of a statement, line by line, and its files.

The lines of many calls follow as a fragment, since they are summed up call by call.
"""

import re
from functools import partial

from starlette.convertors import Convertor, register_url_convertor
from starlette.requests import Request
from starlette.responses import Response

from api.application.numbered_documents import documents_of
from api.application.statements import text_formats as texts
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.lists import WHOLE
from api.web.pages.rendering import render
from api.web.pages.request_filters import not_found, with_error_pages
from api.web.past_sessions import AS_OF, describe_as_of, read_as_of, read_session_as_of
from domain.events.log_row import POSITION_MAX
from projections.queries import statement
from projections.queries import time_points as moments
from projections.queries.log_points import LogPoint
from projections.queries.statement import Heading, NoStatement, Statement

FORMS = {"csv": ("text/csv; charset=utf-8", texts.as_csv), "json": ("application/json", texts.as_json)}
# So many calls are summed up within some ten milliseconds.
SUMMED_BY_PAGE_MAX = 3_000

_UNSAFE_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


class MonthInPath(Convertor[str]):
    """A month at the end of a path: an account's name may have slashes in it, so the form of a file could be taken for the month."""

    regex = "[0-9]{4}-[0-9]{2}"

    def convert(self, value: str) -> str:
        """Return the text of the path, which is read as a month later."""
        return value

    def to_string(self, value: str) -> str:
        """Return a month as paths have it."""
        return value


register_url_convertor("month", MonthInPath())


def routes() -> list[GuardedRoute]:
    """Return the page and the files of a statement."""
    page, lines = (
        with_error_pages(partial(show_statement, name)) for name in ("statement.html", "statement_lines.html")
    )
    return [
        GuardedRoute("/fragments/statements/{account:path}/{period}", lines, Role.READ, name="statement_lines"),
        GuardedRoute("/statements/{account:path}/{period:month}", page, Role.READ, name="statement"),
        GuardedRoute(
            "/statements/{account:path}/{period}/{form}", with_error_pages(file), Role.EXPORT, name="statement_file"
        ),
        # What has no month there is told so.
        GuardedRoute("/statements/{account:path}/{period}", page, Role.READ, name="statement_of_no_month"),
    ]


def show_statement(template: str, request: Request) -> Response:
    """Show the statement of an account for a month, with what the customer got; a draft until the month is closed, or as it was known then."""
    is_page = template == "statement.html"
    try:
        found = _statement(request, None if request.query_params.get(WHOLE) or not is_page else SUMMED_BY_PAGE_MAX)
    except NoStatement as error:
        return not_found(request, str(error))
    heading = found if isinstance(found, Heading) else found.heading
    point, ledger = _point(request), request.app.state.ledger
    documents = documents_of(ledger, heading.account, heading.period, point.position if point else POSITION_MAX)
    return render(
        request,
        template,
        statement=None if isinstance(found, Heading) else found,
        heading=heading,
        forms=FORMS,
        documents=documents,
        as_of=describe_as_of(point, ledger.timezone),
    )


def file(request: Request) -> Response:
    """Return the statement as a file."""
    form = request.path_params["form"]
    if form not in FORMS:
        return not_found(request, f"there is no statement as {form!r}: expected one of {', '.join(FORMS)}")
    try:
        found = _statement(request)
    except NoStatement as error:
        return not_found(request, str(error))
    assert isinstance(found, Statement)
    media_type, write = FORMS[form]
    name = _UNSAFE_IN_A_NAME.sub("-", f"{found.heading.account}-{found.heading.period}.{form}")
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(write(found), media_type=media_type, headers=headers)


def _point(request: Request) -> LogPoint | None:
    return read_as_of(request.app.state.ledger, request.query_params.get(AS_OF, "").strip())


def _statement(request: Request, calls_max: int | None = None) -> Statement | Heading:
    """Return the statement that a path names, or its heading alone where more calls than ``calls_max`` belong to it."""
    account, period = request.path_params["account"], request.path_params["period"]
    moments.read_month(period)
    with read_session_as_of(request, _point(request)) as room:
        if calls_max is not None and statement.count_calls(room.connection, account, period) > calls_max:
            return statement.load_heading(room.connection, account, period, room.position)
        books = room.ledger.billing_context(room.position)
        found = statement.load_statement(room.connection, account, period, room.position, books)
    return found if request.state.identity.sees_pii else texts.masked_statement(found)

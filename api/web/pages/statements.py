"""The page of a statement, line by line, and its files."""

import re

from starlette.requests import Request
from starlette.responses import Response

from api.application.numbered_documents import documents_of
from api.application.statements import text_formats as texts
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.rendering import render
from api.web.pages.request_filters import not_found, with_error_pages
from api.web.past_sessions import AS_OF, describe_as_of, read_as_of, read_session_as_of
from domain.events.log_row import POSITION_MAX
from projections.queries import statement
from projections.queries import time_points as moments
from projections.queries.log_points import LogPoint
from projections.queries.statement import NoStatement, Statement

FORMS = {"csv": ("text/csv; charset=utf-8", texts.as_csv), "json": ("application/json", texts.as_json)}
_UNSAFE_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def routes() -> list[GuardedRoute]:
    """Return the pages, and the files of a statement."""
    return [
        GuardedRoute(
            "/statements/{account:path}/{period}/{form}", with_error_pages(file), Role.EXPORT, name="statement_file"
        ),
        GuardedRoute(
            "/statements/{account:path}/{period}", with_error_pages(show_statement), Role.READ, name="statement"
        ),
    ]


def show_statement(request: Request) -> Response:
    """Show the statement of an account for a month, with what the customer got; a draft until the month is closed, or as it was known then."""
    try:
        found = _statement(request)
    except NoStatement as error:
        return not_found(request, str(error))
    point, heading, ledger = _point(request), found.heading, request.app.state.ledger
    documents = documents_of(ledger, heading.account, heading.period, point.position if point else POSITION_MAX)
    return render(
        request,
        "statement.html",
        statement=found,
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
    media_type, write = FORMS[form]
    name = _UNSAFE_IN_A_NAME.sub("-", f"{found.heading.account}-{found.heading.period}.{form}")
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(write(found), media_type=media_type, headers=headers)


def _point(request: Request) -> LogPoint | None:
    return read_as_of(request.app.state.ledger, request.query_params.get(AS_OF, "").strip())


def _statement(request: Request) -> Statement:
    account, period = request.path_params["account"], request.path_params["period"]
    moments.read_month(period)
    with read_session_as_of(request, _point(request)) as room:
        books = room.ledger.billing_context(room.position)
        found = statement.load_statement(room.connection, account, period, room.position, books)
    return found if request.state.identity.sees_pii else texts.masked_statement(found)

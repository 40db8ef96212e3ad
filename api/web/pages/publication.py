"""Publishing a tariff from a page: write it, see what it says and changes, and publish it."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.application.operator_commands import ChangedMeanwhile
from api.application.published_tariffs import published_versions
from api.application.tariff_publication import NAME, preview_publication, publish_tariff
from api.web.auth.guard import AuditAction, GuardedRoute, Role
from api.web.pages.correction_forms import text_of
from api.web.pages.operator_forms import redirect_back, wait_for
from api.web.pages.rendering import render
from api.web.pages.request_filters import with_error_pages
from domain.errors import CommandRejected, LedgerError, WrongUsage
from domain.text import is_whole_number

PATH = "/tariffs/new"


def routes() -> list[GuardedRoute]:
    """Return the page, its preview, and the publication."""
    shown, preview, do = (with_error_pages(each) for each in (write_tariff, preview_tariff, publish))
    return [
        GuardedRoute(PATH, shown, Role.OPERATE, name="write_tariff"),
        GuardedRoute(PATH, preview, Role.OPERATE, methods=("POST",), name="preview_tariff", records=AuditAction.VIEWED),
        GuardedRoute(f"{PATH}/do", do, Role.OPERATE, methods=("POST",), name="publish_tariff"),
    ]


def write_tariff(request: Request) -> Response:
    """Show a form with the text of the latest version."""
    versions = published_versions(request.app.state.ledger)
    return _page(request, versions[-1].event.text if versions else "", "")


def preview_tariff(request: Request) -> Response:
    """Show what a text says and changes in the version before; nothing is written."""
    return _preview(request, 200)


def publish(request: Request) -> Response:
    """Publish what the preview showed, as the version that it named."""
    ledger, by, text, reason = *_who(request), _text(request), text_of(request.state.form, "reason")
    expected = text_of(request.state.form, "expected")
    if not is_whole_number(expected):
        msg = f"expected={expected[:20]!r}; expected the number of the version that the preview showed"
        raise WrongUsage(msg)
    try:
        done = publish_tariff(ledger, by, reason, text, expected=int(expected))
    except ChangedMeanwhile as error:
        return _preview(request, 409, str(error))
    except LedgerError as error:
        return _page(request, text, reason, problem=str(error))
    wait_for(request, done.position)
    said = f"version {done.tariff.version} is published, at position {done.position}"
    return redirect_back(request, "/tariffs", done=said)


def _who(request: Request) -> tuple[Any, str]:
    return request.app.state.ledger, request.state.identity.name


def _text(request: Request) -> str:
    """Return the text with lines that end as in a file: browsers send them otherwise."""
    return str(request.state.form.get("text", "")).replace("\r\n", "\n")


def _preview(request: Request, status: int, problem: str = "") -> Response:
    ledger, by, text, reason = *_who(request), _text(request), text_of(request.state.form, "reason")
    try:
        found = preview_publication(ledger, by, reason, text)
    except (CommandRejected, LedgerError) as error:
        return _page(request, text, reason, problem=str(error).replace(f"{NAME}:", "line "))
    return render(
        request,
        "publication.html",
        status=status,
        found=found,
        lines=text.rstrip("\n").split("\n"),
        problem=problem,
        reason=reason,
        action=f"{PATH}/do",
        verb=f"Publish version {found.tariff.version}",
        fields=[("expected", found.tariff.version), ("text", text)],
        back=PATH,
    )


def _page(request: Request, text: str, reason: str, problem: str = "") -> Response:
    return render(
        request, "write_tariff.html", status=400 if problem else 200, text=text, reason=reason, problem=problem
    )

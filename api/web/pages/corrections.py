"""Corrections from a page: first what the correction would do and which money it moves, then, once confirmed, the correction.

Both are forms, so reasons and accounts stand in no address and no log; the preview writes nothing.
"""

from starlette.requests import Request
from starlette.responses import Response

from api.application.command_preview import CommandPreview, do_command, preview_command
from api.application.operator_commands import ChangedMeanwhile
from api.web.auth.guard import AuditAction, GuardedRoute, Role
from api.web.pages.correction_forms import CorrectionForm, read_correction, text_of
from api.web.pages.display import back
from api.web.pages.operator_forms import redirect_back, wait_for
from api.web.pages.rendering import render
from api.web.pages.request_filters import with_error_pages
from domain.errors import LedgerError

PATH = "/corrections"
HOME = "/events"


def routes() -> list[GuardedRoute]:
    """Return the preview and the correction."""
    return [
        GuardedRoute(
            PATH,
            with_error_pages(preview_correction),
            Role.OPERATE,
            methods=("POST",),
            name="preview_correction",
            records=AuditAction.VIEWED,
        ),
        GuardedRoute(f"{PATH}/do", with_error_pages(correct), Role.OPERATE, methods=("POST",), name="correct"),
    ]


def preview_correction(request: Request) -> Response:
    """Show what a correction would do; nothing is written."""
    ledger, form = request.app.state.ledger, request.state.form
    try:
        wanted = read_correction(ledger, form)
        found = preview_command(ledger, request.state.identity.name, text_of(form, "reason"), wanted.command)
    except LedgerError as error:
        return redirect_back(request, HOME, failed=str(error))
    return _show(request, wanted, found)


def correct(request: Request) -> Response:
    """Do what the preview showed; if that is no longer what would be done, show what would be."""
    ledger, form, by = request.app.state.ledger, request.state.form, request.state.identity.name
    reason = text_of(form, "reason")
    try:
        wanted = read_correction(ledger, form)
        done = do_command(ledger, by, reason, wanted.command, text_of(form, "expected"))
    except ChangedMeanwhile as error:
        return _show(request, wanted, preview_command(ledger, by, reason, wanted.command), str(error))
    except LedgerError as error:
        return redirect_back(request, HOME, failed=str(error))
    wait_for(request, done.result.position)
    return redirect_back(request, HOME, done=f"{wanted.title}: done, at position {done.result.position}")


def _show(request: Request, wanted: CorrectionForm, found: CommandPreview, problem: str = "") -> Response:
    return render(
        request,
        "correction.html",
        status=409 if problem else 200,
        wanted=wanted,
        preview=found,
        action=f"{PATH}/do",
        verb=wanted.verb,
        fields=[("expected", found.fingerprint), *wanted.fields],
        reason=text_of(request.state.form, "reason"),
        back=back(text_of(request.state.form, "back") or HOME),
        problem=problem,
    )

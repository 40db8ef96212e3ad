"""Rerating an account's month from its page: the calls that change and the money, then, once confirmed, the rerating."""

from starlette.requests import Request
from starlette.responses import Response

from api.application.bulk_jobs.bulk_job import RERATE_ACCOUNT
from api.application.operator_commands import ChangedMeanwhile
from api.application.rerating import AccountRerating, find_rerating, rerate_account
from api.web.auth.guard import AuditAction, GuardedRoute, Role
from api.web.pages.bulk_jobs import start_bulk_job
from api.web.pages.correction_forms import text_of
from api.web.pages.display import back
from api.web.pages.formatting import account_path
from api.web.pages.operator_forms import redirect_back, wait_for
from api.web.pages.rendering import render
from api.web.pages.request_filters import with_error_pages
from domain.errors import LedgerError, WrongUsage
from domain.text import is_whole_number
from projections.queries.time_points import read_month

PATH = "/reratings"
ROWS = 100


def routes() -> list[GuardedRoute]:
    """Return the preview and the rerating."""
    preview, do = with_error_pages(preview_rerating_of_account), with_error_pages(rerate)
    return [
        GuardedRoute(
            PATH, preview, Role.OPERATE, methods=("POST",), name="preview_rerating", records=AuditAction.VIEWED
        ),
        GuardedRoute(f"{PATH}/do", do, Role.OPERATE, methods=("POST",), name="rerate"),
    ]


def preview_rerating_of_account(request: Request) -> Response:
    """Show what a rerating would change; nothing is written."""
    try:
        return _show(request, _find(request))
    except LedgerError as error:
        return redirect_back(request, _home(request), failed=str(error))


def rerate(request: Request) -> Response:
    """Rerate the calls that the preview showed; if others would change by now, show those. Too many for a request are a job's."""
    form, ledger, by = request.state.form, request.app.state.ledger, request.state.identity.name
    try:
        found = _find(request)
        if not found.is_whole:
            wanted = {"account": found.account, "period": found.period, "tariff": str(found.version)}
            return start_bulk_job(request, RERATE_ACCOUNT, wanted, _home(request))
        done = rerate_account(ledger, found, by, text_of(form, "reason"), text_of(form, "expected"))
    except ChangedMeanwhile as error:
        return _show(request, found, str(error))
    except LedgerError as error:
        return redirect_back(request, _home(request), failed=str(error))
    wait_for(request, ledger.head())
    said = f"{len(done)} of {found.calls} calls rerated by version {found.version}"
    return redirect_back(request, _home(request), done=said)


def _home(request: Request) -> str:
    return account_path(str(request.state.form.get("account", "")))


def _find(request: Request) -> AccountRerating:
    form = request.state.form
    version, period = text_of(form, "tariff"), str(read_month(text_of(form, "period")))
    if not is_whole_number(version):
        msg = f"{version[:20]!r} is not a version of the tariff; expected a whole number from 1 on"
        raise WrongUsage(msg)
    wait_for(request, request.app.state.ledger.head())
    account, by = str(form.get("account", "")), request.state.identity.name
    with request.app.state.read_models.session() as room:
        return find_rerating(room, account, period, int(version), by, text_of(form, "reason"), partly=True)


def _show(request: Request, found: AccountRerating, problem: str = "") -> Response:
    form = request.state.form
    fields = {"expected": found.fingerprint, "account": found.account, "period": found.period, "tariff": found.version}
    return render(
        request,
        "rerating.html",
        status=409 if problem else 200,
        found=found,
        listed=found.changes[:ROWS],
        problem=problem,
        action=f"{PATH}/do",
        verb=f"Rerate {len(found.changes)} call{'' if len(found.changes) == 1 else 's'}"
        if found.is_whole
        else f"Rerate all {found.calls} calls in a job",
        fields=[*fields.items(), ("back", text_of(form, "back"))],
        reason=text_of(form, "reason"),
        back=back(text_of(form, "back") or _home(request)),
    )

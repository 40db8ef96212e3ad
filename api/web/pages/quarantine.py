"""The pages of the quarantine: refused notices by reason, with the money that they name, and each in full.

Operators reprocess them once the cause is fixed, or resolve them with a reason.
"""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.application import quarantine
from api.application.bulk_jobs.bulk_job import REPROCESS_QUARANTINE, RESOLVE_QUARANTINE
from api.application.quarantine_filters import (
    NAMES,
    QuarantineFilter,
    fitting_notices,
    group_notices,
    newest_notices,
    read_quarantine_filter,
)
from api.application.request_samples import read_samples, sample_document
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.bulk_jobs import start_bulk_job
from api.web.pages.flash import read_flash
from api.web.pages.operator_forms import redirect_back, run_form, wait_for
from api.web.pages.rendering import render
from api.web.pages.request_filters import filters_given, not_found, with_error_pages
from domain.errors import LedgerError
from domain.ledger import Ledger
from domain.log.contract import QuarantineEntry
from domain.notices import notification
from domain.operators.session import OperatorSession
from domain.text import escape_undecodable, is_whole_number
from projections.queries.time_points import SelectionError, describe_span

ROWS = 100
PATH = "/quarantine"
COUNTED_AT_ONCE_MAX = 1_000
CHOSEN_MAX = 1000


def routes() -> list[GuardedRoute]:
    """Return the pages and their actions."""
    return [
        GuardedRoute(PATH, with_error_pages(listed), Role.READ, name="quarantine"),
        GuardedRoute("/fragments/quarantine", with_error_pages(counted), Role.READ, name="quarantine_counts"),
        GuardedRoute(f"{PATH}/do", with_error_pages(do), Role.OPERATE, methods=("POST",), name="quarantine_do"),
        GuardedRoute(PATH + "/{entry:int}", with_error_pages(one), Role.READ, name="quarantined"),
    ]


def listed(request: Request) -> Response:
    """Show the notices that fit, the newest first, and what causes how many of them."""
    query, store = request.query_params, request.app.state.ledger.store
    settled, before = query.get("settled") == "1", _number(query.get("before", ""))
    given = filters_given(query, NAMES)
    wanted = _read(request, given)
    found = newest_notices(store, wanted, settled=settled, before=before, limit=ROWS)
    counts = store.count_quarantined()
    # Many notices are counted in a fragment: the page does not wait for it.
    counted = bool(query.get("whole")) or sum(counts) <= COUNTED_AT_ONCE_MAX
    return render(
        request,
        "quarantine.html",
        entries=[_shown(request, entry) for entry in found.entries],
        groups=group_notices(fitting_notices(store, wanted)) if counted else None,
        filters=given,
        span=describe_span(wanted.since, wanted.until, request.app.state.ledger.timezone),
        counts=counts,
        settled=settled,
        is_first=not before,
        next=found.before,
        outcome=read_flash(request),
        samples=_samples(request),
    )


def counted(request: Request) -> Response:
    """Return how many waiting notices fit, by cause, tag and source: a fragment, since all must be looked at."""
    given = filters_given(request.query_params, NAMES)
    groups = group_notices(fitting_notices(request.app.state.ledger.store, _read(request, given)))
    return render(request, "quarantine_counts.html", groups=groups, filters=given)


def _read(request: Request, given: dict[str, str]) -> QuarantineFilter:
    state = request.app.state
    return read_quarantine_filter(given, state.ledger.timezone, state.clock())


def _samples(request: Request) -> list[dict[str, Any]]:
    """Return the samples of refused requests, for users who may see numbers."""
    if not request.state.identity.sees_pii:
        return []
    found = read_samples(request.app.state.service.samples_file)
    return [{**sample_document(each), "at": each.at} for each in found]


def _shown(request: Request, entry: QuarantineEntry) -> dict[str, Any]:
    values, whole = dict(notification.parse_pairs(entry.raw)), request.state.identity.sees_pii
    return {
        **entry._asdict(),
        "kind": quarantine.reason_name(entry),
        "reason": quarantine.shown_reason(entry.reason, whole=whole),
        "cost": quarantine.charges(entry.raw),
        "tag": escape_undecodable(values.get("tag", "")),
        **{name: quarantine.shown_reason(values.get(name, ""), whole=whole) for name in ("type", "status")},
    }


def one(request: Request) -> Response:
    """Show a notice in full: its raw bytes, its parameters, and why it was refused."""
    entry = quarantine.find_entry(request.app.state.ledger, request.path_params["entry"])
    if entry is None:
        return not_found(request, f"notice {request.path_params['entry']} is not in quarantine")
    raw, parameters = quarantine.shown_contents(entry, whole=request.state.identity.sees_pii)
    return render(
        request,
        "quarantined.html",
        entry=_shown(request, entry),
        raw=raw,
        parameters=parameters,
        outcome=read_flash(request),
    )


def do(request: Request) -> Response:
    """Reprocess or resolve the chosen notices; all that the filters select in a job."""
    form, ledger, resolves = request.state.form, request.app.state.ledger, request.state.form.get("do") == "resolve"
    if form.get("fitting"):
        given = filters_given({name: str(form.get(name, "")) for name in NAMES}, NAMES)
        return start_bulk_job(request, RESOLVE_QUARANTINE if resolves else REPROCESS_QUARANTINE, given, PATH)
    numbers = [_number(str(text)) for text in form.getlist("entry")][:CHOSEN_MAX]
    entries = [entry for entry in (quarantine.find_entry(ledger, number) for number in numbers) if entry]
    if not entries:
        return redirect_back(request, PATH, failed="none is chosen")
    if resolves:
        return _resolve(request, entries)
    return _reprocess(request, ledger, entries)


def _reprocess(request: Request, ledger: Ledger, entries: list[QuarantineEntry]) -> Response:
    tried = list(quarantine.reprocess(ledger, entries))
    recorded = [each.position for each in tried if each.outcome == quarantine.RECORDED]
    known = sum(each.outcome == quarantine.DUPLICATE for each in tried)
    unfit = [each for each in tried if each.outcome == quarantine.INVALID]
    wait_for(request, max(recorded, default=0))
    said = [f"{len(recorded)} recorded" if recorded else "", f"{known} known already" if known else ""]
    if recorded:
        said.append(f"position {recorded[-1]}" if len(recorded) == 1 else "")
    failed = ""
    if unfit:
        reason = quarantine.shown_reason(unfit[-1].reason, whole=request.state.identity.sees_pii)
        failed = f"{len(unfit)} still invalid, the last of them notice {unfit[-1].entry_id}: {reason}"
    return redirect_back(request, PATH, done=", ".join(filter(None, said)), failed=failed)


def _resolve(request: Request, entries: list[QuarantineEntry]) -> Response:
    def settle(session: OperatorSession) -> None:
        for entry in entries:
            session.resolve_quarantined(entry.id)

    try:
        run_form(request, str(request.state.form.get("reason", "")), settle)
    except LedgerError as error:
        return redirect_back(request, PATH, failed=str(error))
    return redirect_back(request, PATH, done=f"{len(entries)} resolved")


def _number(text: str) -> int:
    if text and not is_whole_number(text):
        msg = f"{text!r} is not the number of a notice"
        raise SelectionError(msg)
    return int(text or 0)

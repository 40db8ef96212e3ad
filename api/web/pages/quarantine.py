"""The pages of the quarantine: notices that were refused and kept, by reason, with the money that they speak of; and each whole.

Operators try them again once the cause is mended, or say with a reason that they are not to be recorded.
"""

import re
from collections.abc import Iterable
from itertools import islice
from typing import Any, NamedTuple

from starlette.requests import Request
from starlette.responses import Response

from api.application.masking import masked_parameters, masked_raw, masked_text
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.flash import read_flash
from api.web.pages.operator_forms import redirect_back, run_command, wait_for
from api.web.pages.rendering import render
from api.web.pages.request_filters import not_found, with_error_pages
from domain import amounts
from domain.errors import LedgerError
from domain.events.log_row import EVER
from domain.ledger import Ledger
from domain.log.contract import QuarantineEntry
from domain.notices import notification
from domain.operators.session import OperatorSession
from domain.outcomes import Duplicate, Recorded
from domain.text import is_whole_number
from projections.queries.time_points import SelectionError

ROWS = 100
PATH = "/quarantine"
WRONG_SIGNATURE = "wrong signature"
LOOKED_AT_MAX = 1_000
CHOSEN_MAX = 1000

_AMOUNT = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")
_CHARGES = ("srccharge", "destcharge")


class QuarantineReason(NamedTuple):
    """Notices that wait for the same reason: how many, how often they came, and the charges that they speak of."""

    name: str
    notices: int = 0
    times: int = 0
    cost: int = 0


def routes() -> list[GuardedRoute]:
    """Return the pages and what they do."""
    return [
        GuardedRoute(PATH, with_error_pages(listed), Role.READ, name="quarantine"),
        GuardedRoute(f"{PATH}/do", with_error_pages(do), Role.OPERATE, methods=("POST",), name="quarantine_do"),
        GuardedRoute(PATH + "/{entry:int}", with_error_pages(one), Role.READ, name="quarantined"),
    ]


def listed(request: Request) -> Response:
    """Show what waits, oldest first, and what it waits for."""
    query, store = request.query_params, request.app.state.ledger.store
    settled, after = query.get("settled") == "1", _number(query.get("after", ""))
    found = list(islice(store.quarantined(settled=settled, after=after), ROWS + 1))
    waiting = list(islice(store.quarantined(settled=False), LOOKED_AT_MAX))
    return render(
        request,
        "quarantine.html",
        entries=[_shown(request, entry) for entry in found[:ROWS]],
        kinds=kinds(waiting),
        counts=store.count_quarantined(),
        looked_at=len(waiting) if len(waiting) == LOOKED_AT_MAX else None,
        settled=settled,
        is_first=not after,
        next=found[ROWS - 1].id if len(found) > ROWS else None,
        outcome=read_flash(request),
    )


def kinds(entries: Iterable[QuarantineEntry]) -> list[QuarantineReason]:
    """Return for what reasons notices wait, the commonest first."""
    found: dict[str, QuarantineReason] = {}
    for entry in entries:
        name = kind_of(entry)
        kind = found.get(name, QuarantineReason(name))
        found[name] = QuarantineReason(
            name, kind.notices + 1, kind.times + entry.times, kind.cost + _charges(entry.raw)
        )
    return sorted(found.values(), key=lambda kind: (-kind.notices, kind.name))


def kind_of(entry: QuarantineEntry) -> str:
    """Return why a notice waits, in a word: its signature, or which of its values is broken."""
    if not entry.authentic:
        return WRONG_SIGNATURE
    name, equals, _ = entry.reason.partition("=")
    return f"broken {name}" if equals and name.isalpha() else "broken parameters"


def _charges(raw: bytes) -> int:
    """Return the US cents that a notice speaks of, in millionths, as far as they are amounts at all."""
    values = dict(notification.parse_pairs(raw))
    return sum(
        amounts.millionths(values[name]) for name in _CHARGES if name in values and _AMOUNT.fullmatch(values[name])
    )


def _shown(request: Request, entry: QuarantineEntry) -> dict[str, Any]:
    reason = _text(entry.reason)
    values = dict(notification.parse_pairs(entry.raw))
    return {
        **entry._asdict(),
        "kind": kind_of(entry),
        "reason": reason if request.state.identity.sees_pii else masked_text(reason),
        "cost": _charges(entry.raw),
        "tag": _text(values.get("tag", "")),
        "type": _text(values.get("type", "")),
        "status": _text(values.get("status", "")),
    }


def one(request: Request) -> Response:
    """Show a notice whole: its raw bytes, its parameters, and why it was refused."""
    entry = _entry(request.app.state.ledger, request.path_params["entry"])
    if entry is None:
        return not_found(request, f"there is no notice {request.path_params['entry']} in quarantine")
    parameters, raw = notification.parse_pairs(entry.raw), entry.raw
    if not request.state.identity.sees_pii:
        parameters, raw = masked_parameters(parameters), masked_raw(raw)
    return render(
        request,
        "quarantined.html",
        entry=_shown(request, entry),
        raw=raw.decode(errors="backslashreplace"),
        parameters=[(_text(name), _text(value)) for name, value in parameters],
        outcome=read_flash(request),
    )


def do(request: Request) -> Response:
    """Try the notices that were chosen again, or say that they are not to be recorded."""
    form, ledger = request.state.form, request.app.state.ledger
    numbers = [_number(str(text)) for text in form.getlist("entry")]
    entries = [entry for entry in (_entry(ledger, number) for number in numbers[:CHOSEN_MAX]) if entry]
    if not entries:
        return redirect_back(request, PATH, failed="none is chosen")
    if form.get("do") == "resolve":
        return _resolve(request, entries)
    return _reprocess(request, ledger, entries)


def _reprocess(request: Request, ledger: Ledger, entries: list[QuarantineEntry]) -> Response:
    recorded, known, unfit = [], 0, ""
    for entry in entries:
        answer = ledger.reprocess(entry)
        if isinstance(answer, Recorded):
            recorded.append(answer.position)
        elif isinstance(answer, Duplicate):
            known += 1
        else:
            reason = _text(answer.reason)
            unfit = f"notice {entry.id}: {reason if request.state.identity.sees_pii else masked_text(reason)}"
    wait_for(request, max(recorded, default=0))
    said = [f"{len(recorded)} recorded" if recorded else "", f"{known} known already" if known else ""]
    if recorded:
        said.append(f"position {recorded[-1]}" if len(recorded) == 1 else "")
    left = len(entries) - len(recorded) - known
    failed = f"{left} still unfit, the last of them {unfit}" if unfit else ""
    return redirect_back(request, PATH, done=", ".join(filter(None, said)), failed=failed)


def _resolve(request: Request, entries: list[QuarantineEntry]) -> Response:
    def settle(acting: OperatorSession) -> int:
        return max(acting.resolve_quarantined(entry.id) for entry in entries)

    try:
        run_command(request, str(request.state.form.get("reason", "")), settle)
    except LedgerError as error:
        return redirect_back(request, PATH, failed=str(error))
    return redirect_back(request, PATH, done=f"{len(entries)} resolved")


def _entry(ledger: Ledger, number: int) -> QuarantineEntry | None:
    return ledger.store.quarantined_one(number) if 0 < number <= EVER else None


def _number(text: str) -> int:
    if text and not is_whole_number(text):
        msg = f"{text!r} is no number of a notice"
        raise SelectionError(msg)
    return int(text or 0)


def _text(text: str) -> str:
    """Return text with the bytes that are no UTF-8 written out."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")

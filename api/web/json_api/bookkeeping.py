"""What changes whole months: rerating an account's month, closing months, publishing a tariff; each with a dry run."""

from contextlib import closing
from typing import Any

from api.application.month_closing import (
    ClosingResult,
    check_month,
    close_month,
    closing_document,
    closing_fingerprint,
)
from api.application.rerating import (
    CALLS_OF_REQUEST_MAX,
    AccountRerating,
    change_document,
    find_rerating,
    posted_document,
    rerate_account,
    sum_posted,
)
from api.application.tariff_publication import preview_publication, publication_document, publish_tariff
from api.web.auth.guard import AuditAction, Role
from api.web.json_api import correction_parameters as fields
from api.web.json_api.correction_parameters import COMMON, DRY_RUN, IF_PREVIEW
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import REASON, Schema
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import DECIMAL, object_schema
from domain.billing.tariff import InvalidTariff
from domain.errors import CommandRejected
from projections.building.catch_up import catch_up
from projections.queries.rerating_preview import RerateChange
from projections.stores.generations import open_current

_TEXT: Schema = {"type": "string"}
_WHOLE: Schema = {"type": "integer"}
_WHOLE_OR_NULL: Schema = {"type": ["integer", "null"]}
_AMOUNT: Schema = {"type": "string", "pattern": DECIMAL}
_AMOUNT_OR_NULL: Schema = {"type": ["string", "null"], "pattern": DECIMAL}
_BOOLEAN: Schema = {"type": "boolean"}


def _array(items: Schema) -> Schema:
    return {"type": "array", "items": items}


_POSTED = object_schema(
    {"account": _TEXT, "period": _TEXT, "calls": _WHOLE, "billed_seconds": _WHOLE, "price": _AMOUNT}
) | {"title": "PostedSum"}
_RATED = object_schema(
    {"account": _TEXT, "tariff": _TEXT, "rule": _WHOLE_OR_NULL, "billed_seconds": _WHOLE_OR_NULL, "price": _AMOUNT}
) | {"title": "RatedPrice"}
_CHANGE = object_schema(
    {
        "call_id": _TEXT,
        "cdr_at": {"type": "string", "format": "date-time"},
        "before": _RATED,
        "after": _RATED,
        "difference": _AMOUNT,
        "posted": _array(_POSTED),
    }
) | {"title": "RerateChange"}
_RERATED = object_schema(
    {
        "dry_run": _BOOLEAN,
        "preview": _TEXT | {"description": "What `if_preview` takes."},
        "calls": _WHOLE | {"description": "How many calls the account has in the month."},
        "passed_over": _WHOLE | {"description": "How many of them are from before the version takes effect."},
        "changes": _array(_CHANGE),
        "accounts": _array(_POSTED),
    }
)
_OPEN = object_schema(
    {"kind": _TEXT, "where": _TEXT, "tag": _TEXT, "cost": _AMOUNT_OR_NULL, "sip_credits": _AMOUNT_OR_NULL}
) | {"title": "OpenItem"}
_CHARGE = object_schema(
    {
        "account": _TEXT,
        "month": _TEXT,
        "tariff": _WHOLE,
        "text": _TEXT | {"description": "What the customer reads of the fee."},
    }
    | dict.fromkeys(("fee", "calls", "minimum", "top_up"), _AMOUNT)
) | {"title": "MonthlyCharge"}
CLOSING = object_schema(
    {
        "dry_run": _BOOLEAN,
        "preview": _TEXT
        | {
            "description": "What `if_preview` takes: it names what is open, what accounts are charged, and what the months come to."
        },
        "period": _TEXT,
        "closed_at_position": _WHOLE_OR_NULL,
        "at_risk": object_schema({"cost": _AMOUNT, "sip_credits": _AMOUNT, "unknown": _WHOLE}) | {"title": "AtRisk"},
        "suspects_alone": _WHOLE,
        "open": _array(_OPEN),
        "charges": _array(_CHARGE),
    }
)
_CHARGE_CHANGE = object_schema(
    {
        "account": _TEXT,
        "month": {
            "type": "string",
            "description": "The first open month for which it, or the version before, charges the account.",
        },
        **dict.fromkeys(("fee", "minimum", "fee_before", "minimum_before"), _AMOUNT),
    }
) | {"title": "ChargeChange"}
_PUBLISHED = object_schema(
    {
        "dry_run": _BOOLEAN,
        "position": _WHOLE_OR_NULL,
        "version": _WHOLE,
        "rules": _WHOLE,
        "effective_from": {"type": ["string", "null"], "format": "date-time"},
        "timezone": _TEXT,
        "notes": _array(
            object_schema({"line": _WHOLE, "rule": _WHOLE, "until": {"type": ["string", "null"]}, "note": _TEXT})
            | {"title": "TariffNote"}
        ),
        "charges": _array(_CHARGE_CHANGE),
        "diff": _array(object_schema({"kind": _TEXT, "line": _WHOLE, "text": _TEXT}) | {"title": "DiffLine"}),
    }
)


def operations() -> list[ApiOperation]:
    """Return the operations."""
    return [
        ApiOperation(
            f"{BASE}/reratings",
            "rerate-account",
            f"Price an account's month by another version of the tariff; at most {CALLS_OF_REQUEST_MAX:,} calls.",
            _rerate,
            _RERATED,
            (fields.RATED_ACCOUNT, fields.RATED_MONTH, fields.RATED_BY, *COMMON),
            method="POST",
            required_role=Role.OPERATE,
            refusals=(409,),
        ),
        ApiOperation(
            f"{BASE}/closings",
            "close-month",
            "Close a month and all months before it; while items are open only if they are accepted.",
            _close,
            CLOSING,
            (fields.CLOSED_MONTH, fields.ACCEPT, DRY_RUN, IF_PREVIEW),
            method="POST",
            required_role=Role.OPERATE,
            refusals=(409,),
        ),
        ApiOperation(
            f"{BASE}/tariffs",
            "publish-tariff",
            "Publish a tariff as the next version: it prices the CDRs recorded after it, and never changes.",
            _publish,
            _PUBLISHED,
            (fields.TARIFF_TEXT, REASON, DRY_RUN, fields.AS_VERSION),
            method="POST",
            required_role=Role.OPERATE,
            refusals=(409,),
        ),
    ]


def _is_dry(asked: ApiRequest) -> bool:
    """Whether nothing is to be done; the audit log then says that it was looked at."""
    if asked.values.get("dry_run"):
        asked.request.state.audit_action = AuditAction.VIEWED
        return True
    return False


def _rerate(asked: ApiRequest) -> ApiResponse:
    values, by = asked.values, asked.identity.name
    try:
        with asked.read_session() as room:
            found = find_rerating(room, values["account"], values["period"], values["tariff"], by, values["reason"])
        if _is_dry(asked):
            return ApiResponse(_rerating_document(found, found.changes, dry_run=True))
        done = rerate_account(asked.ledger, found, by, values["reason"], values.get("if_preview", ""))
    except CommandRejected as error:
        raise ApiError(409, str(error)) from error
    return ApiResponse(_rerating_document(found, done, dry_run=False))


def _rerating_document(found: AccountRerating, changes: list[RerateChange], *, dry_run: bool) -> dict[str, Any]:
    return {
        "dry_run": dry_run,
        "preview": found.fingerprint,
        "calls": found.calls,
        "passed_over": found.passed_over,
        "changes": [*map(change_document, changes)],
        "accounts": [*map(posted_document, sum_posted(changes))],
    }


def _close(asked: ApiRequest) -> ApiResponse:
    values, ledger = asked.values, asked.ledger
    period, accept = values["period"], values.get("accept")
    try:
        with closing(open_current(ledger)) as store:
            if _is_dry(asked):
                catch_up(ledger, store)
                return _closing_answer(check_month(ledger, store, period), dry_run=True)
            expected = values.get("if_preview", "")
            result = close_month(ledger, store, period, asked.identity.name, accept, expected=expected)
    except CommandRejected as error:
        raise ApiError(409, str(error)) from error
    if result.is_open:
        msg = f"{period} is not closed: {len(result.blockers)} open items, which `dry_run=true` lists; expected none, or `accept`"
        raise ApiError(409, msg)
    return _closing_answer(result, dry_run=False)


def _closing_answer(result: ClosingResult, *, dry_run: bool) -> ApiResponse:
    preview = closing_fingerprint(result.blockers, result.charges, result.months)
    return ApiResponse({"dry_run": dry_run, "preview": preview} | closing_document(result))


def _publish(asked: ApiRequest) -> ApiResponse:
    values, by, ledger = asked.values, asked.identity.name, asked.ledger
    try:
        found = preview_publication(ledger, by, values["reason"], values["text"])
        if _is_dry(asked):
            return ApiResponse(publication_document(found, None))
        expected = values.get("if_version", found.tariff.version)
        done = publish_tariff(ledger, by, values["reason"], values["text"], expected=expected)
    except InvalidTariff as error:
        raise ApiError(409, str(error), findings=[each._asdict() for each in error.findings]) from error
    except CommandRejected as error:
        raise ApiError(409, str(error)) from error
    return ApiResponse(publication_document(found, done.position))

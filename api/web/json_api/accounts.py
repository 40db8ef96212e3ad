"""Accounts, and the totals of all of their months."""

from typing import Any

from api.web.json_api.lists import page_document, page_schema
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import ACCOUNT, AS_OF_POINT, CURSOR, LIMIT, Schema
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import column_schema, json_value, object_schema
from projections.queries import accounts, cursors
from projections.queries import pagination as browsing
from projections.queries.accounts import AccountSummary
from projections.schema.read_models import BILLING
from projections.schema.tables import TOTALS

LISTED, SORT = "accounts", "account"
_PERIOD: Schema = {"type": "string"}
_SHOWN = object_schema(
    {"account": {"type": "string"}, "first_period": _PERIOD, "last_period": _PERIOD}
    | {name: column_schema(BILLING, name) for name in TOTALS}
)


def operations() -> list[ApiOperation]:
    """Return the operations on accounts."""
    return [
        ApiOperation(
            f"{BASE}/accounts",
            "list-accounts",
            "The accounts, with the totals of all their months.",
            _list,
            page_schema(_SHOWN),
            (CURSOR, LIMIT, AS_OF_POINT),
        ),
        ApiOperation(
            f"{BASE}/accounts/{{account}}",
            "show-account",
            "One account, with the totals of all its months.",
            _show,
            _SHOWN,
            (ACCOUNT, AS_OF_POINT),
            refusals=(404,),
        ),
    ]


def _list(asked: ApiRequest) -> ApiResponse:
    limit, behind = asked.values.get("limit", browsing.LIMIT), None
    if "cursor" in asked.values:
        behind = str(cursors.decode_cursor(asked.values["cursor"], LISTED, SORT, [str]).key[0])
    with asked.read_session() as session:
        found = accounts.account_summaries(session.connection, behind, limit + 1)
    following = cursors.encode_cursor(LISTED, SORT, [found[limit - 1].account]) if len(found) > limit else ""
    return page_document([_document(each) for each in found[:limit]], following)


def _show(asked: ApiRequest) -> ApiResponse:
    with asked.read_session() as session:
        found = accounts.account_summary(session.connection, asked.values["account"])
    if found is None:
        msg = f"there is no account {asked.values['account']!r}"
        raise ApiError(404, msg)
    return ApiResponse(_document(found))


def _document(found: AccountSummary) -> dict[str, Any]:
    totals = {name: json_value(BILLING, name, total) for name, total in found.totals._asdict().items()}
    return {"account": found.account, "first_period": found.first_period, "last_period": found.last_period} | totals

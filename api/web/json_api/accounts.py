"""Accounts, and the totals of all of their months."""

from typing import Any

from sqlalchemy import Row, Select, func, select

from api.web.json_api.lists import page_document, page_schema
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import ACCOUNT, CURSOR, LIMIT, Schema
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import column_schema, json_value, object_schema
from projections.queries import cursors
from projections.queries import pagination as browsing
from projections.schema.tables import BILLING, TOTALS

LISTED, SORT = "accounts", "account"
_PERIOD: Schema = {"type": "string"}
_SHOWN = object_schema(
    {"account": {"type": "string"}, "first_period": _PERIOD, "last_period": _PERIOD}
    | {name: column_schema(BILLING.c[name]) for name in TOTALS}
)


def operations() -> list[ApiOperation]:
    """Return the operations on accounts."""
    return [
        ApiOperation(
            f"{BASE}/accounts",
            "list-accounts",
            "The accounts, and what all of their months come to.",
            _list,
            page_schema(_SHOWN),
            (CURSOR, LIMIT),
        ),
        ApiOperation(
            f"{BASE}/accounts/{{account}}",
            "show-account",
            "One account, and what all of its months come to.",
            _show,
            _SHOWN,
            (ACCOUNT,),
            refusals=(404,),
        ),
    ]


def _list(asked: ApiRequest) -> ApiResponse:
    limit = asked.values.get("limit", browsing.LIMIT)
    wanted = _accounts().order_by(BILLING.c.account).limit(limit + 1)
    if "cursor" in asked.values:
        behind = cursors.decode_cursor(asked.values["cursor"], LISTED, SORT, [str]).key[0]
        wanted = wanted.where(BILLING.c.account > behind)
    with asked.connected() as connection:
        found = connection.execute(wanted).all()
    following = cursors.encode_cursor(LISTED, SORT, [found[limit - 1].account]) if len(found) > limit else ""
    return page_document([_document(row) for row in found[:limit]], following)


def _show(asked: ApiRequest) -> ApiResponse:
    with asked.connected() as connection:
        found = connection.execute(_accounts().where(BILLING.c.account == asked.values["account"])).first()
    if found is None:
        msg = f"there is no account {asked.values['account']!r}"
        raise ApiError(404, msg)
    return ApiResponse(_document(found))


def _accounts() -> Select[Any]:
    periods = func.min(BILLING.c.period).label("first_period"), func.max(BILLING.c.period).label("last_period")
    totals = [func.sum(BILLING.c[name]).label(name) for name in TOTALS]
    return select(BILLING.c.account, *periods, *totals).group_by(BILLING.c.account)


def _document(row: Row[Any]) -> dict[str, Any]:
    found = row._asdict()
    return found | {name: json_value(BILLING.c[name], int(found[name]), {}) for name in TOTALS}

"""A month beside another: each account or tag in both, with differences and per cent."""

from collections.abc import Mapping
from typing import Any

from api.web.json_api.lists import page_document, page_schema
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import (
    AS_OF_POINT,
    CURSOR,
    FILTERS,
    LIMIT,
    ONLY_MONTH,
    ApiParameter,
    Schema,
    choice_reader,
)
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import column_schema, json_value, object_schema
from domain import times
from projections.queries import cursors
from projections.queries import month_comparison as comparing
from projections.queries.billing_overview import latest_month
from projections.queries.month_comparison import ACCOUNT, COMPARED_BY, MEASURES, ComparedMonths
from projections.queries.pagination import LIMIT as ROWS
from projections.schema.read_models import BILLING
from projections.schema.tables import TOTALS

LISTED = "month-comparison"
BY = ApiParameter(
    "by",
    "What is compared.",
    {"type": "string", "enum": list(COMPARED_BY), "default": ACCOUNT},
    choice_reader(COMPARED_BY),
)
PERIOD = ONLY_MONTH._replace(meaning="The month (default: the latest that was billed).")
AGAINST = ONLY_MONTH._replace(name="against", meaning="The month to compare with (default: the one before).")
_TOTALS: dict[str, Schema] = {name: column_schema(BILLING, name) for name in TOTALS}
_PERCENT: Schema = {"type": ["string", "null"], "pattern": r"^-?[0-9]+\.[0-9]$"}
_COMPARED = object_schema(
    {
        "name": {"type": "string", "description": "The account or the tag."},
        "before": object_schema(_TOTALS),
        "after": object_schema(_TOTALS),
        "change": object_schema({name: _TOTALS[name] for name in MEASURES}),
        "percent": object_schema(dict.fromkeys(MEASURES, _PERCENT))
        | {"description": "The changes in per cent of `before`, to one decimal; null where that is 0."},
    }
) | {"title": "ComparedMonths"}
_PAGE = page_schema(_COMPARED)
_MONTHS: dict[str, Schema] = {"period": {"type": "string"}, "against": {"type": "string"}}


def operations() -> list[ApiOperation]:
    """Return the operation."""
    return [
        ApiOperation(
            f"{BASE}/billing/comparison",
            "compare-months",
            "A month beside another: each account or tag in both, with differences and per cent. `total` is all of them together.",
            _compare,
            object_schema(_PAGE["properties"] | _MONTHS | {"total": _COMPARED}),
            (PERIOD, AGAINST, BY, FILTERS["account"], CURSOR, LIMIT, AS_OF_POINT),
        )
    ]


def compared_months(asked: ApiRequest) -> tuple[str, str, list[ComparedMonths]]:
    """Return the month that a request names, the one to compare it with, and each account or tag in both."""
    values = asked.values
    by, account = values.get(BY.name, ACCOUNT), values.get("account")
    with asked.read_session() as room:
        latest = latest_month(room.connection, account) or times.day(asked.now, room.ledger.timezone)[:7]
        period, against = comparing.months_to_compare(latest, values.get("period"), values.get("against"))
        return period, against, comparing.compare_months(room.connection, against, period, by, account)


def _compare(asked: ApiRequest) -> ApiResponse:
    values, limit, behind = asked.values, asked.values.get("limit", ROWS), None
    by = values.get(BY.name, ACCOUNT)
    if "cursor" in values:
        behind = str(cursors.decode_cursor(values["cursor"], LISTED, by, [str]).key[0])
    period, against, found = compared_months(asked)
    following = [each for each in found if behind is None or each.name > behind]
    more = cursors.encode_cursor(LISTED, by, [following[limit - 1].name]) if len(following) > limit else ""
    page = page_document([_document(each) for each in following[:limit]], more)
    months = {"period": period, "against": against, "total": _document(comparing.total_of(found))}
    return page._replace(content=page.content | months)


def _document(each: ComparedMonths) -> dict[str, Any]:
    return {
        "name": each.name,
        "before": _values(each.before._asdict()),
        "after": _values(each.after._asdict()),
        "change": _values({name: each.change(name) for name in MEASURES}),
        "percent": {name: each.percent(name) for name in MEASURES},
    }


def _values(totals: Mapping[str, int]) -> dict[str, Any]:
    return {name: json_value(BILLING, name, total) for name, total in totals.items()}

"""A month that is to be closed, as its page shows it: its books, what it charges, and what is open in it."""

from api.application.month_closing import check_month, closing_document
from api.web.json_api.bookkeeping import CLOSING
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import MONTH, Schema
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import column_schema, json_value, object_schema
from domain.errors import CommandRejected
from domain.events.log_row import POSITION_MAX
from projections.queries.billing_overview import months_to_close
from projections.schema.read_models import BILLING
from projections.schema.tables import TOTALS

_MONTHS: Schema = {
    "type": "array",
    "items": object_schema({"period": {"type": "string"}} | {name: column_schema(BILLING, name) for name in TOTALS})
    | {"title": "MonthTotals"},
    "description": "The months that are closed with it, and it.",
}
_OF_A_CLOSING = ("dry_run", "preview", "closed_at_position")
_SHOWN = {name: schema for name, schema in CLOSING["properties"].items() if name not in _OF_A_CLOSING}


def operations() -> list[ApiOperation]:
    """Return the operation."""
    return [
        ApiOperation(
            f"{BASE}/closings/{{period}}",
            "show-month-to-close",
            "What closing a month would close and charge, and what is open in it; nothing is closed. Suspects are sought among all its calls.",
            _show,
            object_schema(_SHOWN | {"months": _MONTHS}),
            (MONTH,),
            refusals=(409,),
        )
    ]


def _show(asked: ApiRequest) -> ApiResponse:
    period, closed = asked.values["period"], asked.ledger.billing_context().closed_through(POSITION_MAX)
    try:
        with asked.read_session() as room:
            found = closing_document(check_month(asked.ledger, room.store, period))
            months = months_to_close(room.connection, closed, period)
    except CommandRejected as error:
        raise ApiError(409, str(error)) from error
    books = [
        {"period": month} | {name: json_value(BILLING, name, total) for name, total in totals._asdict().items()}
        for month, totals in months
    ]
    return ApiResponse({name: found[name] for name in _SHOWN} | {"months": books})

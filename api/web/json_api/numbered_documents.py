"""The statements and notes of a month that have a number, with the digests of their JSON (SPEC 9.13)."""

from api.application.numbered_documents import number_document
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import MONTH, Schema
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import DECIMAL, object_schema
from domain.events.operator_events import CREDIT_NOTE, DEBIT_NOTE, STATEMENT
from domain.events.streams import NUMBERS
from domain.operators.statement_numbering import read_numbers

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_CENTS: Schema = {"type": "string", "pattern": DECIMAL}
_REISSUE = object_schema({"reissued_at": {"type": "string", "format": "date-time"}, "digest": _TEXT})
NUMBERED_DOCUMENT = object_schema(
    {
        "number": _TEXT,
        "kind": {"type": "string", "enum": [STATEMENT, CREDIT_NOTE, DEBIT_NOTE]},
        "account": _TEXT,
        "series": _TEXT,
        "issued_at": {"type": "string", "format": "date-time"},
        "due": _CENTS | {"description": "The amount due, in whole US cents."},
        "exact": _CENTS | {"description": "The amount before it was rounded to whole cents."},
        "digest": {"type": "string", "description": "The SHA-256 of the document's JSON."},
        "corrects": _TEXT_OR_NULL | {"description": "The number of the statement that a note corrects."},
        "original_period": _TEXT_OR_NULL,
        "reissues": {
            "type": "array",
            "items": _REISSUE,
            "description": "Its reissues with corrected names and addresses.",
        },
    }
) | {"title": "NumberedDocument"}
_LIST = object_schema({"period": _TEXT, "items": {"type": "array", "items": NUMBERED_DOCUMENT}})


def operations() -> list[ApiOperation]:
    """Return the operation."""
    return [
        ApiOperation(
            f"{BASE}/numbers/{{period}}",
            "list-numbers",
            "The statements and notes to customers that were numbered for a month, in the order of their numbers.",
            _list,
            _LIST,
            (MONTH,),
        )
    ]


def _list(asked: ApiRequest) -> ApiResponse:
    period = asked.values["period"]
    known = read_numbers(asked.ledger.history(NUMBERS))
    found = [number_document(each, known) for each in known.events if each.period == period]
    return ApiResponse({"period": period, "items": found})

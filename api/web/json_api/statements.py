"""What an account owes for a month, as a statement; and the metrics of accounts' months."""

from typing import Any

from api.application.account_explanation import account_document, masked_account_document
from api.application.numbered_documents import documents_of
from api.application.price_explanation import AMOUNTS
from api.application.statements.text_formats import masked_statement, statement_document
from api.web.json_api.lists import page_document, page_schema
from api.web.json_api.numbered_documents import NUMBERED_DOCUMENT
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import AS_OF_POINT, CURSOR, FILTERS, LIMIT, MONTH, ONLY_MONTH, STATED_ACCOUNT, Schema
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import DECIMAL, object_schema
from projections.queries import cursors
from projections.queries.account_breakdown import SUMMED, account_breakdown
from projections.queries.metrics import Metrics, account_metrics
from projections.queries.pagination import LIMIT as ROWS
from projections.queries.statement import NoStatement, load_statement
from projections.rows.entry import Entry

LISTED, SORT = "metrics", "account"
ENTRY_NUMBERS = ("position", "number", "calls", "answered", "src_seconds", "dest_seconds", "billed_seconds", "rule")
_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_NUMBER: Schema = {"type": "integer"}
_CENTS: Schema = {"type": "string", "pattern": DECIMAL}
_SUMS: dict[str, Schema] = dict.fromkeys(
    ("calls", "answered", "src_seconds", "dest_seconds", "billed_seconds"), _NUMBER
) | dict.fromkeys(("cost", "sip_credits", "price"), _CENTS)
_LINE = object_schema({"kind": _TEXT, "day": _TEXT_OR_NULL, "original_period": _TEXT_OR_NULL, "text": _TEXT} | _SUMS)
_ROUNDING = object_schema({"rounding": _TEXT, "price": _CENTS})
_TARIFF = object_schema({"version": _TEXT, "published_at": {"type": "string", "format": "date-time"}, "reason": _TEXT})
_STATEMENT = object_schema(
    {
        "account": _TEXT,
        "period": _TEXT,
        "state": {"type": "string", "enum": ["closed", "draft"]},
        "closed_at": {"type": ["string", "null"], "format": "date-time"},
        "closed_by": _TEXT_OR_NULL,
        "position": {"type": "integer", "description": "The position of the log that the statement shows."},
        "lines": {"type": "array", "items": _LINE},
        "total": object_schema(_SUMS),
        "roundings": {"type": "array", "items": _ROUNDING},
        "due": {"type": "string", "pattern": DECIMAL, "description": "The amount due, in US cents."},
        "tariffs": {"type": "array", "items": _TARIFF},
    }
)
_GROUP_SUMS: dict[str, Schema] = {name: _CENTS if name in AMOUNTS else _NUMBER for name in SUMMED}
_GROUP = object_schema(_GROUP_SUMS | {"tariff": _TEXT, "rule": {"type": ["integer", "null"]}}) | {"title": "RuleGroup"}
_ENTRY = object_schema(
    {name: _CENTS if name in AMOUNTS else _NUMBER if name in ENTRY_NUMBERS else _TEXT for name in Entry._fields}
) | {"title": "Entry"}
_EXPLAINED = object_schema(
    {
        "account": _TEXT,
        "period": _TEXT,
        "closed_at_position": {"type": ["integer", "null"]},
        "rules": {"type": "array", "items": _GROUP, "description": "The CDRs by version and rule that priced them."},
        "postings": {"type": "array", "items": _ENTRY},
        "drafts": {
            "type": "array",
            "items": _ENTRY,
            "description": "What closing the month would post; not in the sums.",
        },
        "documents": {
            "type": "array",
            "items": NUMBERED_DOCUMENT,
            "description": "The statement and the notes for the customer, once they have a number.",
        },
        "total": object_schema(_GROUP_SUMS) | {"title": "AccountMonthTotal"},
    }
)
_COUNTS = ("attempts", "answered", "short_calls", "src_answered", "src_seconds", "dest_seconds")
_METRICS = object_schema(
    {
        name: _CENTS
        if name in ("fees", "minimums")
        else _TEXT
        if name in ("account", "period")
        else _NUMBER
        if name in _COUNTS
        else _TEXT_OR_NULL
        for name in Metrics._fields
    }
)


def operations() -> list[ApiOperation]:
    """Return the operations."""
    return [
        ApiOperation(
            f"{BASE}/statements/{{account}}/{{period}}",
            "show-statement",
            "The statement of an account for a month: what it owes, line by line; a draft until the month is closed.",
            _statement,
            _STATEMENT,
            (STATED_ACCOUNT, MONTH, AS_OF_POINT),
            refusals=(404,),
            route=f"{BASE}/statements/{{account:path}}/{{period}}",
        ),
        ApiOperation(
            f"{BASE}/explanations/{{account}}/{{period}}",
            "explain-account",
            "What makes up an account's month: the CDRs by the rule that priced them, each posting, and the total.",
            _explanation,
            _EXPLAINED,
            (STATED_ACCOUNT, MONTH, AS_OF_POINT),
            refusals=(404,),
            route=f"{BASE}/explanations/{{account:path}}/{{period}}",
        ),
        ApiOperation(
            f"{BASE}/metrics",
            "list-metrics",
            "The metrics of each account's months: attempts, answered calls, ASR, NER, ACD, and the cost of a minute.",
            _metrics,
            page_schema(_METRICS),
            (FILTERS["account"], ONLY_MONTH, CURSOR, LIMIT, AS_OF_POINT),
        ),
    ]


def _statement(asked: ApiRequest) -> ApiResponse:
    try:
        with asked.read_session() as session:
            books = session.ledger.billing_context(session.position)
            found = load_statement(
                session.connection, asked.values["account"], asked.values["period"], session.position, books
            )
    except NoStatement as error:
        raise ApiError(404, str(error)) from error
    return ApiResponse(statement_document(found if asked.identity.sees_pii else masked_statement(found)))


def _explanation(asked: ApiRequest) -> ApiResponse:
    account, period = asked.values["account"], asked.values["period"]
    with asked.read_session() as session:
        books = session.ledger.billing_context(session.position)
        found = account_breakdown(session.connection, account, period, books)
        documents = documents_of(session.ledger, account, period, session.position)
    if found is None:
        msg = f"nothing is posted to account {account!r} in {period}"
        raise ApiError(404, msg)
    document = account_document(found, documents)
    return ApiResponse(document if asked.identity.sees_pii else masked_account_document(document))


def _metrics(asked: ApiRequest) -> ApiResponse:
    values, limit, behind = asked.values, asked.values.get("limit", ROWS), None
    if "cursor" in values:
        account, period = cursors.decode_cursor(values["cursor"], LISTED, SORT, [str, str]).key
        behind = (str(account), str(period))
    with asked.read_session() as session:
        found = account_metrics(
            session.connection,
            account=values.get("account"),
            period=values.get("period"),
            behind=behind,
            limit=limit + 1,
        )
    last = found[limit - 1] if len(found) > limit else None
    following = cursors.encode_cursor(LISTED, SORT, [last.account, last.period]) if last else ""
    return page_document([_document(each) for each in found[:limit]], following)


def _document(found: Metrics) -> dict[str, Any]:
    return found._asdict()

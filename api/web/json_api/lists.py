"""Read models page by page, with sums and facets."""

from typing import Any

from api.web.json_api import parameters
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import CURSOR, LIMIT, Schema
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import column_schema, object_schema, row_documents, row_schema
from domain import amounts
from projections.queries import facets
from projections.queries import pagination as browsing
from projections.queries.selection import table_of
from projections.schema.tables import EXPORTS, ColumnKind, column_kind, exported_columns

WITH_SUMS = ("calls", "cdrs", "entries", "postings", "billing", "billing-days")
MEANINGS = {
    "calls": "The calls, live and ended.",
    "cdrs": "The ledger: the calls that have their final record.",
    "billing": "What each account's calls cost, by month.",
    "billing-days": "What each account's calls cost, by day.",
    "voicemails": "The voicemails.",
    "channels": "The channels that expired.",
    "entries": "All entries of the books, CDRs and postings: billing is their sum.",
    "postings": "What is posted beside CDRs: differences to months that are closed, and adjustments.",
    "closings": "The months that are closed.",
    "tariffs": "The tariffs that were published.",
    "exceptions": "Every flag, with the notice that raised it and the money at stake.",
}


def page_schema(item: Schema) -> Schema:
    """Return the JSON schema of a page: its items and the cursors of its neighbours."""
    cursor: Schema = {"type": ["string", "null"]}
    return object_schema({"items": {"type": "array", "items": item}, "next": cursor, "previous": cursor})


def page_document(items: list[dict[str, Any]], following: str, previous: str = "") -> ApiResponse:
    """Return the answer with a page."""
    content = {"items": items, "next": following or None, "previous": previous or None}
    return ApiResponse(content, {"next": following, "prev": previous})


def operations() -> list[ApiOperation]:
    """Return the operations on all read models."""
    found = []
    for model in EXPORTS:
        found.append(_pages(model))
        if model in WITH_SUMS:
            found.append(_sums(model))
        if facets.FACETS[model]:
            found.append(_facets(model))
    return found


def _pages(model: str) -> ApiOperation:
    def handler(asked: ApiRequest) -> ApiResponse:
        values = asked.values
        with asked.read_session() as room:
            found = browsing.fetch_page(
                room.connection,
                model,
                asked.selection,
                room.ledger.timezone,
                values.get("sort", ""),
                values.get("cursor", ""),
                values.get("limit", browsing.LIMIT),
            )
        return page_document(row_documents(table_of(model), found.rows, asked.masks), found.next, found.previous)

    return ApiOperation(
        f"{BASE}/{model}",
        f"list-{model}",
        MEANINGS[model],
        handler,
        page_schema(row_schema(table_of(model))),
        (*parameters.filters_of(model), parameters.sort_of(model), CURSOR, LIMIT),
        model,
    )


def _sums(model: str) -> ApiOperation:
    columns = {column.name: column for column in exported_columns(table_of(model)) if column.name in facets.SUMMED}

    def handler(asked: ApiRequest) -> ApiResponse:
        with asked.read_session() as room:
            found = facets.sum_columns(room.connection, model, asked.selection, room.ledger.timezone)
        return ApiResponse({name: _sum(columns.get(name), total) for name, total in found.items()})

    properties = {"rows": {"type": "integer"}} | {
        name: {key: value for key, value in column_schema(column).items() if key != "type"} | {"type": _type(column)}
        for name, column in columns.items()
    }
    return ApiOperation(
        f"{BASE}/{model}/sums",
        f"sum-{model}",
        f"The sums of a whole selection of {model}.",
        handler,
        object_schema(properties),
        parameters.filters_of(model),
        model,
    )


def _is_amount(column: Any) -> bool:
    return column is not None and column_kind(column) in (ColumnKind.AMOUNT, ColumnKind.TOTAL)


def _sum(column: Any, total: int) -> int | str:
    return amounts.plain(total) if _is_amount(column) else total


def _type(column: Any) -> str:
    return "string" if _is_amount(column) else "integer"


def _facets(model: str) -> ApiOperation:
    def handler(asked: ApiRequest) -> ApiResponse:
        names = asked.values.get("columns", ())
        with asked.read_session() as room:
            found = facets.count_facets(room.connection, model, asked.selection, room.ledger.timezone, names)
        return ApiResponse({name: [each._asdict() for each in counted] for name, counted in found.items()})

    counted = object_schema({"value": {"type": "string"}, "rows": {"type": "integer"}})
    properties: dict[str, Schema] = {name: {"type": "array", "items": counted} for name in facets.FACETS[model]}
    return ApiOperation(
        f"{BASE}/{model}/facets",
        f"facets-of-{model}",
        f"The commonest values of some columns in a selection of {model}, and how many rows have each.",
        handler,
        {"type": "object", "properties": properties, "additionalProperties": False},
        (*parameters.filters_of(model), parameters.facet_columns_of(model)),
        model,
    )

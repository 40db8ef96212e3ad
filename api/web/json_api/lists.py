"""Read models by the page, their sums and their facets."""

from typing import Any

from api.web.json_api import parameters
from api.web.json_api.operation import BASE, Answer, Operation
from api.web.json_api.parameters import CURSOR, LIMIT, Schema
from api.web.json_api.request import Asked
from api.web.json_api.row_schema import documents, of_properties, row_schema, schema
from domain import amounts
from projections.queries import facets
from projections.queries import pagination as browsing
from projections.queries.selection import table_of
from projections.schema.tables import EXPORTS, Kind, exported, kind

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
    """Return the JSON schema of a page: its items, and the cursors of its neighbours."""
    cursor: Schema = {"type": ["string", "null"]}
    return of_properties({"items": {"type": "array", "items": item}, "next": cursor, "previous": cursor})


def page(items: list[dict[str, Any]], following: str, previous: str = "") -> Answer:
    """Return the answer that has a page."""
    content = {"items": items, "next": following or None, "previous": previous or None}
    return Answer(content, {"next": following, "prev": previous})


def operations() -> list[Operation]:
    """Return the operations on all read models."""
    found = []
    for model in EXPORTS:
        found.append(_pages(model))
        if model in WITH_SUMS:
            found.append(_sums(model))
        if facets.FACETS[model]:
            found.append(_facets(model))
    return found


def _pages(model: str) -> Operation:
    def handler(asked: Asked) -> Answer:
        values = asked.values
        with asked.reading() as room:
            found = browsing.page(
                room.connection,
                model,
                asked.selection,
                room.ledger.timezone,
                values.get("sort", ""),
                values.get("cursor", ""),
                values.get("limit", browsing.LIMIT),
            )
        return page(documents(table_of(model), found.rows, asked.masks), found.next, found.previous)

    return Operation(
        f"{BASE}/{model}",
        f"list-{model}",
        MEANINGS[model],
        handler,
        page_schema(row_schema(table_of(model))),
        (*parameters.filters_of(model), parameters.sort_of(model), CURSOR, LIMIT),
        model,
    )


def _sums(model: str) -> Operation:
    columns = {column.name: column for column in exported(table_of(model)) if column.name in facets.SUMMED}

    def handler(asked: Asked) -> Answer:
        with asked.reading() as room:
            found = facets.sums(room.connection, model, asked.selection, room.ledger.timezone)
        return Answer({name: _sum(columns.get(name), total) for name, total in found.items()})

    properties = {"rows": {"type": "integer"}} | {
        name: {key: value for key, value in schema(column).items() if key != "type"} | {"type": _type(column)}
        for name, column in columns.items()
    }
    return Operation(
        f"{BASE}/{model}/sums",
        f"sum-{model}",
        f"The sums of a whole selection of {model}.",
        handler,
        of_properties(properties),
        parameters.filters_of(model),
        model,
    )


def _is_amount(column: Any) -> bool:
    return column is not None and kind(column) in (Kind.AMOUNT, Kind.TOTAL)


def _sum(column: Any, total: int) -> int | str:
    return amounts.plain(total) if _is_amount(column) else total


def _type(column: Any) -> str:
    return "string" if _is_amount(column) else "integer"


def _facets(model: str) -> Operation:
    def handler(asked: Asked) -> Answer:
        names = asked.values.get("columns", ())
        with asked.reading() as room:
            found = facets.facets(room.connection, model, asked.selection, room.ledger.timezone, names)
        return Answer({name: [each._asdict() for each in counted] for name, counted in found.items()})

    counted = of_properties({"value": {"type": "string"}, "rows": {"type": "integer"}})
    properties: dict[str, Schema] = {name: {"type": "array", "items": counted} for name in facets.FACETS[model]}
    return Operation(
        f"{BASE}/{model}/facets",
        f"facets-of-{model}",
        f"The commonest values of some columns in a selection of {model}, and how many rows have each.",
        handler,
        {"type": "object", "properties": properties, "additionalProperties": False},
        (*parameters.filters_of(model), parameters.facet_columns_of(model)),
        model,
    )

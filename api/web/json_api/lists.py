"""Read models page by page, with sums and facets."""

from typing import Any

from api.web.json_api import parameters
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import AS_OF_POINT, CURSOR, LIMIT, Schema
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import (
    chosen_row_schema,
    column_schema,
    columns_of,
    object_schema,
    row_documents,
    row_schema,
)
from domain import amounts
from projections.queries import facets
from projections.queries import pagination as browsing
from projections.queries.selection import read_model
from projections.schema.column_kinds import ColumnKind, column_kind
from projections.schema.read_models import READ_MODELS, ReadModel


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
    for model in READ_MODELS:
        found.append(_pages(model.name, model.description))
        if model.summed:
            found.append(_sums(model))
        if model.facets:
            found.append(_facets(model))
    return found


def _pages(model: str, description: str) -> ApiOperation:
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
        return page_document(
            row_documents(read_model(model), found.rows, asked.masks, values.get("cols", ())),
            found.next,
            found.previous,
        )

    return ApiOperation(
        f"{BASE}/{model}",
        f"list-{model}",
        description,
        handler,
        page_schema(row_schema(read_model(model))),
        (*parameters.filters_of(model), parameters.sort_of(model), columns_of(model), CURSOR, LIMIT, AS_OF_POINT),
        model,
        chosen_schema=page_schema(chosen_row_schema(read_model(model))),
    )


def _sums(model: ReadModel) -> ApiOperation:
    name = model.name
    columns = {key: model.table.c[key] for key in model.summed}

    def handler(asked: ApiRequest) -> ApiResponse:
        with asked.read_session() as room:
            found = facets.sum_columns(room.connection, name, asked.selection, room.ledger.timezone)
        return ApiResponse({key: _sum(columns.get(key), total) for key, total in found.items()})

    properties = {"rows": {"type": "integer"}} | {
        key: {part: value for part, value in column_schema(model, key).items() if part != "type"}
        | {"type": _type(column)}
        for key, column in columns.items()
    }
    return ApiOperation(
        f"{BASE}/{name}/sums",
        f"sum-{name}",
        f"The sums of all selected rows of {name}.",
        handler,
        object_schema(properties),
        (*parameters.filters_of(name), AS_OF_POINT),
        name,
    )


def _is_amount(column: Any) -> bool:
    return column is not None and column_kind(column) in (ColumnKind.AMOUNT, ColumnKind.TOTAL)


def _sum(column: Any, total: int) -> int | str:
    return amounts.plain(total) if _is_amount(column) else total


def _type(column: Any) -> str:
    return "string" if _is_amount(column) else "integer"


def _facets(model: ReadModel) -> ApiOperation:
    name = model.name

    def handler(asked: ApiRequest) -> ApiResponse:
        names = asked.values.get("columns", ())
        with asked.read_session() as room:
            found = facets.count_facets(room.connection, name, asked.selection, room.ledger.timezone, names)
        return ApiResponse({column: [each._asdict() for each in counted] for column, counted in found.items()})

    counted = object_schema({"value": {"type": "string"}, "rows": {"type": "integer"}})
    properties: dict[str, Schema] = {column: {"type": "array", "items": counted} for column in model.facets}
    return ApiOperation(
        f"{BASE}/{name}/facets",
        f"facets-of-{name}",
        f"The most frequent values of some columns of the selected {name}, with their counts.",
        handler,
        {"type": "object", "properties": properties, "additionalProperties": False},
        (*parameters.filters_of(name), parameters.facet_columns_of(name), AS_OF_POINT),
        name,
    )

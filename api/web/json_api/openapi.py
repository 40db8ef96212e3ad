"""The OpenAPI 3.1 document, made from the same operations that read requests."""

from collections.abc import Sequence
from http import HTTPStatus
from importlib.metadata import version
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from api.web.auth.authenticator import COOKIE
from api.web.json_api.endpoint import POSITION_HEADER
from api.web.json_api.named_schemas import NamedSchemas, pascal_case
from api.web.json_api.operation import JSON, JSON_OF_CHOSEN_COLUMNS, ApiOperation
from api.web.json_api.parameters import ApiParameter, Schema
from api.web.json_api.row_schema import object_schema
from api.web.problems import MEDIA_TYPE

NOT_MODIFIED = 304
WITH_RETRY = (429, 503)
MEANINGS = {
    304: "The data is still what `If-None-Match` names.",
    400: "Parameters are invalid; each is named.",
    401: "No session and no valid token.",
    403: "The user lacks the role.",
    404: "Not found.",
    408: "The body did not arrive in time.",
    409: "Not possible in the current state.",
    413: "The body is too large.",
    429: "Too many attempts with wrong tokens.",
    503: "Unavailable now; `Retry-After` says when to retry.",
}
_PROBLEM: Schema = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {name: {"type": "string"} for name in ("parameter", "value", "detail")},
                "required": ["parameter", "value", "detail"],
            },
        },
    },
    "required": ["title", "status", "detail"],
}
_POSITION = {"description": "The log position that this answer reflects.", "schema": {"type": "integer"}}
_HEADERS = {
    POSITION_HEADER: _POSITION,
    "ETag": {"description": "The value for `If-None-Match`.", "schema": {"type": "string"}},
    "Link": {"description": "The neighbouring pages (RFC 8288): rel=next, rel=prev.", "schema": {"type": "string"}},
}
_RETRY = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}


def openapi_document(operations: Sequence[ApiOperation]) -> dict[str, Any]:
    """Return the document of these operations."""
    paths: dict[str, dict[str, Any]] = {}
    named = NamedSchemas()
    named.add("Problem", _PROBLEM)
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, named)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "tringledger",
            "version": version("tringledger"),
            "description": "Amounts are decimals as texts, in US cents or SIP credits; times are ISO 8601 in UTC.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "tags": [{"name": tag} for tag in dict.fromkeys(operation.tag for operation in operations)],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
            "schemas": named.schemas,
        },
    }


def _operation(operation: ApiOperation, named: NamedSchemas) -> dict[str, Any]:
    body = [each for each in operation.all_parameters if each.place == "body"]
    described: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.tag],
        "summary": operation.meaning,
        "description": f"Needs the role `{operation.required_role}`.",
        "parameters": [
            _parameter(each, operation.name, named) for each in operation.all_parameters if each not in body
        ],
        "responses": {"200": _done(operation, named)} | {str(status): _other(status) for status in operation.statuses},
    }
    if body:
        schema = object_schema({each.name: each.schema | {"description": each.meaning} for each in body})
        schema["required"] = [each.name for each in body if each.is_required]
        reference = named.add(pascal_case(operation.name) + "Request", schema)
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": reference}}}
    return described


def _parameter(parameter: ApiParameter, owner: str, named: NamedSchemas) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "required": parameter.is_required,
        "description": parameter.meaning,
        "schema": named.add_parameter(parameter.name, owner, parameter.schema),
    }


def _done(operation: ApiOperation, named: NamedSchemas) -> dict[str, Any]:
    content: dict[str, Any] = {media: {} for media in operation.media}
    if operation.response_schema is not None:
        content = {JSON: {"schema": named.add(pascal_case(operation.name) + "Answer", operation.response_schema)}}
    if operation.chosen_schema is not None:
        name = pascal_case(operation.name) + "ChosenAnswer"
        content[JSON_OF_CHOSEN_COLUMNS] = {"schema": named.add(name, operation.chosen_schema)}
    headers = (
        _HEADERS if operation.response_schema is not None and not operation.changes else {POSITION_HEADER: _POSITION}
    )
    return {"description": "Done.", "headers": headers, "content": content}


def _other(status: int) -> dict[str, Any]:
    described: dict[str, Any] = {"description": MEANINGS[status]}
    if status != NOT_MODIFIED:
        described["content"] = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    if status in WITH_RETRY:
        described["headers"] = _RETRY
    return described


def phrase(status: int) -> str:
    """Return the reason phrase of a status."""
    return f"{status} {HTTPStatus(status).phrase}"


class OpenApiDocument:
    """Answers with the document, which is made once."""

    def __init__(self, operations: Sequence[ApiOperation]) -> None:
        """Describe these operations."""
        self._body = msgspec.json.format(msgspec.json.encode(openapi_document(operations)), indent=1)

    def __call__(self, _request: Request) -> Response:
        """Return the document."""
        return Response(self._body, media_type=JSON)

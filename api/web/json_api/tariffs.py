"""One version of the tariff: its text as it was published, and how it differs from another."""

from api.application.masking import masked_row
from api.application.published_tariffs import published_versions, unified_text_diff, version_document
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import AGAINST, VERSION, Schema
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import object_schema

_TEXT: Schema = {"type": "string"}
_NUMBER: Schema = {"type": "integer"}
_VERSION = object_schema(
    {
        "version": _NUMBER,
        "position": {"type": "integer", "description": "The position of its event in the log."},
        "published_at": {"type": "string", "format": "date-time"},
        "by": _TEXT,
        "reason": _TEXT,
        "rules": {"type": "integer", "description": "How many rules it has."},
        "effective_from": {"type": ["string", "null"], "format": "date-time", "description": "Empty: always."},
        "timezone": _TEXT,
        "text": {"type": "string", "description": "The file as it was published."},
        "against": {"type": ["integer", "null"], "description": "The version that `diff` starts from."},
        "diff": {"type": "string", "description": "A unified diff of the texts; empty if they are equal."},
    }
)


def operations() -> list[ApiOperation]:
    """Return the operation."""
    return [
        ApiOperation(
            f"{BASE}/tariffs/{{version}}",
            "show-tariff",
            "One version of the tariff: its text as it was published, and what it changed.",
            _show,
            _VERSION,
            (VERSION, AGAINST),
            refusals=(404,),
        )
    ]


def _show(asked: ApiRequest) -> ApiResponse:
    versions = {each.event.version: each for each in published_versions(asked.ledger)}
    wanted = asked.values["version"]
    against = asked.values.get("against", wanted - 1 if wanted > 1 else None)
    if missing := [each for each in (wanted, against) if each is not None and each not in versions]:
        msg = f"there is no tariff version {missing[0]}: expected one of {len(versions)} published"
        raise ApiError(404, msg)
    found = versions[wanted]
    document = version_document(found) if asked.identity.sees_pii else masked_row(version_document(found))
    diff = "" if against is None else unified_text_diff(versions[against], found)
    return ApiResponse(document | {"text": found.event.text, "against": against, "diff": diff})

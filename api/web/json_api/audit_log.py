"""The audit log for programs, with the role ``operate``: who viewed, exported or changed what."""

from typing import Any

from api.web.auth import audit_log as records
from api.web.auth.audit_log import AuditEntry
from api.web.auth.authenticator import Authenticator
from api.web.auth.guard import Role
from api.web.auth.roles import AuditAction
from api.web.json_api.lists import page_document, page_schema
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import CURSOR, LIMIT, ApiParameter, Schema, choice_reader, read_text
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import object_schema
from domain import times
from projections.queries import cursors
from projections.queries import pagination as browsing

LISTED, SORT = "access-log", "-id"
_TEXT: Schema = {"type": "string"}
_KINDS = [did.value for did in AuditAction]
_ENTRY = object_schema(
    {
        "id": {"type": "integer"},
        "at": {"type": "string", "format": "date-time"},
        "who": _TEXT,
        "how": _TEXT,
        "address": _TEXT,
        "did": {"type": "string", "enum": _KINDS},
        "unmasked": {"type": "boolean"},
        "what": _TEXT,
        "status": {"type": "integer"},
    }
)
WHO = ApiParameter("who", "Only entries of this user.", {"type": "string", "maxLength": 256}, read_text())
DID = ApiParameter("did", "Only entries with this action.", {"type": "string", "enum": _KINDS}, choice_reader(_KINDS))


def operations() -> list[ApiOperation]:
    """Return the operation."""
    return [
        ApiOperation(
            f"{BASE}/access-log",
            "list-access-log",
            "The audit log, latest first: who viewed, exported or changed what, and who signed in.",
            _list,
            page_schema(_ENTRY),
            (WHO, DID, CURSOR, LIMIT),
            required_role=Role.OPERATE,
        )
    ]


def _list(asked: ApiRequest) -> ApiResponse:
    authenticator: Authenticator = asked.request.app.state.authenticator
    values, limit, before = asked.values, asked.values.get("limit", browsing.LIMIT), None
    if "cursor" in values:
        before = int(cursors.decode_cursor(values["cursor"], LISTED, SORT, [int]).key[0])
    who, did = values.get("who", ""), values.get("did", "")
    found = records.audit_page(authenticator.store, before=before, who=who, did=did, limit=limit + 1)
    following = cursors.encode_cursor(LISTED, SORT, [found[limit - 1].id]) if len(found) > limit else ""
    shown = found[:limit] if asked.identity.sees_pii else records.mask_entries(found[:limit])
    return page_document([_document(entry) for entry in shown], following)


def _document(entry: AuditEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "at": times.iso(entry.at),
        "who": entry.who,
        "how": entry.how,
        "address": entry.address,
        "did": entry.did,
        "unmasked": entry.unmasked,
        "what": entry.what,
        "status": entry.status,
    }

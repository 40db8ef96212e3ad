"""The access log, for programs of whoever may operate: who looked at, unmasked, exported or changed what."""

from typing import Any

from api.web.auth import audit_log as records
from api.web.auth.audit_log import Record
from api.web.auth.authenticator import Doorkeeper
from api.web.auth.guard import Role
from api.web.auth.roles import Did
from api.web.json_api.lists import page, page_schema
from api.web.json_api.operation import BASE, Answer, Operation
from api.web.json_api.parameters import CURSOR, LIMIT, Parameter, Schema, one_of, text
from api.web.json_api.request import Asked
from api.web.json_api.row_schema import of_properties
from domain import times
from projections.queries import cursors
from projections.queries import pagination as browsing

LISTED, SORT = "access-log", "-id"
_TEXT: Schema = {"type": "string"}
_KINDS = [did.value for did in Did]
_ENTRY = of_properties(
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
WHO = Parameter("who", "Only what this user did.", {"type": "string", "maxLength": 256}, text())
DID = Parameter("did", "Only entries of this kind.", {"type": "string", "enum": _KINDS}, one_of(_KINDS))


def operations() -> list[Operation]:
    """Return the operation."""
    return [
        Operation(
            f"{BASE}/access-log",
            "list-access-log",
            "Who looked at, unmasked, exported or changed what, and who signed in; the latest first.",
            _list,
            page_schema(_ENTRY),
            (WHO, DID, CURSOR, LIMIT),
            needs=Role.OPERATE,
        )
    ]


def _list(asked: Asked) -> Answer:
    door: Doorkeeper = asked.request.app.state.door
    values, limit, before = asked.values, asked.values.get("limit", browsing.LIMIT), None
    if "cursor" in values:
        before = int(cursors.read(values["cursor"], LISTED, SORT, [int]).key[0])
    who, did = values.get("who", ""), values.get("did", "")
    found = records.page(door.store, before=before, who=who, did=did, limit=limit + 1)
    following = cursors.write(LISTED, SORT, [found[limit - 1].id]) if len(found) > limit else ""
    shown = found[:limit] if asked.who.sees_pii else records.masked(found[:limit])
    return page([_document(entry) for entry in shown], following)


def _document(entry: Record) -> dict[str, Any]:
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

"""The quarantine: notices that were refused and kept, looked at and tried again."""

from itertools import islice
from typing import Any

from api.application.masking import masked_parameters, masked_raw, masked_text
from api.web.auth.guard import Role
from api.web.json_api.lists import page, page_schema
from api.web.json_api.operation import BASE, Answer, Operation
from api.web.json_api.parameters import CURSOR, ENTRY, LIMIT, REASON, SETTLED, Schema
from api.web.json_api.refusal import Refusal
from api.web.json_api.request import Asked
from api.web.json_api.row_schema import of_properties
from domain import times
from domain.log.contract import QuarantineEntry
from domain.notices import notification
from domain.outcomes import Quarantined, Unkept
from projections.queries import cursors
from projections.queries import pagination as browsing

LISTED, SORT = "quarantine", "id"
_TIME: Schema = {"type": "string", "format": "date-time"}
_WHOLE: Schema = {"type": "integer"}
_TEXT: Schema = {"type": "string"}
_ENTRY: dict[str, Schema] = {
    "id": _WHOLE,
    "received_at": _TIME,
    "last_received_at": _TIME,
    "times": _WHOLE,
    "authentic": {"type": "boolean"},
    "reason": _TEXT,
    "source": _TEXT,
    "position": {"type": ["integer", "null"]},
}
_WHOLE_ENTRY = of_properties(
    _ENTRY | {"raw": _TEXT, "parameters": {"type": "array", "items": {"type": "array", "items": _TEXT}}}
)


def operations() -> list[Operation]:
    """Return the operations on the quarantine."""
    return [*_looking(), *_doing()]


def _looking() -> list[Operation]:
    return [
        Operation(
            f"{BASE}/quarantine",
            "list-quarantine",
            "The notices in quarantine, oldest first.",
            _list,
            page_schema(of_properties(_ENTRY)),
            (SETTLED, CURSOR, LIMIT),
        ),
        Operation(
            f"{BASE}/quarantine/{{entry}}",
            "show-quarantined",
            "One notice whole: its raw bytes, its parameters, and why it was refused.",
            _show,
            _WHOLE_ENTRY,
            (ENTRY,),
            refusals=(404,),
        ),
    ]


def _doing() -> list[Operation]:
    return [
        Operation(
            f"{BASE}/quarantine/{{entry}}/reprocess",
            "reprocess-quarantined",
            "Try a notice again, now that the cause may be mended; it keeps its original received_at.",
            _reprocess,
            of_properties(
                {"id": _WHOLE, "outcome": {"type": "string", "enum": ["recorded", "duplicate"]}, "position": _WHOLE}
            ),
            (ENTRY,),
            method="POST",
            needs=Role.OPERATE,
            refusals=(404, 409),
        ),
        Operation(
            f"{BASE}/quarantine/{{entry}}/resolve",
            "resolve-quarantined",
            "Settle a notice that is not to be recorded.",
            _resolve,
            of_properties({"position": _WHOLE}),
            (ENTRY, REASON),
            method="POST",
            needs=Role.OPERATE,
            refusals=(404, 409),
        ),
    ]


def _list(asked: Asked) -> Answer:
    after = 0
    if "cursor" in asked.values:
        after = int(cursors.read(asked.values["cursor"], LISTED, SORT, [int]).key[0])
    limit = asked.values.get("limit", browsing.LIMIT)
    waiting = asked.ledger.store.quarantined(settled=asked.values.get("settled", False), after=after)
    found = list(islice(waiting, limit + 1))
    following = cursors.write(LISTED, SORT, [found[limit - 1].id]) if len(found) > limit else ""
    return page([_document(asked, entry) for entry in found[:limit]], following)


def _show(asked: Asked) -> Answer:
    entry = _one(asked)
    parameters, raw = notification.parse(entry.raw), entry.raw
    if not asked.who.sees_pii:
        parameters, raw = masked_parameters(parameters), masked_raw(raw)
    shown = [[_text(name), _text(value)] for name, value in parameters]
    return Answer(_document(asked, entry) | {"raw": raw.decode(errors="backslashreplace"), "parameters": shown})


def _reprocess(asked: Asked) -> Answer:
    entry = _one(asked)
    answer = asked.ledger.reprocess(entry)
    if isinstance(answer, Quarantined | Unkept):
        reason = answer.reason if asked.who.sees_pii else masked_text(answer.reason)
        raise Refusal(409, f"notice {entry.id} is still unfit: {reason}")
    return Answer({"id": entry.id, "outcome": type(answer).__name__.lower(), "position": answer.position})


def _resolve(asked: Asked) -> Answer:
    entry = _one(asked)
    with asked.acting() as acting:
        position = acting.resolve_quarantined(entry.id)
    return Answer({"position": position})


def _one(asked: Asked) -> QuarantineEntry:
    entry = asked.ledger.store.quarantined_one(asked.values["entry"])
    if entry is None:
        msg = f"there is no notice {asked.values['entry']} in quarantine"
        raise Refusal(404, msg)
    return entry


def _document(asked: Asked, entry: QuarantineEntry) -> dict[str, Any]:
    reason = _text(entry.reason)
    return {
        "id": entry.id,
        "received_at": times.iso(entry.received_at),
        "last_received_at": times.iso(entry.last_received_at),
        "times": entry.times,
        "authentic": entry.authentic,
        "reason": reason if asked.who.sees_pii else masked_text(reason),
        "source": entry.source,
        "position": entry.position or None,
    }


def _text(text: str) -> str:
    """Return text with the bytes that are no UTF-8 written out."""
    return text.encode(errors="surrogateescape").decode(errors="backslashreplace")

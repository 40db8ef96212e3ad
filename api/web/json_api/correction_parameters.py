"""The parameters of operations by which operators correct the books, and the JSON schema of what these answer."""

import re
from uuid import UUID

from api.application.account_adjustment import read_adjustment
from api.web.json_api.parameters import (
    CALL_ID,
    MONTH,
    POSITION,
    POSITION_MAX,
    REASON,
    STATED_ACCOUNT,
    ApiParameter,
    Schema,
    choice_reader,
    read_text,
    whole_number_reader,
)
from api.web.json_api.row_schema import DECIMAL, object_schema

POSITIONS_MAX = 1000
TARIFF_LENGTH_MAX = 500_000
_WHOLE: Schema = {"type": "integer"}
_WHOLE_OR_NULL: Schema = {"type": ["integer", "null"]}
_TEXT: Schema = {"type": "string"}
_AMOUNT: Schema = {"type": "string", "pattern": DECIMAL}
_FINGERPRINT = r"^[0-9a-f]{24}$"


def _positions(text: str) -> list[int]:
    numbers = text.split(",")
    if len(numbers) > POSITIONS_MAX:
        msg = f"at most {POSITIONS_MAX} positions"
        raise ValueError(msg)
    return [whole_number_reader(1, POSITION_MAX)(each.strip()) for each in numbers]


def _fingerprint(text: str) -> str:
    if not re.fullmatch(_FINGERPRINT, text):
        raise ValueError("the `preview` of an earlier answer: 24 hexadecimal digits")
    return text


def _truth(text: str) -> bool:
    return choice_reader(("true", "false"))(text) == "true"


def _into(text: str) -> UUID:
    read: UUID = CALL_ID.read(text)
    return read


def _tariff_text(text: str) -> str:
    # Lines end as in a file, whatever the client's system.
    return read_text(TARIFF_LENGTH_MAX)(text.replace("\r\n", "\n"))


DRY_RUN = ApiParameter(
    "dry_run", "Only preview: say what it would do and which money it would move.", {"type": "boolean"}, _truth
)
IF_PREVIEW = ApiParameter(
    "if_preview",
    "The `preview` of a dry run: do it only if it still does what that showed; otherwise 409.",
    {"type": "string", "pattern": _FINGERPRINT},
    _fingerprint,
)
COMMON = (REASON, DRY_RUN, IF_PREVIEW)
POSITIONS = ApiParameter(
    "positions",
    "The positions of the notices that become a call of their own, separated by commas.",
    {"type": "string", "pattern": r"^[0-9]{1,18}( *, *[0-9]{1,18})*$", "examples": ["17,18"]},
    _positions,
    "body",
)
INTO = CALL_ID._replace(name="into", meaning="The id of the call that takes all notices.", read=_into, place="body")
REPEATED_CDR = POSITION._replace(meaning="The position of the repeated CDR.")
CORRECTION = POSITION._replace(meaning="The position of the correction.")
ADJUSTED_ACCOUNT = STATED_ACCOUNT._replace(place="body")
AMOUNT = ApiParameter(
    "amount",
    "What the account is charged, in US cents; credited if it is below 0.",
    {"type": "string", "pattern": r"^[+-]?[0-9]{1,9}(\.[0-9]{1,6})?$", "examples": ["250", "-12.5"]},
    read_adjustment,
    "body",
)
ADJUSTED_MONTH = MONTH._replace(
    meaning="The month that it belongs to (default: the current one).", place="body", is_optional=True
)
NEW_ACCOUNT = ApiParameter(
    "new_account",
    "`true` adjusts an account that the books do not know yet.",
    {"type": "string", "enum": ["true", "false"]},
    _truth,
    "body",
    is_optional=True,
)
MOVED = object_schema(
    {
        "account": _TEXT,
        "period": _TEXT | {"description": "The month that it is posted to."},
        "original_period": _TEXT | {"description": "The month that it is about; another one if that is closed."},
        "calls": _WHOLE,
        "billed_seconds": _WHOLE,
        "cost": _AMOUNT,
        "sip_credits": _AMOUNT,
        "price": _AMOUNT,
        "margin": _AMOUNT,
    }
) | {"title": "MovedAmounts"}
_STANDING = object_schema(
    {
        "notices": _WHOLE,
        "has_cdr": {"type": "boolean"},
        "account": _TEXT,
        "cost": _AMOUNT,
        "price": _AMOUNT,
        "billed_seconds": _WHOLE,
    }
) | {"title": "CallStanding"}
_EVENT = object_schema(
    {"position": _WHOLE_OR_NULL, "type": _TEXT, "call_id": {"type": ["string", "null"]}, "about": _TEXT}
) | {"title": "CorrectionEvent"}
_CALL = object_schema({"call_id": _TEXT, "before": {"anyOf": [_STANDING, {"type": "null"}]}, "after": _STANDING}) | {
    "title": "CallDifference"
}
CORRECTION_ANSWER = object_schema(
    {
        "dry_run": {"type": "boolean", "description": "Whether nothing was done."},
        "preview": {"type": "string", "description": "What `if_preview` takes."},
        "position": _WHOLE_OR_NULL | {"description": "The position of the last event; `undo` reverses it."},
        "events": {"type": "array", "items": _EVENT},
        "moved": {"type": "array", "items": MOVED, "description": "The money that moves, by account and month."},
        "calls": {"type": "array", "items": _CALL, "description": "The calls that change."},
        "can_be_undone": {"type": "boolean"},
    }
) | {"title": "CorrectionAnswer"}
RATED_ACCOUNT = STATED_ACCOUNT._replace(meaning="The account that the calls are billed to now.", place="body")
RATED_MONTH = MONTH._replace(meaning="The month of their CDRs.", place="body")
RATED_BY = ApiParameter(
    "tariff",
    "The tariff version to price them by.",
    {"type": "string", "pattern": "^[0-9]{1,18}$", "examples": ["3"]},
    whole_number_reader(1, POSITION_MAX),
    "body",
)
CLOSED_MONTH = MONTH._replace(meaning="The month to close; all months before it are closed, too.", place="body")
ACCEPT = REASON._replace(name="accept", meaning="Close it despite open items, for this reason.", is_optional=True)
TARIFF_TEXT = ApiParameter(
    "text",
    "The tariff, as a file has it.",
    {"type": "string", "minLength": 1, "maxLength": TARIFF_LENGTH_MAX},
    _tariff_text,
    "body",
)
AS_VERSION = ApiParameter(
    "if_version",
    "The `version` of a dry run: publish it only as that version; otherwise 409.",
    {"type": "integer", "minimum": 1, "maximum": POSITION_MAX},
    whole_number_reader(1, POSITION_MAX),
)

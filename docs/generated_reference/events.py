"""The events: their topics, what each records, and the fields that are stored."""

from types import NoneType
from typing import Any, get_args, get_origin

import msgspec

from domain.events.notice_events import EVENTS, Notice, NoticeRecorded, UnrecognisedRecorded, Voucher
from domain.events.operator_events import OPERATOR_EVENTS, OperatorEvent
from generated_reference.markdown import code, paragraphs, table

NAMES = {int: "whole number", str: "text", bool: "true or false"}
PLURALS = {int: "whole numbers", str: "texts"}


def describe() -> str:
    """Return a section for events of notifications and one for those of operators."""
    return f"{_notices()}\n{_operator_events()}"


def _notices() -> str:
    kinds: list[type[NoticeRecorded]] = [*EVENTS.values(), UnrecognisedRecorded]
    topics = table(("topic", "what it records"), [(code(kind.TOPIC), paragraphs(kind.__doc__)) for kind in kinds])
    return f"""## Events of notifications

{topics}
All of them store a notice in this shape. {paragraphs(Notice.__doc__)}

{_fields(Notice)}
`voucher`: {paragraphs(Voucher.__doc__)}

{_fields(Voucher)}"""


def _operator_events() -> str:
    kinds = "\n".join(
        f"### {topic}\n\n{paragraphs(kind.__doc__)}\n\n{_fields(kind, without=OperatorEvent)}"
        for topic, kind in OPERATOR_EVENTS.items()
    )
    return f"""## Events of operators

{paragraphs(OperatorEvent.__doc__)}

{_fields(OperatorEvent)}
{kinds}"""


def _fields(kind: type[msgspec.Struct], without: type[msgspec.Struct] | None = None) -> str:
    inherited = {field.name for field in msgspec.structs.fields(without)} if without else set()
    rows = [
        (code(field.encode_name), type_name(field.type), _default(field))
        for field in msgspec.structs.fields(kind)
        if field.name not in inherited
    ]
    return table(("field", "type", "left out if it is"), rows) if rows else "It has no further fields.\n"


def _default(field: msgspec.structs.FieldInfo) -> str:
    if field.default_factory is not msgspec.NODEFAULT:
        return code("[]")
    return "" if field.default is msgspec.NODEFAULT else code(msgspec.json.encode(field.default).decode())


def type_name(kind: Any) -> str:
    """Return a type in words."""
    arguments = get_args(kind)
    if kind in NAMES:
        return NAMES[kind]
    if kind is NoneType:
        return code("null")
    origin = get_origin(kind)
    if origin is list:
        return f"list of {PLURALS.get(arguments[0]) or type_name(arguments[0])}"
    if origin is tuple:
        return f"[{', '.join(type_name(each) for each in arguments)}]"
    if isinstance(kind, type):
        return kind.__name__.lower()
    return " or ".join(
        type_name(each) if isinstance(each, type) or get_origin(each) else str(each) for each in arguments
    )

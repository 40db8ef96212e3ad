"""What somebody without the role ``pii`` sees in place of phone numbers, e-mails, keyed digits and raw notices.

At least half of a number is hidden, so that it can be told from its neighbours and not be dialled. What callers keyed may
be a PIN: nothing of it is shown. A text is masked by where it stands (its column, its parameter's name); only where
anything may stand in it, as in a reason, by what it looks like.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from domain.notices import notification

HIDDEN = "•"
HIDDEN_MIN = 4
TAIL = 2
ALL_HIDDEN = HIDDEN * HIDDEN_MIN

Value = TypeVar("Value")

_EMAIL = re.compile(r"[^\s@=&;,'\"<>]+@[^\s@=&;,'\"<>]+")
# Nine digits or more, as people write them; a date, an amount or a position is none of them.
_NUMBER = re.compile(r"(?<![\w.:-])\+?\(?\d(?:[ ()-]{0,2}\d){8,}(?!\w|\.\d)")


def masked_number(number: str) -> str:
    """Return a number with at least half of its characters, and four, hidden: ``185••••••01``; an address as masked_email."""
    if "@" in number:
        return masked_email(number)
    hidden = min(max(HIDDEN_MIN, -(-len(number) // 2)), len(number))
    tail = min(TAIL, len(number) - hidden)
    head = len(number) - hidden - tail
    return number[:head] + HIDDEN * hidden + number[len(number) - tail :]


def masked_email(email: str) -> str:
    """Return an address of which the first letter and the domain can be seen: ``a••••@example.com``."""
    name, at, domain = email.rpartition("@")
    return f"{name[:1]}{ALL_HIDDEN}@{domain}" if at else masked_number(email)


def mask_text(text: str) -> str:
    """Return nothing of a text but that there is one."""
    return ALL_HIDDEN if text else ""


def masked_text(text: str) -> str:
    """Return a text, such as a reason, with what looks like an e-mail or a phone number masked."""
    text = _EMAIL.sub(lambda found: masked_email(found[0]), text)
    return _NUMBER.sub(lambda found: masked_number(found[0]), text)


MASKS: Mapping[str, Callable[[str], str]] = {
    "src": masked_number,
    "email": masked_email,
    "digits": mask_text,
    "voicemail": mask_text,
    "reason": masked_text,
    "resolution": masked_text,
}
"""The columns of read models and exports that are masked, each with how."""

PARAMETERS: Mapping[str, Callable[[str], str]] = {
    "src": masked_number,
    "email": masked_email,
    "p": mask_text,
    "voicemail": mask_text,
}
# Of nobody they say anything; every other parameter may hold whatever somebody put there.
HARMLESS = frozenset({"f", "tag", "sig", "r"})
# Nor do these, as long as there is in them what belongs there.
MEASURES = frozenset(
    {"type", "status", "srcduration", "destduration", "srccharge", "destcharge", "srcsipcharge", "destsipcharge"}
)
_MEASURE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")


def masked_value(column: str, value: Value) -> Value | str:
    """Return a column's value as it may be shown without ``pii``."""
    mask = MASKS.get(column)
    return mask(value) if mask and isinstance(value, str) else value


def masked_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a read model or an export as it may be shown without ``pii``."""
    return {column: masked_value(column, value) for column, value in row.items()}


def masked_parameters(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return a notification's parameters as they may be shown without ``pii``: those that nobody knows are hidden."""
    return [_masked_pair(name, value) for name, value in pairs]


def _masked_pair(name: str, value: str) -> tuple[str, str]:
    if name in HARMLESS:
        return name, value
    if name in MEASURES:
        return name, value if _MEASURE.fullmatch(value) else masked_text(value)
    mask = PARAMETERS.get(name)
    return (name, mask(value)) if mask else (masked_text(name), mask_text(value))


def masked_operator_event(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an operator's act says as it may be shown without ``pii``.

    A delivery key is left out: whoever knows all of a notice but its number could try out what gives just that key.
    """
    shown = {name: masked_value(name, value) for name, value in said.items() if name != "delivery_key"}
    if "line" in shown:
        tag, src = said["line"]
        shown["line"] = [tag, src and masked_number(src)]
    return shown


def masked_raw(raw: bytes) -> bytes:
    """Return a refused notice's raw bytes as they may be shown without ``pii``: its parameters, those masked."""
    masked = notification.encode_query(masked_parameters(notification.parse_pairs(raw)))
    return masked.replace(quote(HIDDEN).encode(), HIDDEN.encode())

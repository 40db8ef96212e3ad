"""What users without the role ``pii`` see instead of phone numbers, e-mail addresses, keyed digits and raw notices.

At least half of a number is hidden: you can tell it from others, but not dial it. Keyed digits may be a PIN, so none of
them is shown. Values are masked by their column or parameter; only free text, such as a reason, is masked by its looks.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar
from urllib.parse import quote

from domain.notices import notification
from domain.notices.line_number import hide_password

HIDDEN = "•"
HIDDEN_MIN = 4
TAIL = 2
ALL_HIDDEN = HIDDEN * HIDDEN_MIN

Value = TypeVar("Value")

_EMAIL = re.compile(r"[^\s@=&;,'\"<>]+@[^\s@=&;,'\"<>]+")
# Nine digits or more, as people write phone numbers; dates, amounts and positions do not match.
_NUMBER = re.compile(r"(?<![\w.:-])\+?\(?\d(?:[ ()-]{0,2}\d){8,}(?!\w|\.\d)")


def masked_number(number: str) -> str:
    """Hide at least half of a number, and at least four characters: ``185••••••01``; an e-mail address as masked_email."""
    if "@" in number:
        return masked_email(number)
    hidden = min(max(HIDDEN_MIN, -(-len(number) // 2)), len(number))
    tail = min(TAIL, len(number) - hidden)
    head = len(number) - hidden - tail
    return number[:head] + HIDDEN * hidden + number[len(number) - tail :]


def masked_email(email: str) -> str:
    """Hide all of an e-mail address except the first letter and the domain: ``a••••@example.com``."""
    name, at, domain = email.rpartition("@")
    return f"{name[:1]}{ALL_HIDDEN}@{domain}" if at else masked_number(email)


def mask_text(text: str) -> str:
    """Hide a text completely; an empty text stays empty."""
    return ALL_HIDDEN if text else ""


def masked_text(text: str) -> str:
    """Mask everything in a text that looks like an e-mail address or a phone number."""
    text = _EMAIL.sub(lambda found: masked_email(found[0]), text)
    return _NUMBER.sub(lambda found: masked_number(found[0]), text)


MASKS: Mapping[str, Callable[[str], str]] = {
    "src": masked_number,
    "email": masked_email,
    "digits": mask_text,
    "voicemail": mask_text,
    "reason": masked_text,
    "resolution": masked_text,
    # An unknown status may be any text.
    "statuses": masked_text,
}
"""The masked columns of read models and exports, and the function that masks each."""

PARAMETERS: Mapping[str, Callable[[str], str]] = {
    "src": masked_number,
    "email": masked_email,
    "p": mask_text,
    "voicemail": mask_text,
}
# These are about no person; any parameter not listed here may contain anything.
HARMLESS = frozenset({"f", "tag", "sig", "r"})
# Nor are these, if their values are well-formed.
MEASURES = frozenset(
    {"type", "status", "srcduration", "destduration", "srccharge", "destcharge", "srcsipcharge", "destsipcharge"}
)
_MEASURE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,6})?")


def masked_value(column: str, value: Value) -> Value | str:
    """Return a column's value as users without ``pii`` see it."""
    mask = MASKS.get(column)
    return mask(value) if mask and isinstance(value, str) else value


def masked_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of a read model or an export as users without ``pii`` see it."""
    return {column: masked_value(column, value) for column, value in row.items()}


def masked_parameters(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return a notification's parameters as users without ``pii`` see them; unknown parameters are hidden."""
    return [_masked_pair(name, value) for name, value in pairs]


def _masked_pair(name: str, value: str) -> tuple[str, str]:
    if name in HARMLESS:
        return name, value
    if name in MEASURES:
        return name, value if _MEASURE.fullmatch(value) else masked_text(value)
    mask = PARAMETERS.get(name)
    return (name, mask(value)) if mask else (masked_text(name), mask_text(value))


def masked_operator_event(said: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of an operator event as users without ``pii`` see them.

    The delivery key is left out: with all else of a notice known, its number could be found by trying until the key fits.
    """
    shown = {name: masked_value(name, value) for name, value in said.items() if name != "delivery_key"}
    if "line" in shown:
        shown["line"] = masked_line(said["line"])
    return shown


def masked_line(line: Iterable[str | None]) -> list[str | None]:
    """Return a line as users without ``pii`` see it: its tag, and its number masked, or None where calls are correlated by tag."""
    tag, src = line
    return [tag, src and masked_number(src)]


def shown_parameters(pairs: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return a notification's parameters as users with ``pii`` see them: without the passwords of SIP addresses (SPEC 9.2)."""
    return [(name, hide_password(value)) for name, value in pairs]


def shown_raw(raw: bytes) -> bytes:
    """Return the raw bytes of a quarantined notice as users with ``pii`` see them: as they are, but for such passwords."""
    return b"&".join(_shown_segment(segment) for segment in raw.split(b"&"))


def _shown_segment(segment: bytes) -> bytes:
    pairs = notification.parse_pairs(segment)
    shown = shown_parameters(pairs)
    return segment if shown == pairs else notification.encode_query(shown)


def masked_raw(raw: bytes) -> bytes:
    """Return the raw bytes of a quarantined notice as users without ``pii`` see them: its masked parameters."""
    masked = notification.encode_query(masked_parameters(notification.parse_pairs(raw)))
    return masked.replace(quote(HIDDEN).encode(), HIDDEN.encode())

"""Cursors: where a page begins, as an opaque text that clients send back unchanged."""

import base64
import binascii
from collections.abc import Sequence

import msgspec

from projections.queries.time_points import SelectionError

INT64_MAX = (1 << 63) - 1

Key = Sequence[str | int]


class WrongCursor(SelectionError):
    """A cursor that does not belong to this list in this order."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """A place in a sorted list: after the row with this key or, if ``backwards``, before it."""

    listed: str
    sort: str
    backwards: bool
    key: list[str | int]


def encode_cursor(listed: str, sort: str, key: Key, *, backwards: bool = False) -> str:
    """Return the cursor of a place in a list."""
    raw = msgspec.json.encode(Cursor(listed, sort, backwards, list(key)))
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def decode_cursor(text: str, listed: str, sort: str, kinds: Sequence[type]) -> Cursor:
    """Read a cursor of a list whose keys have these types; raises WrongCursor."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=Cursor)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        cursor = None
    if cursor is None or (cursor.listed, cursor.sort) != (listed, sort) or not _fits(cursor.key, kinds):
        msg = f"invalid cursor {text!r}: expected one from a page of {listed}, sorted by {sort}"
        raise WrongCursor(msg)
    return cursor


def _fits(key: Key, kinds: Sequence[type]) -> bool:
    """Whether a key could be a row's: made-up cursors must get no further."""
    if [*map(type, key)] != list(kinds):
        return False
    return all("\0" not in part if isinstance(part, str) else abs(part) <= INT64_MAX for part in key)

"""Windows as server-sent events: made once for all pages, in two variants, with phone numbers whole and masked.

A frame's id is the position that it brings a page to. A page that lost its connection sends that id when it
reconnects, and gets what it missed, or everything if that is no longer known.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from api.application.masking import masked_number, masked_text
from api.web.live.window import LiveCall, LiveWindow
from domain import times
from domain.notices.line_number import hide_password

CHANGE, RESET, FAILING = "change", "reset", "failing"
PING = b": still here\n\n"
RETRY = b"retry: 1000\n\n"

_encode = msgspec.json.Encoder().encode


def reset_frame(window: LiveWindow, *, whole: bool) -> bytes:
    """Return a whole window, which replaces what a page shows; ``whole`` shows phone numbers in full."""
    return _frame(RESET, window, {"rows": _rows(window.rows, whole=whole)})


def change_frame(before: LiveWindow, window: LiveWindow, *, whole: bool) -> bytes:
    """Return the difference between two windows; the page shows the first."""
    known = {row.id: row for row in before.rows}
    changed = [row for row in window.rows if known.get(row.id) != row]
    gone = list(known.keys() - {row.id for row in window.rows})
    return _frame(CHANGE, window, {"rows": _rows(changed, whole=whole), "gone": gone})


def resumption_frames(window: LiveWindow, position: int, *, whole: bool) -> bytes:
    """Return what a page that stopped at a position needs: the calls that changed since, and which others remain."""
    if not window.covers(position):
        return reset_frame(window, whole=whole)
    rows = _rows(window.since(position), whole=whole)
    return _frame(CHANGE, window, {"rows": rows, "keep": [row.id for row in window.rows]})


def failure_frame(reason: str) -> bytes:
    """Return the frame that says that the read models cannot be read now."""
    return b"event: %b\ndata: %b\n\n" % (FAILING.encode(), _encode({"reason": reason}))


def _frame(event: str, window: LiveWindow, said: dict[str, Any]) -> bytes:
    data = _encode({"now": times.now() // 1000, "counts": window.counts, **said})
    return b"id: %d\nevent: %b\ndata: %b\n\n" % (window.position, event.encode(), data)


def _rows(rows: Iterable[LiveCall], *, whole: bool) -> list[dict[str, Any]]:
    return [
        {
            "id": row.id,
            "live": row.is_live,
            "disposition": row.disposition,
            "tag": row.tag,
            "number": hide_password(row.src) if whole else masked_number(row.src),
            "opened": times.iso(row.opened_at),
            "ended": times.iso(row.ended_at) if row.ended_at is not None else None,
            "last": row.last if whole else masked_text(row.last),
            "last_at": times.iso(row.event_at),
            "at": row.at,
            "flags": row.flags,
        }
        for row in rows
    ]

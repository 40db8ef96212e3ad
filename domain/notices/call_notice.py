"""What one notice says about its call, typed: the form in which correlation and the call's fold read it."""

from collections.abc import Mapping

import msgspec

from domain.amounts import millionths
from domain.notices.notification import CHARGES, DURATIONS
from domain.notices.statuses import INPUTS

# srcduration, destduration in seconds; srccharge, destcharge, srcsipcharge, destsipcharge in millionths of their unit.
Charges = tuple[int | None, int | None, int | None, int | None, int | None, int | None]

# A line: the tag, and the number; None under correlation by tag.
LineKey = tuple[str, str | None]

_STRIPPED = dict.fromkeys(map(ord, " -.()"))


class CallNotice(msgspec.Struct, frozen=True, gc=False):
    """A ``callstatus`` or ``cdr``: when it was received (microseconds, UTC) and what it tells."""

    received_at: int
    is_cdr: bool
    tag: str
    src: str
    status: str
    digits: str
    charges: Charges | None

    def line(self, correlation: str) -> LineKey:
        """Return the line that the notice belongs to, under ``tag-src`` or ``tag`` correlation (SPEC 6)."""
        return (self.tag, None if correlation == "tag" else self.src)


def read_call_notice(values: Mapping[str, str], received_at: int) -> CallNotice:
    """Read the parameters of a ``callstatus`` or ``cdr`` that was received at ``at``; empty numbers are absent."""
    status = values.get("status", "")
    is_cdr = values.get("type") == "cdr"
    return CallNotice(
        received_at,
        is_cdr,
        values.get("tag", ""),
        normalised_number(values.get("src", "")),
        status,
        values.get("p", "") if status in INPUTS and not is_cdr else "",
        _read_charges(values) if is_cdr else None,
    )


def normalised_number(src: str) -> str:
    """Return a phone number without spaces, ``-``, ``.``, ``(``, ``)`` and then one leading ``+``."""
    return src if src.isalnum() else src.translate(_STRIPPED).removeprefix("+")


def _read_charges(values: Mapping[str, str]) -> Charges:
    src, dest = (int(text) if (text := values.get(name)) else None for name in DURATIONS)
    charges = [millionths(text) if (text := values.get(name)) else None for name in CHARGES]
    return (src, dest, charges[0], charges[1], charges[2], charges[3])

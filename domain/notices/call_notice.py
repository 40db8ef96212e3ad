"""The content of a ``callstatus`` or ``cdr`` notice, typed: correlation and the call's fold read it in this form."""

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

import msgspec

from domain.amounts import millionths
from domain.notices.line_number import line_number
from domain.notices.notification import CHARGES, DURATIONS
from domain.notices.statuses import INPUTS

# A line: the tag, and the number; None under correlation by tag.
LineKey = tuple[str, str | None]


class Charges(NamedTuple):
    """The numbers of a CDR, of the source and the destination leg; None where TringMe sent none.

    Charges are in millionths of a US cent, credits in millionths of a SIP credit.
    """

    src_seconds: int | None
    dest_seconds: int | None
    src_charge: int | None
    dest_charge: int | None
    src_credits: int | None
    dest_credits: int | None

    @property
    def cost(self) -> int:
        """What TringMe charges for both legs, in millionths of a US cent."""
        return (self.src_charge or 0) + (self.dest_charge or 0)

    @property
    def sip_credits(self) -> int:
        """What TringMe charges for both legs, in millionths of a SIP credit."""
        return (self.src_credits or 0) + (self.dest_credits or 0)


_charges = partial(tuple.__new__, Charges)  # As Charges._make does, without a call of a Python function.
NO_CHARGES = Charges(None, None, None, None, None, None)


class CallNotice(msgspec.Struct, frozen=True, gc=False):
    """A ``callstatus`` or ``cdr``: when it was received (microseconds, UTC) and what it says; ``src`` is as delivered."""

    received_at: int
    is_cdr: bool
    tag: str
    src: str
    status: str
    digits: str
    charges: Charges | None

    def line(self, correlation: str, line_rule: int) -> LineKey:
        """Return the line that the notice belongs to, under ``tag-src`` or ``tag`` correlation, by a line rule (SPEC 6, 9.2)."""
        return (self.tag, None if correlation == "tag" else line_number(self.src, line_rule))


def read_call_notice(values: Mapping[str, str], received_at: int) -> CallNotice:
    """Read the parameters of a ``callstatus`` or ``cdr`` received at ``received_at`` (microseconds, UTC).

    An empty number counts as absent.
    """
    get = values.get
    status = get("status", "")
    is_cdr = get("type") == "cdr"
    digits = get("p", "") if status in INPUTS and not is_cdr else ""
    charges = read_charges(values) if is_cdr else None
    return CallNotice(received_at, is_cdr, get("tag", ""), get("src", ""), status, digits, charges)


def read_charges(values: Mapping[str, str]) -> Charges:
    """Read the numbers of a ``cdr``; an empty one counts as absent."""
    numbers = [int(text) if (text := values.get(name)) else None for name in DURATIONS]
    numbers += [millionths(text) if (text := values.get(name)) else None for name in CHARGES]
    return _charges(numbers)

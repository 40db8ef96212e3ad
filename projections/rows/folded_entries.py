"""The rows of a bill, folded from events alone: the account's entries of a month and their sum, as the read models have them.

It is what a bundle carries and what its verifier makes again: the same fold as a rebuild's, without a database.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import attrgetter

import msgspec

from domain.billing import billing_context
from domain.billing.billing_context import BillingContext
from domain.events.log_row import LogRow
from domain.events.streams import CLOSINGS, TARIFFS
from domain.events.streams_of_calls import is_of_call
from projections.rows.cdrs import CdrRow, amounts_of_cdr
from projections.rows.entry import CDR, Entry, EntryAmounts
from projections.rows.projector import Projector

SUMMED = EntryAmounts._fields[:-1]  # All but the rounding.
BILLING_COLUMNS = ("account", "period", *SUMMED, "entries")
# Never to change: digests in closed months are made of these columns in this order.
ENTRIES_1 = "entries/1"
ENTRY_COLUMNS = Entry._fields

_lines = msgspec.json.Encoder().encode_lines


def entry_of_cdr(row: CdrRow) -> Entry:
    """Return the entry that a row of ``cdrs`` is."""
    return Entry(
        position=row.position,
        number=0,
        kind=CDR,
        account=row.account,
        period=row.period,
        original_period=row.original_period,
        day=row.day,
        call_id=row.call_id,
        tag=row.tag,
        src=row.src,
        disposition=row.disposition,
        **amounts_of_cdr(row)._asdict(),
        level=row.level,
        tariff=row.tariff,
        rule=row.rule,
        posted_by="",
        reason="",
    )


def fold_entries(
    events: Iterable[LogRow], timezone: str, line_rule: int, is_wanted: Callable[[Entry], bool]
) -> list[Entry]:
    """Fold whole streams into the entries that are wanted, in the order of position, number and call.

    Events that were moved between calls are looked for among those given. Raises ProjectionStopped, and KeyError where an
    event that was moved is not there.
    """
    rows = sorted(events, key=attrgetter("stream", "version"))
    by_position = {row.position: row for row in rows}
    projector = Projector(
        context_of(rows, timezone, line_rule), lambda positions: [by_position[each] for each in positions]
    )
    for _, grouped in groupby(rows, key=attrgetter("stream")):
        stream = list(grouped)
        if is_of_call(stream[0]):
            projector.add_stream(stream)
        else:
            for row in stream:
                projector.add(row)
    entries = [*map(entry_of_cdr, projector.batch.of(CdrRow)), *projector.batch.of(Entry)]
    return sorted((each for each in entries if is_wanted(each)), key=attrgetter("position", "number", "call_id"))


def context_of(rows: Iterable[LogRow], timezone: str, line_rule: int) -> BillingContext:
    """Return the tariffs and closings that are among events."""
    known = sorted(rows, key=attrgetter("position"))
    tariffs = [row for row in known if row.stream == TARIFFS.hex]
    closings = [row for row in known if row.stream == CLOSINGS.hex]
    return billing_context.from_streams(timezone, line_rule, tariffs, closings)


def sum_entries(entries: Iterable[Entry]) -> dict[str, int]:
    """Return the sums that the billing table has of entries."""
    sums = dict.fromkeys(SUMMED, 0)
    for entry in entries:
        for name in SUMMED:
            sums[name] += getattr(entry, name)
    return sums


def encode_bill(account: str, period: str, entries: Sequence[Entry]) -> bytes:
    """Return the billing row and its entries as lines of compact JSON, each table behind a line with its columns."""
    billing = (account, period, *sum_entries(entries).values(), len(entries))
    return _lines([BILLING_COLUMNS, billing]) + encode_entries(entries)


def encode_entries(entries: Iterable[Entry]) -> bytes:
    """Return entries as lines of compact JSON behind a line with their columns (``entries/1``)."""
    return _lines([ENTRY_COLUMNS, *entries])

"""The limit of an account's month: its sums fit into 64 bits of millionths (SPEC 9.10), as both databases hold them.

No single call comes near the limit, but ten thousand of the most expensive ones pass it. Read models stop before that, with the
account, the month and its largest call by name.
"""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, Float, cast, func, select

from domain.amounts import plain
from domain.errors import LedgerError
from projections.rows.cdrs import CdrRow, amounts_of_cdr
from projections.schema.tables import CDRS, ENTRIES, TOTALS

SUM_MAX = (1 << 63) - 1
MONTH_LENGTH = len("YYYY-MM")
_MONEY = ("cost", "sip_credits", "price", "margin")

Key = tuple[str, str]


class SumTooLarge(LedgerError):
    """The sums of an account's month do not fit: the read models stop before the events that would carry them beyond."""


def check_sums(connection: Connection, sums: Mapping[Key, Sequence[int]], new: Iterable[CdrRow]) -> None:
    """Check the new totals of accounts' months or days, in the order of TOTALS; ``new`` are rows not yet written.

    Raises SumTooLarge.
    """
    for key, totals in sums.items():
        for name, total in zip(TOTALS, totals, strict=False):
            if not -SUM_MAX <= total <= SUM_MAX:
                raise _too_large(connection, key, name, _shown(name, total), new)


def find_large_sum(connection: Connection) -> SumTooLarge | None:
    """Return the error for the first month whose sums do not fit, or None, from all entries as they are written."""
    account, month = ENTRIES.c.account, func.substr(ENTRIES.c.day, 1, MONTH_LENGTH)
    sums = [func.sum(cast(ENTRIES.c[name], Float)) for name in TOTALS]
    for found in connection.execute(select(account, month, *sums).group_by(account, month).order_by(account, month)):
        for name, total in zip(TOTALS, found[2:], strict=True):
            # Near enough to find it; the sum that decides is exact.
            if abs(total) >= SUM_MAX:
                exact = select(ENTRIES.c[name]).where(account == found[0], month == found[1])
                got = sum(connection.execute(exact).scalars())
                if abs(got) > SUM_MAX:
                    return _too_large(connection, (found[0], found[1]), name, _shown(name, got), ())
    return None


def _too_large(connection: Connection, key: Key, name: str, total: str, new: Iterable[CdrRow]) -> SumTooLarge:
    account, month = key[0], key[1][:MONTH_LENGTH]
    of_month = select(CDRS).where(CDRS.c.account == account, CDRS.c.period == month)
    rows = [CdrRow(*row) for row in connection.execute(of_month.order_by(func.abs(CDRS.c.price).desc()).limit(1))]
    rows += [row for row in new if (row.account, row.period) == (account, month)]
    largest = max(rows, key=lambda row: (_size(row, name), row.position), default=None)
    call = f"; its largest call is {largest.call_id}, with {_shown(name, _size(largest, name))}" if largest else ""
    return SumTooLarge(
        f"the {name} of account {account!r} in {month} is too large: got {total}; expected at most {_shown(name, SUM_MAX)}{call}. Void that"
        " call, or rerate it, and run `tringledger rebuild`"
    )


def _size(row: CdrRow, name: str) -> int:
    return abs(amounts_of_cdr(row)[TOTALS.index(name)])


def _shown(name: str, total: int) -> str:
    return plain(total) if name in _MONEY else str(total)

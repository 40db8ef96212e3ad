"""The read models' rows as the slow model writes them, read from the tables themselves and not through the exports."""

from collections.abc import Sequence
from decimal import Decimal

from domain.ledger import Ledger
from projections.schema.column_kinds import ColumnKind, column_kind
from projections.schema.tables import BILLING, BILLING_DAYS, CALLS, CDRS, EXCEPTIONS
from tests.support.ledgers import Rows, tables
from tests.support.model import money as model_money

TIMES = ("opened_at", "answered_at", "ended_at", "last_at", "cdr_at")
AMOUNTS = ("src_charge", "dest_charge", "src_sip_charge", "dest_sip_charge", "cost", "sip_credits", "price", "margin")
MILLIONTH = Decimal("0.000001")


def as_dicts(names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> list[dict[str, object]]:
    """Return rows with their columns' names."""
    return [dict(zip(names, row, strict=True)) for row in rows]


def as_text(name: str, value: object) -> str:
    """Return a value as the files of SPEC 8 have it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    assert type(value) is int, f"{name} is {value!r}: expected whole numbers only"
    if name in TIMES:
        return model_money.instant(value)
    return model_money.plain(value * MILLIONTH if name in AMOUNTS else Decimal(value))


def as_texts(names: Sequence[str], rows: Sequence[tuple[object, ...]]) -> list[dict[str, str]]:
    """Return rows as texts, without what is internal."""
    internal = INTERNAL[tuple(names)]
    return [
        {name: as_text(name, value) for name, value in row.items() if name not in internal}
        for row in as_dicts(names, rows)
    ]


CALL_COLUMNS, CDR_COLUMNS, BILLING_COLUMNS, BILLING_DAY_COLUMNS, EXCEPTION_COLUMNS = (
    list(table.columns.keys()) for table in (CALLS, CDRS, BILLING, BILLING_DAYS, EXCEPTIONS)
)
INTERNAL = {
    tuple(table.columns.keys()): {column.name for column in table.columns if column_kind(column) is ColumnKind.INTERNAL}
    for table in (CALLS, CDRS, BILLING, BILLING_DAYS, EXCEPTIONS)
}


class Shown:
    """What a ledger's current read models show."""

    def __init__(self, ledger: Ledger) -> None:
        """Read all of it at once."""
        self.tables: Rows = tables(ledger)

    def calls(self) -> list[dict[str, object]]:
        """The calls, without the position of their first event and what is internal."""
        rows = as_dicts(CALL_COLUMNS, self.tables["calls"])
        hidden = {"position", *INTERNAL[tuple(CALL_COLUMNS)]}
        return [{name: value for name, value in row.items() if name not in hidden} for row in rows]

    def cdrs(self) -> list[dict[str, str]]:
        """The CDRs, as they are exported."""
        return as_texts(CDR_COLUMNS, self.tables["cdrs"])

    def billing(self) -> list[dict[str, str]]:
        """The bills by month."""
        return as_texts(BILLING_COLUMNS, self.tables["billing"])

    def billing_days(self) -> list[dict[str, str]]:
        """The bills by day."""
        return as_texts(BILLING_DAY_COLUMNS, self.tables["billing-days"])

    def exceptions(self) -> list[dict[str, object]]:
        """The exceptions: flag, call and position, in order of position, then flag."""
        rows = self.exceptions_with_amounts()
        found = [{name: row[name] for name in ("flag", "call_id", "position")} for row in rows]
        return sorted(found, key=lambda row: (row["position"], row["flag"]))

    def exceptions_with_amounts(self) -> list[dict[str, object]]:
        """The exceptions, with all their columns."""
        return as_dicts(EXCEPTION_COLUMNS, self.tables["exceptions"])

"""The books as a journal in double entry: one transaction for each CDR and each posting, balanced to the last digit.

The account owes the price, TringMe is owed the cost, and the margin is the difference. Fees and top-ups to a minimum are income of their own. SIP credits are a commodity of their
own and never become money here. A closed month's statement-level rounding is a transaction of its own.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from domain.amounts import ONE, plain
from domain.events.operator_events import STATEMENT, StatementNumbered
from domain.months import Month
from projections.journal.account_names import account_component
from projections.rows.entry import CDR, DIFFERENCE, FEE, MINIMUM, Entry, statement_roundings

RECEIVABLE = "Assets:Receivable"
PAYABLE = "Liabilities:TringMe"
MARGIN = "Income:Margin"
ROUNDING = "Income:Rounding"
CREDITS = "Expenses:SIP-Credits"
FEES = "Income:Fees"
MINIMUMS = "Income:Minimum"
# Where an entry's margin is income; all others are of calls.
INCOME = {FEE: FEES, MINIMUM: MINIMUMS}

DOLLAR, CREDIT = "USD", "SIPCREDIT"
DOLLAR_PLACES = 8

Levels = dict[tuple[str, str], dict[str, int]]


class Posting(NamedTuple):
    """An amount of a commodity on an account: millionths of a cent, or of a SIP credit."""

    account: str
    amount: int
    commodity: str

    @property
    def number(self) -> str:
        """The amount as a plain decimal: in dollars, as accounting programs expect, or in credits."""
        if self.commodity == CREDIT:
            return plain(self.amount)
        whole, fraction = divmod(abs(self.amount), 10**DOLLAR_PLACES)
        digits = f"{fraction:0{DOLLAR_PLACES}d}".rstrip("0").ljust(2, "0")
        return f"{'-' if self.amount < 0 else ''}{whole}.{digits}"


class Transaction(NamedTuple):
    """A transaction: its day, its code (unique in the journal), payee and narration, metadata (``told``), and its postings."""

    day: str
    code: str
    payee: str
    narration: str
    told: dict[str, str]
    postings: list[Posting]


def journal_transactions(
    entries: Iterable[Entry], closed_through: str, numbered: Iterable[StatementNumbered] = ()
) -> Iterator[Transaction]:
    """Yield a transaction for each entry, and one for each statement-level rounding of the months that are closed.

    ``numbered`` are the documents that customers got: a statement's rounding to whole cents is a transaction, too, and a note is
    named at the changes that it documents.
    """
    levels: Levels = {}
    documents = list(numbered)
    notes = {
        (each.account, each.period, each.original_period): each.number for each in documents if each.kind != STATEMENT
    }
    for entry in entries:
        totals = levels.setdefault((entry.account, entry.period), {})
        totals[entry.level] = totals.get(entry.level, 0) + entry.price
        note = notes.get((entry.account, entry.period, entry.original_period)) if entry.kind == DIFFERENCE else None
        yield _of_entry(entry, note or "")
    for (account, period), totals in sorted(levels.items()):
        if period <= closed_through:
            yield from _of_roundings(account, period, totals)
    for document in documents:
        if document.kind == STATEMENT and (document.account, document.period) in levels:
            yield from _of_whole_cents(document)


def _of_entry(entry: Entry, note: str) -> Transaction:
    told = {
        "call": entry.call_id,
        "tag": entry.tag if entry.tag != entry.account else "",
        "tariff": _tariff(entry),
        "of-period": entry.original_period if entry.original_period != entry.period else "",
        "by": entry.posted_by,
        "note": note,
    }
    return Transaction(
        entry.day,
        f"{entry.position}.{entry.number}",
        entry.account,
        _narration(entry),
        {name: text for name, text in told.items() if text},
        _postings(entry),
    )


def _tariff(entry: Entry) -> str:
    if not entry.tariff:
        return ""
    return entry.tariff if entry.kind in INCOME else f"{entry.tariff} rule {entry.rule}"


def _narration(entry: Entry) -> str:
    if entry.kind == CDR:
        return f"{entry.disposition} {entry.src}".rstrip()
    what = f"{entry.kind} to {entry.original_period}" if entry.kind == DIFFERENCE else entry.kind
    return f"{what}: {entry.reason}"


def _postings(entry: Entry) -> list[Posting]:
    owed = account_component(entry.account)
    found = [
        Posting(f"{RECEIVABLE}:{owed}", entry.price, DOLLAR),
        Posting(PAYABLE, -entry.cost, DOLLAR),
        Posting(INCOME.get(entry.kind, MARGIN), -entry.margin, DOLLAR),
        Posting(f"{CREDITS}:{owed}", entry.sip_credits, CREDIT),
        Posting(PAYABLE, -entry.sip_credits, CREDIT),
    ]
    # A call that cost nothing is a transaction, too.
    return [posting for posting in found if posting.amount] or found[:2]


def _of_roundings(account: str, period: str, totals: dict[str, int]) -> Iterator[Transaction]:
    for level, added in statement_roundings(totals).items():
        if added:
            postings = [
                Posting(f"{RECEIVABLE}:{account_component(account)}", added, DOLLAR),
                Posting(ROUNDING, -added, DOLLAR),
            ]
            told = {"rounding": level}
            day = Month(period).last_day.isoformat()
            yield Transaction(day, f"{period} {level}", account, f"rounding of {period}", told, postings)


def _of_whole_cents(document: StatementNumbered) -> Iterator[Transaction]:
    """Yield what the statement asks for beyond the books, since nobody pays parts of a cent."""
    if added := document.due * ONE - document.exact:
        postings = [
            Posting(f"{RECEIVABLE}:{account_component(document.account)}", added, DOLLAR),
            Posting(ROUNDING, -added, DOLLAR),
        ]
        day, code = Month(document.period).last_day.isoformat(), f"{document.period} {document.number}"
        narration = f"statement {document.number} in whole cents"
        yield Transaction(day, code, document.account, narration, {"rounding": document.number}, postings)

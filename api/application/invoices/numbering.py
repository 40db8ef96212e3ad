"""Numbers for the statements and notes of a month: given once, and looked up again to print the same documents (SPEC 9.13)."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import sha256
from typing import NamedTuple

from api.application.invoices.document import (
    CLOSED,
    DRAFT,
    FORM,
    Document,
    Issue,
    PartyVersion,
    encode_document,
    make_document,
    note_kind,
    note_line,
    statement_lines,
)
from api.application.invoices.dollars import whole_cents
from api.application.published_parties import load_party
from domain.billing.party import Party
from domain.billing.statement_numbers import DEFAULT_PATTERN, DEFAULT_SERIES, Series
from domain.errors import LedgerError
from domain.events.operator_events import STATEMENT, StatementNumbered, StatementReissued
from domain.events.streams import NUMBERS
from domain.ledger import Ledger
from domain.operators.session import OperatorSession
from domain.operators.statement_numbering import KnownNumbers, NumberedDocument, read_numbers
from projections.queries.customer_lines import CustomerLine, CustomerMonth
from projections.rows.entry import DIFFERENCE


class DocumentDiffers(LedgerError):
    """A numbered document, made again, has not the digest that was kept with its number."""


class PrintedDocument(NamedTuple):
    """A document, its JSON, the event of its number (None without one), and the party file that it uses."""

    document: Document
    content: bytes
    event: StatementNumbered | None
    used: PartyVersion


def load_numbers(ledger: Ledger) -> KnownNumbers:
    """Return all documents that have a number."""
    return read_numbers(ledger.history(NUMBERS))


def number_months(
    session: OperatorSession, months: Iterable[CustomerMonth], used: PartyVersion
) -> list[StatementNumbered]:
    """Give numbers to the statements of months that have none yet, and to their notes; return the new events."""
    given: list[StatementNumbered] = []
    for month in months:
        if (month.account, month.period) not in session.numbered().statements:
            given += _number_month(session, month, used)
    return given


def _number_month(session: OperatorSession, month: CustomerMonth, used: PartyVersion) -> Iterator[StatementNumbered]:
    series = series_of(used.party, month.account)
    notes = []
    for line in month.lines:
        corrected = session.numbered().statements.get((month.account, line.original_period))
        if line.kind == DIFFERENCE and line.price and corrected:
            note = _with_note(month, line)
            issue = Issue(note_kind(line.price), corrects=corrected.number, original_period=line.original_period)
            event = session.number_document(_to_number(note, issue, series, used, []))
            notes.append(event)
            yield event
    yield session.number_document(_to_number(month, Issue(), series, used, notes))


def series_of(party: Party | None, account: str) -> Series:
    """Return the series of an account's numbers."""
    return party.series_of(account) if party else Series(DEFAULT_SERIES, DEFAULT_PATTERN)


def _with_note(month: CustomerMonth, line: CustomerLine) -> CustomerMonth:
    return CustomerMonth(month.account, month.period, [line], line.price)


def _to_number(
    month: CustomerMonth, issue: Issue, series: Series, used: PartyVersion, notes: Sequence[StatementNumbered]
) -> NumberedDocument:
    def write(number: str, at: int) -> bytes:
        return encode_document(_document(month, issue._replace(number=number, at=at), used, notes))

    return NumberedDocument(
        kind=issue.kind,
        account=month.account,
        period=month.period,
        series=series,
        party=used.version,
        form=FORM,
        exact=month.exact,
        due=whole_cents(month.exact),
        write=write,
        corrects=issue.corrects,
        original_period=issue.original_period,
    )


def _document(month: CustomerMonth, issue: Issue, used: PartyVersion, notes: Iterable[StatementNumbered]) -> Document:
    lines = statement_lines(month, notes) if issue.kind == STATEMENT else [note_line(line) for line in month.lines]
    return make_document(month, lines, issue, used)


class NumberedDocuments:
    """All documents that have a number, by account and month, and the party files that they use, each read once."""

    def __init__(self, ledger: Ledger) -> None:
        """Read the numbers of a ledger."""
        self._ledger = ledger
        self._parties: dict[int, PartyVersion] = {}
        self._events: dict[tuple[str, str], list[StatementNumbered]] = {}
        self.known = load_numbers(ledger)
        for event in self.known.events:
            self._events.setdefault((event.account, event.period), []).append(event)

    def events_of(self, month: CustomerMonth) -> list[StatementNumbered]:
        """Return the documents of an account's month: the notes first, then the statement."""
        return self._events.get((month.account, month.period), [])

    def party(self, version: int) -> PartyVersion:
        """Return a version of the party file; raises PartyMissing."""
        if version not in self._parties:
            self._parties[version] = load_party(self._ledger, version)
        return self._parties[version]


def print_month(month: CustomerMonth, numbered: NumberedDocuments) -> list[PrintedDocument]:
    """Return the numbered documents of an account's month, made again: the notes first, then the statement.

    Raises DocumentDiffers where one has not the digest that was kept, PartyMissing.
    """
    own = numbered.events_of(month)
    notes = [each for each in own if each.kind != STATEMENT]
    return [_print_event(numbered.party(event.party), month, event, notes) for event in own]


def _print_event(
    used: PartyVersion, month: CustomerMonth, event: StatementNumbered, notes: Sequence[StatementNumbered]
) -> PrintedDocument:
    if event.kind != STATEMENT:
        lines = [
            line for line in month.lines if (line.kind, line.original_period) == (DIFFERENCE, event.original_period)
        ]
        month = CustomerMonth(month.account, month.period, lines, sum(line.price for line in lines))
    issue = Issue(
        event.kind,
        event.number,
        event.recorded_at,
        corrects=event.corrects,
        original_period=event.original_period,
    )
    document = _document(month, issue, used, notes)
    content = encode_document(document)
    check_digest(content, event, FORM)
    return PrintedDocument(document, content, event, used)


def check_digest(content: bytes, event: StatementNumbered | StatementReissued, form: str) -> None:
    """Raise DocumentDiffers if a document that is made again, in a form, has not the digest of its event."""
    if (found := sha256(content).hexdigest()) != event.digest:
        why = "" if event.form == form else f"; its form is {event.form}, and this version makes {form}"
        msg = f"{event.number} made again has the digest {found}; expected {event.digest}{why}"
        raise DocumentDiffers(msg)


def print_unnumbered(month: CustomerMonth, used: PartyVersion, *, closed: bool) -> PrintedDocument:
    """Return the statement of a month that has no number: a draft until the month is closed."""
    document = _document(month, Issue(state=CLOSED if closed else DRAFT), used, [])
    return PrintedDocument(document, encode_document(document), None, used)

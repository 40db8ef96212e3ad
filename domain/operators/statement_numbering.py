"""Parties and the numbers of statements, within an operator's transaction (SPEC 9.13).

Numbers are given under the log's write lock, from the one stream of numbers: so they have no gap, and none is given twice, on
any number of hosts.
"""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import NamedTuple

from domain.billing.party_record import PartyRecord
from domain.billing.statement_numbers import Series, StatementNumber, next_number, scope_of
from domain.errors import CommandRejected
from domain.events.codec import decode_operator_event
from domain.events.log_row import POSITION_MAX, LogRow
from domain.events.operator_events import STATEMENT, PartyPublished, StatementNumbered, StatementReissued
from domain.events.streams import NUMBERS, PARTIES
from domain.operators.call_corrections import CallCorrections

COPIED_FIELDS = ("kind", "account", "period", "party", "form", "exact", "due", "corrects", "original_period")


class NumberedDocument(NamedTuple):
    """What a document is that is to be numbered; see StatementNumbered for the fields.

    ``write`` returns its JSON for its number and the time of its issue (microseconds, UTC).
    """

    kind: str
    account: str
    period: str
    series: Series
    party: int
    form: str
    exact: int
    due: int
    write: Callable[[str, int], bytes]
    corrects: str = ""
    original_period: str = ""


class KnownNumbers:
    """The documents that have a number, found by what numbering asks for."""

    def __init__(self) -> None:
        """Start without documents."""
        self.events: list[StatementNumbered] = []
        self.by_number: dict[str, StatementNumbered] = {}
        self.statements: dict[tuple[str, str], StatementNumbered] = {}
        self.reissues: dict[str, list[StatementReissued]] = {}
        self._last: dict[tuple[str, str], int] = {}

    def add(self, event: StatementNumbered) -> None:
        """Add a document."""
        self.events.append(event)
        self.by_number[event.number] = event
        if event.kind == STATEMENT:
            self.statements[event.account, event.period] = event
        counted = (event.series, event.scope)
        self._last[counted] = max(self._last.get(counted, 0), event.ordinal)

    def add_reissue(self, event: StatementReissued) -> None:
        """Add a reissue of a document."""
        self.reissues.setdefault(event.number, []).append(event)

    def reissues_of(self, number: str) -> list[StatementReissued]:
        """Return the reissues of a document, the last one last."""
        return self.reissues.get(number, [])

    def next_ordinal(self, series: str, scope: str) -> int:
        """Return the ordinal of the next number in a series and scope."""
        return self._last.get((series, scope), 0) + 1


def read_numbers(rows: Iterable[LogRow]) -> KnownNumbers:
    """Return the documents of the stream of numbers."""
    known = KnownNumbers()
    for row in rows:
        event = decode_operator_event(row.topic, row.state)
        if isinstance(event, StatementReissued):
            known.add_reissue(event)
        else:
            assert isinstance(event, StatementNumbered)
            known.add(event)
    return known


class StatementNumbering(CallCorrections):
    """Publishes parties and numbers statements, in one operator's transaction."""

    _known_numbers: KnownNumbers | None = None

    def publish_party(self, record: PartyRecord) -> int:
        """Publish a party file as the next version: its digest is an event, its content a fact of the ledger."""
        version = self._log.last_version(PARTIES) + 1
        position = self._append(PARTIES, PartyPublished(**self._common_fields, version=version, digest=record.digest))
        self._log.set_fact(record.fact_name(version), record.encode())
        return position

    def numbered(self) -> KnownNumbers:
        """Return the documents that have a number, with those of this transaction."""
        if self._known_numbers is None:
            self._known_numbers = read_numbers(self._store.stream(NUMBERS, POSITION_MAX))
        return self._known_numbers

    def number_document(self, document: NumberedDocument) -> StatementNumbered:
        """Give a document the next number of its series, and return its event.

        Raises CommandRejected for a month that is not closed, for a second statement of an account's month, and for a series
        whose next number another series has.
        """
        known = self.numbered()
        self._check_document(document, known)
        number = _next_number(known, document.series, document.period)
        fields = {name: getattr(document, name) for name in COPIED_FIELDS}
        event = StatementNumbered(
            **self._common_fields,
            **fields,
            number=number.text,
            series=document.series.name,
            scope=number.scope,
            ordinal=number.ordinal,
            digest=sha256(document.write(number.text, self._recorded_at)).hexdigest(),
        )
        self._append(NUMBERS, event)
        known.add(event)
        return event

    def reissue_document(
        self, number: str, party: int, form: str, write: Callable[[int, int], bytes]
    ) -> StatementReissued:
        """Record that a numbered document is printed anew with a version of the party file, and return the event.

        ``write`` returns its JSON for the reissue's ordinal and time (microseconds, UTC). Raises CommandRejected if no document has the number.
        """
        known = self.numbered()
        original = known.by_number.get(number)
        if original is None:
            msg = f"no document has the number {number!r}; expected one that a bill run gave"
            raise CommandRejected(msg)
        ordinal = len(known.reissues_of(number)) + 1
        event = StatementReissued(
            **self._common_fields,
            number=number,
            ordinal=ordinal,
            account=original.account,
            period=original.period,
            party=party,
            form=form,
            digest=sha256(write(ordinal, self._recorded_at)).hexdigest(),
        )
        self._append(NUMBERS, event)
        known.add_reissue(event)
        return event

    def _check_document(self, document: NumberedDocument, known: KnownNumbers) -> None:
        closed = self._books.closed_through(POSITION_MAX)
        if document.period > closed:
            msg = (
                f"{document.period} is not closed; expected a month up to {closed}" if closed else "no month is closed"
            )
            raise CommandRejected(msg)
        other = known.statements.get((document.account, document.period))
        if document.kind == STATEMENT and other:
            msg = f"the statement of {other.account} for {other.period} has the number {other.number} already"
            raise CommandRejected(msg)


def _next_number(known: KnownNumbers, series: Series, period: str) -> StatementNumber:
    ordinal = known.next_ordinal(series.name, scope_of(series.pattern, period))
    number = next_number(series.pattern, period, ordinal)
    if other := known.by_number.get(number.text):
        msg = (
            f"the next number of the series {series.name} is {number.text}, which the {other.kind} of {other.account} in the"
            f" series {other.series} has; expected a pattern that no other series has had"
        )
        raise CommandRejected(msg)
    return number

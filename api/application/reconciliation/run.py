"""A reconciliation from end to end: both sides are spooled, matched by tag and number, classified, and added up."""

from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

import msgspec

from api.application.importing.files import ImportFile
from api.application.importing.rows import UnreadableRow
from api.application.reconciliation import carrier_statement as statement
from api.application.reconciliation.carrier_statement import CarrierLayout, CarrierRecord
from api.application.reconciliation.charge_factor import ChargeFactor
from api.application.reconciliation.classes import ClassTotal, MatchClass, NumberSums, classify
from api.application.reconciliation.columns import SRC, weight
from api.application.reconciliation.matching import DistanceMeasure, MatchPair, match_records
from api.application.reconciliation.record_spool import AT_ONCE, OURS, THEIRS, MatchRecord, RecordSpool
from domain import times
from domain.ledger import Ledger
from domain.notices.line_number import line_number
from projections.queries.row_stream import Rows, open_row_stream
from projections.queries.selection import Selection
from projections.stores.generations import ReadStore

Moved = Callable[[int], None]

IDENTIFYING = ("position", "tag", "src", "opened_at", "cdr_at", "call_id")


class ReconciliationOptions(NamedTuple):
    """How to compare: ``tolerance`` in seconds, ``window`` in microseconds.

    ``limits`` has a tag and times; records outside these times are only used as matches.
    """

    layout: CarrierLayout
    limits: Selection
    tolerance: int
    window: int

    @property
    def span(self) -> range:
        """The times within the limits: microseconds, UTC."""
        since, until = self.limits.since, self.limits.until
        return range(since or 0, times.LAST if until is None else until)


class ClassifiedPair(NamedTuple):
    """A pair, or an unmatched record, and its class."""

    verdict: MatchClass
    pair: MatchPair


class ReconciliationResult:
    """The result so far: the compared columns, totals by class and tag, and the number of unreadable lines."""

    def __init__(self) -> None:
        """Start empty."""
        self.compared: tuple[str, ...] = ()
        self.by_number = False
        self.unreadable = 0
        self.factor = ChargeFactor()
        self._sums: dict[tuple[MatchClass, str], NumberSums] = {}

    def add(self, found: ClassifiedPair) -> None:
        """Add a record to the total of its class."""
        here, there = found.pair
        record = here or there
        assert record is not None
        self.factor.add(found.pair, self.compared)
        key = (found.verdict, record.tag)
        if key not in self._sums:
            self._sums[key] = NumberSums(self.compared)
        self._sums[key].add(found.pair)

    @property
    def totals(self) -> dict[tuple[MatchClass, str], ClassTotal]:
        """The total of each class and tag."""
        return {key: sums.total(self.compared) for key, sums in self._sums.items()}

    def by_class(self) -> dict[MatchClass, ClassTotal]:
        """Return the total of each class over all tags, in the order of classes."""
        sums = dict.fromkeys(MatchClass, ClassTotal())
        for (verdict, _), total in self.totals.items():
            sums[verdict] += total
        return sums


def spool_statement(
    file: ImportFile,
    terms: ReconciliationOptions,
    outcome: ReconciliationResult,
    report: Callable[[int, str], None],
    moved: Moved,
) -> RecordSpool:
    """Read the statement; ``report`` gets each unreadable line and the reason. Raises InvalidTable and CutOff."""
    with file.open() as opened:
        read = statement.read_carrier_statement(opened, terms.layout)
        outcome.compared, outcome.by_number = read.columns.compared, SRC in read.columns.places
        spool = RecordSpool(len(outcome.compared))

        def entries() -> Iterator[CarrierRecord]:
            for entry in read.entries:
                if isinstance(entry, UnreadableRow):
                    outcome.unreadable += 1
                    report(entry.line, entry.reason)
                elif terms.limits.tag in (None, entry.tag):
                    yield entry

        theirs, span = entries(), terms.span
        while batch := list(islice(theirs, AT_ONCE)):
            spool.take(
                MatchRecord(THEIRS, tag, src, at, or_at, at in span or or_at in span, str(line), numbers)
                for line, tag, src, at, or_at, numbers in batch
            )
            moved(opened.bytes_read())
    return spool


def spool_ledger(
    spool: RecordSpool, ledger: Ledger, store: ReadStore, terms: ReconciliationOptions, outcome: ReconciliationResult
) -> None:
    """Add the CDRs of the ledger; raises StoreUnavailable and ReadModelsUnusable."""
    limits = terms.limits
    wider = msgspec.structs.replace(
        limits,
        since=None if limits.since is None else max(0, limits.since - terms.window),
        until=None if limits.until is None else limits.until + terms.window,
    )
    with open_row_stream(ledger, store, "cdrs", wider, columns=(*IDENTIFYING, *outcome.compared)) as rows:
        last = 0
        for chunk in rows.chunks():
            # A CDR that was moved after its month was closed has two adjacent rows: they are one record.
            positions = [last, *(row[0] for row in chunk)]
            once = [row for row, before in zip(chunk, positions, strict=False) if row[0] != before]
            last = positions[-1]
            spool.take(_ours(once, terms, by_number=outcome.by_number))


def _ours(rows: Rows, terms: ReconciliationOptions, *, by_number: bool) -> Iterator[MatchRecord]:
    rule, span = terms.layout.line_rule, terms.span
    for _, tag, src, first_at, at, call_id, *numbers in rows:
        number = line_number(src, rule) if by_number else ""
        compared = tuple(numbers) if None not in numbers else tuple([each or 0 for each in numbers])
        yield MatchRecord(OURS, tag, number, first_at, at, at in span, call_id, compared)


def classified_pairs(
    spool: RecordSpool, terms: ReconciliationOptions, outcome: ReconciliationResult
) -> Iterator[ClassifiedPair]:
    """Yield every record within the limits with its class, by tag and number, and add it to the totals."""
    measure = DistanceMeasure(terms.window, tuple(weight(name) for name in outcome.compared))
    for group in spool.groups():
        for pair in match_records(group, measure):
            here, there = pair
            if (here and here.wanted) or (there and there.wanted):
                found = ClassifiedPair(classify(pair, outcome.compared, terms.tolerance), pair)
                outcome.add(found)
                yield found

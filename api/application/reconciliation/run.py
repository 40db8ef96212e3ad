"""A reconciliation from end to end: both sides are spooled, matched by tag and number, classified, and added up."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from api.application.importing.files import ImportFile
from api.application.importing.rows import UnreadableRow
from api.application.reconciliation import carrier_statement as statement
from api.application.reconciliation.carrier_statement import CarrierLayout, CarrierRecord
from api.application.reconciliation.charge_factor import ChargeFactor
from api.application.reconciliation.classes import ClassTotal, MatchClass, charged_amounts, classify
from api.application.reconciliation.columns import SRC, weight
from api.application.reconciliation.matching import DistanceMeasure, MatchPair, match_records
from api.application.reconciliation.record_spool import AT_ONCE, OURS, THEIRS, MatchRecord, RecordSpool
from domain.ledger import Ledger
from domain.notices.line_number import line_number
from projections.queries.row_stream import open_row_stream
from projections.queries.selection import Selection
from projections.stores.generations import ReadStore

Moved = Callable[[int], None]


class ReconciliationOptions(NamedTuple):
    """How to compare: ``tolerance`` in seconds, ``window`` in microseconds.

    ``limits`` has a tag and times; records outside these times are only used as matches.
    """

    layout: CarrierLayout
    limits: Selection
    tolerance: int
    window: int

    def wants(self, at: int) -> bool:
        """Whether a time is within the limits."""
        since, until = self.limits.since, self.limits.until
        return (since is None or since <= at) and (until is None or at < until)


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
        self.totals: dict[tuple[MatchClass, str], ClassTotal] = {}
        self.unreadable = 0
        self.factor = ChargeFactor()

    def add(self, found: ClassifiedPair) -> None:
        """Add a record to the total of its class."""
        here, there = found.pair
        record = here or there
        assert record is not None
        self.factor.add(found.pair, self.compared)
        key = (found.verdict, record.tag)
        ours = charged_amounts(here, self.compared)
        theirs = ours if found.verdict is MatchClass.EXACT else charged_amounts(there, self.compared)
        self.totals[key] = self.totals.get(key, ClassTotal()).plus(ours, theirs)

    def by_class(self) -> dict[MatchClass, ClassTotal]:
        """Return the total of each class over all tags, in the order of classes."""
        sums = dict.fromkeys(MatchClass, ClassTotal())
        for (verdict, _), total in self.totals.items():
            sums[verdict] = sums[verdict].plus(total.here, total.there, total.records)
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

        theirs = entries()
        while batch := list(islice(theirs, AT_ONCE)):
            spool.take(_theirs(entry, terms) for entry in batch)
            moved(opened.bytes_read())
    return spool


def _theirs(entry: CarrierRecord, terms: ReconciliationOptions) -> MatchRecord:
    line, tag, src, at, or_at, numbers = entry
    return MatchRecord(THEIRS, tag, src, at, or_at, terms.wants(at) or terms.wants(or_at), str(line), numbers)


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
    with open_row_stream(ledger, store, "cdrs", wider) as rows:
        places = {name: number for number, name in enumerate(rows.column_names)}
        last = 0
        for chunk in rows.chunks():
            # A CDR that was moved after its month was closed has two adjacent rows: they are one record.
            positions = [row[places["position"]] for row in chunk]
            once = [
                row
                for row, position, before in zip(chunk, positions, [last, *positions], strict=False)
                if position != before
            ]
            last = positions[-1]
            spool.take(_ours(row, places, terms, outcome) for row in once)


def _ours(
    row: Sequence[Any], places: Mapping[str, int], terms: ReconciliationOptions, outcome: ReconciliationResult
) -> MatchRecord:
    tag, src, first_at, at, call_id = (row[places[name]] for name in ("tag", "src", "opened_at", "cdr_at", "call_id"))
    number = line_number(src, terms.layout.line_rule) if outcome.by_number else ""
    return MatchRecord(
        OURS,
        tag,
        number,
        first_at,
        at,
        terms.wants(at),
        call_id,
        tuple(row[places[name]] or 0 for name in outcome.compared),
    )


def classified_pairs(
    spool: RecordSpool, terms: ReconciliationOptions, outcome: ReconciliationResult
) -> Iterator[ClassifiedPair]:
    """Yield every record within the limits with its class, by tag and number, and add it to the totals."""
    measure = DistanceMeasure(terms.window, tuple(weight(name) for name in outcome.compared))
    for group in spool.groups():
        for pair in match_records(group, measure):
            if any(record and record.wanted for record in pair):
                found = ClassifiedPair(classify(pair, outcome.compared, terms.tolerance), pair)
                outcome.add(found)
                yield found

"""A reconciliation from end to end: both sides into the spool, matched tag by tag and number by number, judged, added up."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, NamedTuple

import msgspec

from api.application.importing.files import File
from api.application.importing.rows import Unreadable
from api.application.reconciliation import carrier_statement as statement
from api.application.reconciliation.carrier_statement import Entry, Layout
from api.application.reconciliation.classes import Total, Verdict, judge, money
from api.application.reconciliation.columns import SRC, weight
from api.application.reconciliation.matching import Measure, Pair, pairs
from api.application.reconciliation.record_spool import AT_ONCE, HERE, THERE, Record, Spool
from domain.ledger import Ledger
from domain.notices import call_notice
from projections.queries.row_stream import reading
from projections.queries.selection import Selection
from projections.stores.generations import ReadStore

Moved = Callable[[int], None]


class Terms(NamedTuple):
    """What is compared, and how: ``tolerance`` in seconds, ``window`` in microseconds.

    ``limits`` has a tag and times; records outside of the times serve as counterparts only.
    """

    layout: Layout
    limits: Selection
    tolerance: int
    window: int

    def wants(self, at: int) -> bool:
        """Whether a moment is within the limits."""
        since, until = self.limits.since, self.limits.until
        return (since is None or since <= at) and (until is None or at < until)


class Found(NamedTuple):
    """One record, or two that are the same call, and the class it is in."""

    verdict: Verdict
    pair: Pair


class Outcome:
    """What came of it so far: what is compared, totals by class and tag, and how many lines nobody could read."""

    def __init__(self) -> None:
        """Begin with nothing."""
        self.compared: tuple[str, ...] = ()
        self.by_number = False
        self.totals: dict[tuple[Verdict, str], Total] = {}
        self.unreadable = 0

    def add(self, found: Found) -> None:
        """Add a record to its class's total."""
        here, there = found.pair
        record = here or there
        assert record is not None
        key = (found.verdict, record.tag)
        before = self.totals.get(key, Total())
        self.totals[key] = before.plus(money(here, self.compared), money(there, self.compared))

    def by_class(self) -> dict[Verdict, Total]:
        """Return the totals of all tags together, of every class, in their order."""
        sums = dict.fromkeys(Verdict, Total())
        for (verdict, _), total in self.totals.items():
            sums[verdict] = sums[verdict].plus(total.here, total.there, total.records)
        return sums


def spooled(file: File, terms: Terms, outcome: Outcome, report: Callable[[int, str], None], moved: Moved) -> Spool:
    """Read the statement; raises WrongTable and CutOff. ``report`` is told of each line that cannot be read, and why."""
    with file.open() as opened:
        read = statement.read(opened, terms.layout)
        outcome.compared, outcome.by_number = read.columns.compared, SRC in read.columns.places
        spool = Spool(len(outcome.compared))

        def entries() -> Iterator[Entry]:
            for entry in read.entries:
                if isinstance(entry, Unreadable):
                    outcome.unreadable += 1
                    report(entry.line, entry.reason)
                elif terms.limits.tag in (None, entry.tag):
                    yield entry

        theirs = entries()
        while batch := list(islice(theirs, AT_ONCE)):
            spool.take(_theirs(entry, terms) for entry in batch)
            moved(opened.bytes_read())
    return spool


def _theirs(entry: Entry, terms: Terms) -> Record:
    line, tag, src, at, numbers = entry
    return Record(THERE, tag, src, at, at, terms.wants(at), str(line), numbers)


def add_ours(spool: Spool, ledger: Ledger, store: ReadStore, terms: Terms, outcome: Outcome) -> None:
    """Bring in the ledger's CDRs; raises StoreUnavailable and ReadModelsUnfit."""
    limits = terms.limits
    wider = msgspec.structs.replace(
        limits,
        since=None if limits.since is None else max(0, limits.since - terms.window),
        until=None if limits.until is None else limits.until + terms.window,
    )
    with reading(ledger, store, "cdrs", wider) as rows:
        places = {name: number for number, name in enumerate(rows.names)}
        last = 0
        for chunk in rows.chunks():
            # A CDR that was moved after its month was closed has two rows, side by side: it is still one record.
            positions = [row[places["position"]] for row in chunk]
            once = [
                row
                for row, position, before in zip(chunk, positions, [last, *positions], strict=False)
                if position != before
            ]
            last = positions[-1]
            spool.take(_ours(row, places, terms, outcome) for row in once)


def _ours(row: Sequence[Any], places: Mapping[str, int], terms: Terms, outcome: Outcome) -> Record:
    tag, src, first_at, at, call_id = (row[places[name]] for name in ("tag", "src", "opened_at", "cdr_at", "call_id"))
    number = call_notice.normalised(src) if outcome.by_number else ""
    return Record(
        HERE,
        tag,
        number,
        first_at,
        at,
        terms.wants(at),
        call_id,
        tuple(row[places[name]] or 0 for name in outcome.compared),
    )


def findings(spool: Spool, terms: Terms, outcome: Outcome) -> Iterator[Found]:
    """Yield every record within the limits, with its class, by tag and number; the outcome's totals grow meanwhile."""
    measure = Measure(terms.window, tuple(weight(name) for name in outcome.compared))
    for group in spool.groups():
        for pair in pairs(group, measure):
            if any(record and record.wanted for record in pair):
                found = Found(judge(pair, outcome.compared, terms.tolerance), pair)
                outcome.add(found)
                yield found

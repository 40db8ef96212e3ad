"""Build the read models anew beside the live ones, compare the two, swap, and leave a certificate.

A rebuild ends at a cut position; from there the ordinary catch-up takes over.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from time import perf_counter_ns
from typing import NamedTuple

from domain.errors import StoreUnavailable
from domain.ledger import Ledger
from projections.building import certificate, comparison
from projections.building.catch_up import catch_up
from projections.building.certificate import Certificate
from projections.building.comparison import Difference, Findings
from projections.building.full_build import Progress, fill, silent
from projections.building.partitions import ALONE, Folding
from projections.stores.generations import ReadModelsUnfit, ReadStore, generation_of, generations, open_current, swap


class Report(NamedTuple):
    """What a comparison found: the first differences, how many there are, and the position at which it was made.

    The position is None where the live read models were unfit to be compared with. The certificate is the fresh build's.
    """

    differences: list[Difference]
    found: int
    position: int | None
    certificate: Certificate


class _Fresh(NamedTuple):
    """A build: its read models, how many events it was made of, when it was begun, and how many worked at it."""

    store: ReadStore
    cut: int
    events: int
    begun: int
    jobs: int


def rebuild(ledger: Ledger, progress: Progress = silent, folding: Folding = ALONE) -> Report:
    """Build anew, swap, and return in what the read models until now differed from the log.

    ``progress`` is told how many of how many events are done. Raises RebuildRunning, ProjectionStopped, and what the way of
    folding raises.
    """
    kept = generations(ledger)
    with kept.only_one_rebuild():
        generation = generation_of(ledger) + 1
        with _build(ledger, generation, ledger.head(), progress, folding) as fresh:
            report = _compare_with_live(ledger, fresh)
            swap(ledger, generation, {certificate.FACT: certificate.encode(report.certificate)})
        kept.remove_before(generation)
    return report


def check(
    ledger: Ledger, progress: Progress = silent, folding: Folding = ALONE, *, catch_up_first: bool = True
) -> Report:
    """Build anew, compare with the live read models, and throw the build away.

    Raises RebuildRunning, ProjectionStopped, ReadModelsUnfit where there is nothing to compare with, and what the way of
    folding raises.
    """
    kept = generations(ledger)
    with kept.only_one_rebuild(), closing(open_current(ledger)) as live:
        if catch_up_first:
            catch_up(ledger, live)
        with live.reading() as connection:
            cut = live.position(connection, ledger.head)
        with _build(ledger, generation_of(ledger) + 1, cut, progress, folding) as fresh:
            report = _compare(ledger, live, fresh)
        kept.remove(fresh.store.generation)
    return report


def _compare_with_live(ledger: Ledger, fresh: _Fresh) -> Report:
    """Compare, where there is something fit to be compared with: a rebuild mends what is not."""
    try:
        with closing(open_current(ledger)) as live:
            catch_up(ledger, live)
            return _compare(ledger, live, fresh)
    except (ReadModelsUnfit, StoreUnavailable):
        with fresh.store.reading() as connection:
            position = fresh.store.position(connection)
            return _report(ledger, fresh, Findings([], 0, comparison.seal(connection)), position)._replace(
                position=None
            )


def _compare(ledger: Ledger, live: ReadStore, fresh: _Fresh) -> Report:
    """Compare, at the position where the live read models are when it begins."""
    with live.reading() as live_connection:
        position = live.position(live_connection)
        catch_up(ledger, fresh.store, position)
        with fresh.store.reading() as connection:
            return _report(ledger, fresh, comparison.compare(live_connection, connection), position)


def _report(ledger: Ledger, fresh: _Fresh, findings: Findings, position: int) -> Report:
    certified = certificate.certify(
        ledger,
        findings.seals,
        last=position,
        events=fresh.events + position - fresh.cut,
        microseconds=(perf_counter_ns() - fresh.begun) // 1000,
        jobs=fresh.jobs,
    )
    return Report(findings.differences, findings.found, position, certified)


@contextmanager
def _build(ledger: Ledger, generation: int, cut: int, progress: Progress, folding: Folding) -> Iterator[_Fresh]:
    """Build a generation up to a position; on any failure nothing of it is left."""
    begun = perf_counter_ns()
    kept = generations(ledger)
    kept.remove(generation)  # What a rebuild that was killed has left.
    try:
        with closing(kept.open(generation, building=True)) as store, store.writing() as connection:
            events = fill(connection, ledger, cut, progress, folding)
            store.move_to(connection, cut)
        with closing(kept.open(generation)) as store:
            store.settle()
            yield _Fresh(store, cut, events, begun, folding.jobs)
    except BaseException:
        kept.remove(generation)
        raise

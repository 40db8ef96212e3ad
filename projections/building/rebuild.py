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
from projections.building.comparison import ComparisonResult, RowDifference
from projections.building.full_build import Progress, fill_read_models, silent
from projections.building.partitions import SEQUENTIAL, FoldStrategy
from projections.stores.generations import (
    ReadModelsUnusable,
    ReadStore,
    activate,
    generation_of,
    generations,
    open_current,
)
from projections.stores.log_binding import digest_at


class RebuildReport(NamedTuple):
    """What a comparison found: the first differences, how many there are, and the position at which it was made.

    The position is None where the live read models were unfit to be compared with. The certificate is the fresh build's.
    """

    differences: list[RowDifference]
    found: int
    position: int | None
    certificate: Certificate


class _FreshBuild(NamedTuple):
    """A build: its read models, how many events it was made of, when it was begun, and how many worked at it."""

    store: ReadStore
    cut: int
    events: int
    begun: int
    jobs: int


def rebuild(ledger: Ledger, progress: Progress = silent, folding: FoldStrategy = SEQUENTIAL) -> RebuildReport:
    """Build anew, swap, and return in what the read models until now differed from the log.

    ``progress`` is told how many of how many events are done. Raises RebuildRunning, ProjectionStopped, and what the way of
    folding raises.
    """
    kept = generations(ledger)
    with kept.rebuild_lock():
        generation = generation_of(ledger) + 1
        with _build(ledger, generation, ledger.head(), progress, folding) as fresh:
            report = _compare_with_live(ledger, fresh)
            activate(ledger, generation, {certificate.FACT: certificate.encode_certificate(report.certificate)})
        kept.remove_before(generation)
    return report


def check_read_models(
    ledger: Ledger, progress: Progress = silent, folding: FoldStrategy = SEQUENTIAL, *, catch_up_first: bool = True
) -> RebuildReport:
    """Build anew, compare with the live read models, and throw the build away.

    Raises RebuildRunning, ProjectionStopped, ReadModelsUnusable where there is nothing to compare with, and what the way of
    folding raises.
    """
    kept = generations(ledger)
    with kept.rebuild_lock(), closing(open_current(ledger)) as live:
        if catch_up_first:
            catch_up(ledger, live)
        with live.snapshot() as connection:
            cut = live.position(connection, ledger.store)
        with _build(ledger, generation_of(ledger) + 1, cut, progress, folding) as fresh:
            report = _compare(ledger, live, fresh)
        kept.remove(fresh.store.generation)
    return report


def _compare_with_live(ledger: Ledger, fresh: _FreshBuild) -> RebuildReport:
    """Compare, where there is something fit to be compared with: a rebuild mends what is not."""
    try:
        with closing(open_current(ledger)) as live:
            catch_up(ledger, live)
            return _compare(ledger, live, fresh)
    except (ReadModelsUnusable, StoreUnavailable):
        with fresh.store.snapshot() as connection:
            position = fresh.store.position(connection, ledger.store)
            return _report(
                ledger, fresh, ComparisonResult([], 0, comparison.digest_all(connection)), position
            )._replace(position=None)


def _compare(ledger: Ledger, live: ReadStore, fresh: _FreshBuild) -> RebuildReport:
    """Compare, at the position where the live read models are when it begins."""
    with live.snapshot() as live_connection:
        position = live.position(live_connection, ledger.store)
        catch_up(ledger, fresh.store, position)
        with fresh.store.snapshot() as connection:
            return _report(ledger, fresh, comparison.compare_read_models(live_connection, connection), position)


def _report(ledger: Ledger, fresh: _FreshBuild, findings: ComparisonResult, position: int) -> RebuildReport:
    certified = certificate.certify(
        ledger,
        findings.seals,
        last=position,
        events=fresh.events + position - fresh.cut,
        microseconds=(perf_counter_ns() - fresh.begun) // 1000,
        jobs=fresh.jobs,
    )
    return RebuildReport(findings.differences, findings.found, position, certified)


@contextmanager
def _build(
    ledger: Ledger, generation: int, cut: int, progress: Progress, folding: FoldStrategy
) -> Iterator[_FreshBuild]:
    """Build a generation up to a position; on any failure nothing of it is left."""
    begun = perf_counter_ns()
    kept = generations(ledger)
    kept.remove(generation)  # What a rebuild that was killed has left.
    try:
        with closing(kept.open(generation, building=True)) as store, store.transaction() as connection:
            events = fill_read_models(connection, ledger, cut, progress, folding)
            store.set_position(connection, cut, digest_at(ledger.store, cut))
        with closing(kept.open(generation)) as store:
            store.finish_build()
            yield _FreshBuild(store, cut, events, begun, folding.jobs)
    except BaseException:
        kept.remove(generation)
        raise

"""Build the read models anew alongside the live ones, compare the two, swap, and leave a certificate.

A rebuild ends at the position at which it began; from there the ordinary catch-up continues.
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from time import perf_counter_ns
from typing import NamedTuple

from msgspec import structs

from domain.errors import StoreUnavailable
from domain.garbage_collection import collecting_rarely
from domain.ledger import Ledger
from projections.building import certificate, comparison
from projections.building.catch_up import catch_up
from projections.building.certificate import Certificate
from projections.building.comparison import ComparisonResult, RowDifference
from projections.building.finishing import Findings, finish_tables
from projections.building.full_build import Progress, fill_rows, silent
from projections.building.partitions import SEQUENTIAL, FoldStrategy, SharedBuild
from projections.building.proven_folding import ProvenFolding
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
    """The result of a comparison: the first differences, the number of all, and the position of the comparison.

    The position is None if there were no live read models, or none that could be compared. The certificate is that of the
    fresh build.
    """

    differences: list[RowDifference]
    found: int
    position: int | None
    certificate: Certificate


class _FreshBuild(NamedTuple):
    """A build: its read models and position, its number of events, its start (nanoseconds), and its number of workers.

    ``findings`` were made as it was finished.
    """

    store: ReadStore
    cut: int
    events: int
    begun: int
    jobs: int
    findings: Findings


@collecting_rarely()
def rebuild(
    ledger: Ledger, progress: Progress = silent, folding: FoldStrategy = SEQUENTIAL, *, unproven: bool = False
) -> RebuildReport:
    """Build anew, swap, and return how the old read models differed from the log.

    The log is checked against its proof tree as it is read, where it has one; ``unproven`` continues with a log that does not
    hold, and the certificate says so. ``progress`` is called with the number of events done and of all. Raises LogUnproven,
    RebuildRunning, ProjectionStopped, and what ``folding`` raises.
    """
    kept = generations(ledger)
    with kept.rebuild_lock():
        proven = ProvenFolding(ledger, folding, unproven=unproven)
        generation = generation_of(ledger) + 1
        with ExitStack() as building:
            with proven.checking():
                fresh = building.enter_context(_build(ledger, generation, ledger.head(), progress, proven))
            report = _compare_with_live(ledger, fresh)
            report = report._replace(certificate=structs.replace(report.certificate, tree=proven.tree))
            activate(ledger, generation, {certificate.FACT: certificate.encode_certificate(report.certificate)})
        kept.remove_before(generation)
    return report


@collecting_rarely()
def check_read_models(
    ledger: Ledger, progress: Progress = silent, folding: FoldStrategy = SEQUENTIAL, *, catch_up_first: bool = True
) -> RebuildReport:
    """Build anew, compare with the live read models, and drop the build.

    Raises RebuildRunning, ProjectionStopped, ReadModelsUnusable if there is nothing to compare with, and what ``folding``
    raises.
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
    """Compare, if there are live read models that can be used: a rebuild repairs those that cannot."""
    if fresh.findings.compared:
        return _report(ledger, fresh, fresh.findings.compared, fresh.cut)
    with suppress(ReadModelsUnusable, StoreUnavailable), closing(open_current(ledger)) as live:
        with live.snapshot() as connection:
            begun = live.position(connection, ledger.store)
        # Those that are still being filled from nothing nobody relies on yet: catching them up would be a second build.
        if not fresh.cut or (begun and not live.lacks_indexes()):
            catch_up(ledger, live)
            return _compare(ledger, live, fresh)
    with fresh.store.snapshot() as connection:
        position = fresh.store.position(connection, ledger.store)
        seals = fresh.findings.seals or comparison.digest_all(connection)
    return _report(ledger, fresh, ComparisonResult([], 0, seals), position)._replace(position=None)


def _compare(ledger: Ledger, live: ReadStore, fresh: _FreshBuild) -> RebuildReport:
    """Compare at the present position of the live read models, unless that was done."""
    if fresh.findings.compared:
        return _report(ledger, fresh, fresh.findings.compared, fresh.cut)
    with live.snapshot_with_fresh(fresh.store) as live_connection:
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
    """Build a generation up to a position; on any failure it is removed."""
    begun = perf_counter_ns()
    kept = generations(ledger)
    kept.clear(generation)
    try:
        with closing(kept.open(generation, building=True)) as building:
            token = building.share_build()
            with building.transaction() as connection:
                into = SharedBuild(generation, token) if token else None
                events = fill_rows(connection, ledger, cut, progress, folding, folder=building.folder, into=into)
                building.set_position(connection, cut, digest_at(ledger.store, cut))
            findings = finish_tables(ledger, building, cut, folding.jobs)
        with closing(kept.open(generation)) as store:
            yield _FreshBuild(store, cut, events, begun, folding.jobs, findings)
    except BaseException:
        kept.remove(generation)
        raise

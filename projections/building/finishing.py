"""Finish a build of read models: what sums its rows up, and its indexes.

With more than one worker both are done side by side, on SQLite: one thread makes the indexes of the build, and another sums
up and compares on a copy that has none. Nearly all of that happens inside SQLite, while which other threads go on.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from threading import Thread
from typing import Any, NamedTuple

from sqlalchemy import Connection

from domain.errors import LedgerError, StoreUnavailable
from domain.ledger import Ledger
from projections.building.billing_totals import fill_billing
from projections.building.comparison import ComparisonResult, compare_read_models, digest_all
from projections.building.digests import TableDigest
from projections.building.rollup_differences import fill_rollups
from projections.schema.tables import BILLING, BILLING_DAYS, CALLS_ROLLUP, CDRS_ROLLUP
from projections.stores.generations import ReadModelsUnusable, ReadStore, open_current


class Findings(NamedTuple):
    """What was found as a build was finished: its comparison with the live read models, or the digests of it where there are none.

    Neither where that could not be done meanwhile.
    """

    compared: ComparisonResult | None = None
    seals: dict[str, TableDigest] | None = None


SUMS = (BILLING, BILLING_DAYS, CALLS_ROLLUP, CDRS_ROLLUP)
LOOK_AGAIN = timedelta(milliseconds=50)
THREAD = "sums of a rebuild"


def finish_tables(ledger: Ledger, building: ReadStore, cut: int, jobs: int) -> Findings:
    """Sum up the rows of a build at a position, make its indexes, and have all of it on disk.

    Returns what could be found of it meanwhile. Raises SumTooLarge, StoreUnavailable.
    """
    findings, is_summed = _finish_side_by_side(ledger, building, cut) if jobs > 1 else (Findings(), False)
    if not is_summed:
        with building.transaction() as connection:
            _fill_sums(connection, ledger)
    building.finish_build()
    return findings


def _fill_sums(connection: Connection, ledger: Ledger) -> None:
    fill_billing(connection)
    fill_rollups(connection, ledger.timezone)


def _finish_side_by_side(ledger: Ledger, building: ReadStore, cut: int) -> tuple[Findings, bool]:
    """Make the indexes and, meanwhile, the sums and the comparison; whether there are sums is the second value."""
    with building.copied() as copy:
        if copy is None:
            return Findings(), False
        other = _Sums(ledger, copy, cut)
        with other.running():
            building.create_missing_indexes()
        if other.are_made:
            building.take_tables(copy, SUMS)
        return other.findings, other.are_made


class _Sums(Thread):
    """Makes the sums of a copy, and compares it with the live read models if these are at the same position, or digests it if there are none.

    What goes wrong in it is done again alone, and is told then.
    """

    def __init__(self, ledger: Ledger, copy: ReadStore, cut: int) -> None:
        super().__init__(name=THREAD)
        self.are_made = False
        self.findings = Findings()
        self._ledger = ledger
        self._copy = copy
        self._cut = cut
        self._connections: list[Any] = []
        self._failure: Exception | None = None

    def run(self) -> None:
        try:
            with self._copy.transaction() as connection, self._noted(connection):
                _fill_sums(connection, self._ledger)
            self.are_made = True
            self.findings = self._find()
        except LedgerError:
            pass
        except Exception as error:  # noqa: BLE001 - raised by ``running``
            self._failure = error

    def _find(self) -> Findings:
        with (
            suppress(ReadModelsUnusable, StoreUnavailable),
            closing(open_current(self._ledger)) as live,
            live.snapshot_with_fresh(self._copy) as connection,
            self._noted(connection),
            self._copy.snapshot() as fresh,
            self._noted(fresh),
        ):
            position = live.position(connection, self._ledger.store)
            if position:
                # At another position they are caught up first.
                return Findings(compare_read_models(connection, fresh)) if position == self._cut else Findings()
        with self._copy.snapshot() as fresh, self._noted(fresh):
            return Findings(seals=digest_all(fresh))

    @contextmanager
    def _noted(self, connection: Connection) -> Iterator[None]:
        """Note a connection as long as it is used, so that it can be stopped."""
        driver = connection.connection.driver_connection
        self._connections.append(driver)
        try:
            yield
        finally:
            self._connections.remove(driver)

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run it beside a block, and wait for its end; where the block fails, stop it."""
        self.start()
        try:
            yield
            self.join()
        except BaseException:
            self._stop_early()
            raise
        if self._failure:
            raise self._failure

    def _stop_early(self) -> None:
        # Again and again: what is interrupted is the statement of the moment, if there is one.
        while self.is_alive():
            for driver in list(self._connections):
                with suppress(Exception):  # The thread may have closed it by now.
                    driver.interrupt()
            self.join(LOOK_AGAIN.total_seconds())

"""The end of a rebuild side by side: the same comes out as alone, and whatever fails leaves nothing behind."""

import errno
import threading
from collections.abc import Iterable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from domain.errors import StoreUnavailable
from domain.ledger import Ledger
from projections.building import billing_totals, finishing
from projections.building.catch_up import catch_up
from projections.building.finishing import THREAD
from projections.building.full_build import Progress, silent
from projections.building.partitions import SEQUENTIAL, FoldedPart, Range, SharedBuild
from projections.building.rebuild import RebuildReport, check_read_models, rebuild
from projections.proofs.leaf_product import LeafPoint
from projections.stores import sqlite
from projections.stores.generations import generation_of, generations, open_current
from projections.stores.sqlite import COPY_SUFFIX, SQLiteReadStore
from tests.support.ledgers import opened, record, tables
from tests.support.notices import GRACE, callstatus, cdr, notice

pytestmark = pytest.mark.only_on("sqlite")


class ForTwo:
    """Folds in this process, and says that two do."""

    jobs = 2

    def __call__(
        self,
        ledger: Ledger,
        cut: int,
        ranges: Iterable[Range],
        at: LeafPoint | None = None,
        into: SharedBuild | None = None,
    ) -> Iterator[FoldedPart]:
        return SEQUENTIAL(ledger, cut, ranges, at, into)


@pytest.fixture
def ledger(store_url: str) -> Iterator[Ledger]:
    """Return a ledger of a few calls and a fax, and read models that followed it."""
    with opened(store_url) as found:
        for number in range(4):
            at = number * GRACE
            record(found, callstatus("SRCANSWERED", at, src=str(number)), cdr(at + 1, src=str(number), srccharge="1.5"))
        record(found, notice(9, type="fax", src="7"))
        follow(found)
        yield found


def follow(ledger: Ledger) -> None:
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)


def rebuilt(ledger: Ledger, progress: Progress = silent) -> RebuildReport:
    return rebuild(ledger, progress, ForTwo())


def read_model_files(ledger: Ledger) -> list[str]:
    log = Path(ledger.path)
    return sorted(path.name.removeprefix(log.name) for path in log.parent.glob(f"{log.name}.read-*"))


def left_as_before(ledger: Ledger) -> bool:
    threads = {thread.name for thread in threading.enumerate()}
    return read_model_files(ledger) == [".read-1.db"] and THREAD not in threads


def test_the_same_comes_out_as_alone_and_only_the_new_file_stays(ledger: Ledger) -> None:
    alone, followed = rebuild(ledger), tables(ledger)
    beside = rebuilt(ledger)
    assert (beside.found, beside.position) == (0, ledger.head())
    assert beside.certificate.read_models == alone.certificate.read_models
    assert beside.certificate.money == alone.certificate.money
    assert tables(ledger) == followed
    assert read_model_files(ledger) == [".read-3.db"]
    with closing(open_current(ledger)) as store:
        assert not store.lacks_indexes()
        assert store.find_damage() == []


def test_differences_are_found_beside_as_they_are_alone(ledger: Ledger) -> None:
    with closing(open_current(ledger)) as store, store.transaction() as connection:
        connection.exec_driver_sql("UPDATE cdrs SET cost = cost + 1 WHERE src = '2'")
        connection.exec_driver_sql("UPDATE billing SET price = price + 1")
    alone, beside = check_read_models(ledger), check_read_models(ledger, folding=ForTwo())
    assert alone.found > 1
    assert beside.differences == alone.differences
    assert beside.certificate.read_models == alone.certificate.read_models


def test_where_there_is_nothing_to_compare_with_the_digests_are_made_beside(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = rebuild(ledger)
    generations(ledger).remove(generation_of(ledger))
    monkeypatch.setattr("projections.building.comparison.digest_all", None)
    beside = rebuilt(ledger)
    assert (beside.found, beside.position) == (0, None)
    assert beside.certificate.read_models == alone.certificate.read_models


def test_what_was_compared_beside_is_not_compared_again(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.building.comparison.compare_read_models", None)
    assert rebuilt(ledger).position == ledger.head()


def test_live_read_models_that_went_on_meanwhile_are_compared_where_they_are(ledger: Ledger) -> None:
    def go_on(_done: int, _total: int) -> None:
        record(ledger, callstatus("SRCANSWERED", 99 * GRACE, src="99"))
        follow(ledger)

    report = rebuilt(ledger, go_on)
    assert (report.found, report.position) == (0, ledger.head())
    assert report.certificate.last == ledger.head()


def test_where_there_is_no_room_for_a_copy_all_is_done_alone(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = rebuild(ledger).certificate.read_models

    def full(_source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(sqlite, "copyfile", full)
    assert rebuilt(ledger).certificate.read_models == expected
    assert read_model_files(ledger) == [".read-3.db"]


def test_sums_that_fail_beside_are_made_alone(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, fill_billing = rebuild(ledger).certificate.read_models, billing_totals.fill_billing

    def failing(connection: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise StoreUnavailable("disk full")
        fill_billing(connection)  # type: ignore[arg-type]

    monkeypatch.setattr(finishing, "fill_billing", failing)
    assert rebuilt(ledger).certificate.read_models == expected


def test_a_fault_in_the_comparison_ends_the_rebuild(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finishing, "compare_read_models", None)
    with pytest.raises(TypeError, match="not callable"):
        rebuilt(ledger)
    assert left_as_before(ledger)


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), StoreUnavailable("disk full")])
def test_where_the_indexes_fail_the_other_thread_is_stopped_in_its_statement(
    ledger: Ledger, failure: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"

    def sum_endlessly(connection: object) -> None:
        begun.set()
        connection.exec_driver_sql(endless)  # type: ignore[attr-defined]

    def fail(_store: SQLiteReadStore) -> None:
        assert begun.wait(20)
        raise failure

    monkeypatch.setattr(finishing, "fill_billing", sum_endlessly)
    monkeypatch.setattr(SQLiteReadStore, "create_missing_indexes", fail)
    with pytest.raises(type(failure)):
        rebuilt(ledger)
    assert left_as_before(ledger)


def test_a_copy_that_a_killed_rebuild_left_is_deleted_by_the_next_one(ledger: Ledger) -> None:
    left = Path(f"{ledger.path}.read-2.db{COPY_SUFFIX}")
    left.write_bytes(b"half")
    rebuild(ledger)
    assert not left.exists()

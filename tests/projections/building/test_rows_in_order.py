"""Rows of a large build are written in the order of the log: the same comes out, and no file with a name is made for it."""

import pickle
import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Connection

from domain.errors import StoreUnavailable
from domain.events.streams import call_id
from domain.ledger import Ledger
from projections.building import full_build, rows_in_order
from projections.building.as_of import build_as_of_file, open_as_of_file
from projections.building.catch_up import catch_up, write_batch
from projections.building.partitions import SEQUENTIAL, stream_ranges
from projections.building.rebuild import rebuild
from projections.building.rows_in_order import writing_in_order
from projections.rows.calls import CallRow
from projections.rows.cdrs import CdrRow
from projections.rows.projector import RowBatch, as_tuples
from projections.stores.generations import open_current
from tests.golden.outputs import GOLDEN
from tests.projections.building.test_as_of import rows_of
from tests.support.command import run
from tests.support.ledgers import opened, record, tables
from tests.support.notices import SRC, TAG, callstatus, cdr

pytestmark = pytest.mark.only_on("sqlite")


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """The log is read by streams, and rows of any build wait, by spans of a few positions, most of them in the file."""
    monkeypatch.setattr(full_build, "plan_spans", lambda *_: None)
    monkeypatch.setattr(rows_in_order, "EVENTS_WORTH_ORDER", 0)
    monkeypatch.setattr(rows_in_order, "SPAN_EVENTS", 7)
    monkeypatch.setattr(rows_in_order, "ROWS_AT_ONCE", 3)
    monkeypatch.setattr(rows_in_order, "WAITING_BYTES_MAX", 500)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Return a ledger with all acts of operators, closed months and moved calls."""
    shutil.copyfile(GOLDEN / "ledger-2" / "ledger.sqlite", tmp_path / "ledger.db")
    url = f"sqlite:///{tmp_path}/ledger.db"
    assert run("migrate", "--store", url).code == 0
    with closing(Ledger(url)) as found:
        yield found


def test_a_rebuild_in_order_has_the_same_rows_and_certificate(
    ledger: Ledger, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    first, as_they_come = rebuild(ledger), tables(ledger)
    request.getfixturevalue("_small")
    names = set[str]()
    second = rebuild(ledger, lambda _done, _total: names.update(path.name for path in tmp_path.iterdir()))
    assert tables(ledger) == as_they_come
    assert (second.found, second.position) == (0, ledger.head())
    assert second.certificate.read_models == first.certificate.read_models
    read_models = re.compile(r"ledger\.db\.read-\d+\.db(-wal|-shm)?")
    assert {name for name in names if not read_models.fullmatch(name)} <= {
        *("ledger.db", "ledger.db-wal", "ledger.db-shm", "ledger.db.rebuild.lock")
    }


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize("sent", [False, True])
def test_all_rows_come_once_in_the_order_of_the_log(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, sent: bool
) -> None:
    monkeypatch.setattr(rows_in_order, "ROWS_AT_ONCE", 100)
    cut = ledger.head()
    parts = [part.batch for part in SEQUENTIAL(ledger, cut, stream_ranges(cut, 5))]
    written: list[RowBatch] = []
    with (
        closing(open_current(ledger)) as store,
        store.snapshot() as connection,
        writing_in_order(connection, lambda _, batch: written.append(batch), cut, tmp_path) as write,
    ):
        for part in parts:
            # As another process sends it.
            write(connection, pickle.loads(pickle.dumps(part)) if sent else part)  # noqa: S301
    for kind in (CallRow, CdrRow):
        at = kind.__struct_fields__.index("position")
        come = [row for part in parts for row in as_tuples(part.rows.get(kind, []))]
        gone = [row for batch in written for row in batch.rows.get(kind, [])]
        assert sorted(gone) == sorted(come)
        assert [row[at] for row in gone] == sorted(row[at] for row in come) != [row[at] for row in come]


@pytest.mark.usefixtures("_small")
def test_between_the_two_events_of_a_move_the_later_row_of_a_key_replaces_the_earlier(
    tmp_path: Path, store_url: str
) -> None:
    with opened(store_url) as ledger:
        record(ledger, callstatus("SRCANSWERED"), cdr(2, srccharge="1.5"))
        record(ledger, callstatus("SRCANSWERED", 9, src="7"), cdr(10, src="7"))
        with ledger.operator_session("Ada", "one call") as session:
            session.merge_calls(call_id((TAG, "7"), 1), call_id((TAG, SRC), 1))
        with closing(open_current(ledger)) as live:
            for position in range(1, ledger.head() + 1):
                catch_up(ledger, live, position)
                path = tmp_path / f"{position}.db"
                build_as_of_file(ledger, position, path)
                with closing(open_as_of_file(ledger, path)) as built:
                    assert rows_of(built) == rows_of(live)


@pytest.mark.usefixtures("_small")
def test_a_full_disk_is_named_and_nothing_is_left(
    ledger: Ledger, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rebuild(ledger)
    before, files = tables(ledger), set(tmp_path.iterdir())
    monkeypatch.setattr(rows_in_order, "TemporaryFile", lambda **_: Path("/dev/full").open("r+b"))  # noqa: SIM115
    with pytest.raises(StoreUnavailable, match=rf"temporary file .* cannot be used in {tmp_path}: .*No space left"):
        rebuild(ledger)
    assert tables(ledger) == before
    assert set(tmp_path.iterdir()) <= files


@pytest.mark.parametrize(("events", "folder"), [(199_999, Path()), (200_000, None)])
def test_few_rows_and_those_of_other_databases_are_written_as_they_come(events: int, folder: Path | None) -> None:
    connection: Connection = None  # type: ignore[assignment]
    with writing_in_order(connection, write_batch, events, folder) as write:
        assert write is write_batch

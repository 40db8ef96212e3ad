"""As of: the tables as they stood at a position are those of a ledger whose log ends there, and nothing else is touched."""

import io
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import StoreUnavailable
from domain.events.streams import call_id
from domain.ledger import Ledger
from projections import frames
from projections.building import as_of as aside
from projections.building.as_of import kinds_of, open_as_of
from projections.building.catch_up import ProjectionStopped, catch_up
from projections.building.partitions import SEQUENTIAL, FoldStrategy, SequentialFolding
from projections.building.process_pool import ProcessFolding
from projections.building.rebuild import check_read_models
from projections.export.writer import write_export
from projections.queries.log_points import LogPoint, resolve_point
from projections.queries.selection import Selection
from projections.queries.time_points import SelectionError
from projections.schema.read_models import STORED_TABLES
from projections.stores.base import ReadStore
from projections.stores.generations import open_current
from tests.conftest import SQLITE_FIRST
from tests.golden.outputs import GOLDEN
from tests.projections.building.test_rebuild import insert
from tests.support import strategies
from tests.support.command import run
from tests.support.effort import examples
from tests.support.ledger_databases import ledger_database
from tests.support.ledgers import opened, record, tables
from tests.support.notices import SRC, START, TAG, callstatus, cdr, signed
from tests.support.postgres_server import Postgres

ROOT = Path(__file__).parents[3]
CALL = [callstatus("SRCANSWERED"), callstatus("COMPLETED", 1), cdr(2, srccharge="1.5", destduration="60")]
HALTING = """
import sys
from domain.ledger import Ledger
from projections.building.as_of import kinds_of, open_as_of

def halt(done, total):
    print("half-way", flush=True)
    sys.stdin.read()

with open_as_of(Ledger(sys.argv[1]), 3, halt):
    pass
"""


@pytest.fixture
def ledger(store_url: str) -> Iterator[Ledger]:
    """Return a ledger with a call, recorded at 10, 20 and 30 microseconds after START."""
    moments = iter(range(START, START + 1000, 10))
    with opened(store_url, clock=lambda: next(moments)) as found:
        for notice in CALL:
            record(found, notice)
        yield found


def exports(ledger: Ledger, store: ReadStore) -> dict[str, bytes]:
    """Return every read model as a CSV file."""
    found = {}
    for model in STORED_TABLES:
        out = io.BytesIO()
        write_export(ledger, store, model, Selection(), "csv", out)
        found[model] = out.getvalue()
    return found


def as_of(ledger: Ledger, position: int, folding: FoldStrategy = SEQUENTIAL) -> dict[str, bytes]:
    with open_as_of(ledger, position, folding=folding) as store:
        return exports(ledger, store)


def now(ledger: Ledger) -> dict[str, bytes]:
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        return exports(ledger, store)


def rows_of(store: ReadStore) -> dict[str, list[tuple[object, ...]]]:
    with store.snapshot() as connection:
        return {
            name: [tuple(row) for row in connection.execute(table.select().order_by(*table.primary_key))]
            for name, table in STORED_TABLES.items()
        }


@pytest.mark.only_on("sqlite")
def test_between_the_two_events_of_a_move_the_rows_are_those_that_following_the_log_to_there_makes(
    ledger: Ledger,
) -> None:
    call, other = call_id((TAG, SRC), 1), call_id((TAG, "7"), 1)
    record(ledger, callstatus("SRCANSWERED", 9, src="7"), cdr(10, src="7"))
    with ledger.operator_session("Ada", "one call") as session:
        moved = session.merge_calls(other, call)
    with ledger.operator_session("Ada", "two after all") as session:
        session.undo(moved)
    with closing(open_current(ledger)) as live:
        for position in range(1, ledger.head() + 1):
            catch_up(ledger, live, position)
            for folding in (SEQUENTIAL, ProcessFolding(2)) if position == moved else (SEQUENTIAL,):
                with open_as_of(ledger, position, folding=folding) as store:
                    assert rows_of(store) == rows_of(live)


@pytest.mark.only_on("sqlite")
@pytest.mark.parametrize("known", [0, 4])
def test_where_two_calls_have_a_notice_its_rows_are_those_of_the_call_that_was_corrected_last(
    empty_store_url: str, known: int
) -> None:
    with opened(empty_store_url) as ledger, closing(open_current(ledger)) as live:
        record(ledger, callstatus("SRCANSWERED"), callstatus("SRCANSWERED", 9, src="9"), cdr(10, src="9"))
        giving, taking = call_id((TAG, SRC), 1), call_id((TAG, "9"), 1)
        with ledger.operator_session("Ada", "one call") as session:
            gone = session.merge_calls(giving, taking) - 1
        with ledger.operator_session("Ada", "two after all") as session:
            between = session.undo(gone) - 1
        catch_up(ledger, live, known)
        catch_up(ledger, live, between)
        found = rows_of(live)
        assert [row[0] for row in found["calls"]] == [str(giving)]
        with open_as_of(ledger, between) as store:
            assert rows_of(store) == found
        catch_up(ledger, live)
        assert check_read_models(ledger).found == 0


@contextmanager
def new_url(kind: str, postgres: Postgres) -> Iterator[str]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:///{folder}/ledger.db"
    else:
        with ledger_database(postgres) as url:
            yield url


@pytest.mark.parametrize("kind", SQLITE_FIRST)
@examples(12)
@given(log=strategies.logs(max_size=25), data=st.data())
def test_what_stood_at_a_position_is_what_a_ledger_shows_whose_log_ends_there(
    kind: str, postgres: Postgres, log: strategies.Log, data: st.DataObject
) -> None:
    with (
        new_url(kind, postgres) as url,
        opened(url) as ledger,
        new_url(kind, postgres) as other,
        opened(other) as ended,
    ):
        for at, pairs in log:
            ledger.record([ledger.verify_delivery(signed(pairs).encode(), at)])
        position = data.draw(st.integers(0, ledger.head()))
        for at, pairs in log:
            if ended.head() < position:
                ended.record([ended.verify_delivery(signed(pairs).encode(), at)])
        expected = now(ended)
        assert as_of(ledger, position) == expected
        assert as_of(ledger, ledger.head()) == now(ledger)
        model = data.draw(st.sampled_from(sorted(STORED_TABLES)))
        assert as_of(ledger, position, SequentialFolding(kinds_of(model)))[model] == expected[model]


def test_an_earlier_state_is_the_same_whoever_folds(ledger: Ledger) -> None:
    record(ledger, *(cdr(number, src=str(number), srccharge=str(number)) for number in range(50)))
    assert as_of(ledger, 40, ProcessFolding(2)) == as_of(ledger, 40)


@pytest.mark.only_on("sqlite")
def test_a_read_model_that_is_built_alone_has_the_rows_that_it_has_beside_the_others(tmp_path: Path) -> None:
    """A ledger with all acts of operators, closed months and moved calls."""
    shutil.copyfile(GOLDEN / "ledger-2" / "ledger.sqlite", tmp_path / "ledger.db")
    url = f"sqlite:///{tmp_path}/ledger.db"
    assert run("migrate", "--store", url).code == 0
    with closing(Ledger(url)) as ledger:
        together = as_of(ledger, ledger.head())
        alone = {name: as_of(ledger, ledger.head(), SequentialFolding(kinds_of(name)))[name] for name in together}
        assert as_of(ledger, ledger.head(), ProcessFolding(2)) == together
    assert alone == together


def test_the_live_read_models_are_left_alone(ledger: Ledger) -> None:
    now(ledger)
    record(ledger, *(cdr(number, src=str(number)) for number in range(9)))
    before = tables(ledger)
    assert as_of(ledger, 10)["cdrs"].count(b"\r\n") > 2
    assert tables(ledger) == before


def test_there_is_nothing_at_position_0(ledger: Ledger) -> None:
    assert [content.count(b"\r\n") for content in as_of(ledger, 0).values()] == [1] * len(STORED_TABLES)


def test_no_file_of_it_has_a_name_and_none_is_left_even_when_the_process_is_killed(
    tmp_path: Path, store_url: str
) -> None:
    with opened(store_url) as ledger:
        record(ledger, *CALL)
        folder = tmp_path / "temporary"
        folder.mkdir()
        before = set(tmp_path.iterdir())
        command = [sys.executable, "-c", HALTING, ledger.url]
        with subprocess.Popen(
            command, cwd=ROOT, env=os.environ | {"TMPDIR": str(folder)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as building:
            assert building.stdout
            assert building.stdout.readline() == b"half-way\n"
            building.send_signal(signal.SIGKILL)
            assert building.wait(20) == -signal.SIGKILL
        assert list(folder.iterdir()) == []
        assert set(tmp_path.iterdir()) == before


def test_more_rows_than_the_cache_holds_go_to_the_file_and_where_that_has_no_room_it_says_so(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(ledger, *(cdr(number, src=str(number)) for number in range(300)))
    monkeypatch.setattr(aside, "PRAGMAS", f"{aside.PRAGMAS}; PRAGMA cache_size=10; PRAGMA max_page_count=20")
    with pytest.raises(StoreUnavailable, match=r"a temporary file, as of position \d+, cannot .* is full"):
        as_of(ledger, ledger.head())


def test_an_event_that_cannot_be_projected_stops_only_who_asks_for_what_comes_after_it(ledger: Ledger) -> None:
    expected = as_of(ledger, 3)
    bad = insert(ledger, "tringledger:voicemail-recorded", b"{}")
    assert as_of(ledger, 3) == expected
    with pytest.raises(ProjectionStopped, match=f"position {bad} cannot be projected"):
        as_of(ledger, bad)


class TestThen:
    @pytest.mark.parametrize("said", [2, "2"])
    def test_a_position_stands_for_the_moment_at_which_it_was_recorded(self, ledger: Ledger, said: str | int) -> None:
        assert resolve_point(ledger, said) == LogPoint(2, ledger.recorded_at(2))

    def test_a_time_means_the_last_event_recorded_until_then(self, ledger: Ledger) -> None:
        second = ledger.recorded_at(2)
        for at, position in ((second - 1, 1), (second, 2), (second + 1, 2)):
            moment = datetime.fromtimestamp(at // 1_000_000, UTC).replace(microsecond=at % 1_000_000)
            assert resolve_point(ledger, moment) == resolve_point(ledger, moment.isoformat()) == LogPoint(position, at)

    def test_before_the_first_event_there_was_nothing_and_after_the_last_all_of_it(self, ledger: Ledger) -> None:
        assert resolve_point(ledger, "2000-01-01").position == 0
        assert resolve_point(ledger, "2999-12").position == 3

    @pytest.mark.parametrize("said", [4, "4", -1, 10**18])
    def test_a_position_that_the_log_does_not_have_is_refused(self, ledger: Ledger, said: str | int) -> None:
        with pytest.raises(SelectionError, match=f"got position {said}; expected one from 0 to 3, the head of the log"):
            resolve_point(ledger, said)

    @pytest.mark.parametrize("said", ["", "soon", "-1", "2026-10-01T00:00:00", "2026-13", "1.5", "٣"])
    def test_what_is_neither_is_refused(self, ledger: Ledger, said: str) -> None:
        with pytest.raises(SelectionError, match=r"is not a moment: expected a day .*, or a position of the log"):
            resolve_point(ledger, said)


def test_a_frame_as_of_a_position_or_a_time_is_what_it_was(ledger: Ledger) -> None:
    before = frames.cdrs(ledger.url)
    recorded_at = datetime.fromtimestamp(ledger.recorded_at(3) // 1_000_000 + 1, UTC)
    record(ledger, cdr(9, src="1", srccharge="7"))
    assert len(frames.cdrs(ledger.url)) == len(before) + 1
    pd.testing.assert_frame_equal(frames.cdrs(ledger.url, as_of=3), before)
    pd.testing.assert_frame_equal(frames.cdrs(ledger.url, as_of="3"), before)
    assert len(frames.cdrs(ledger.url, as_of=recorded_at)) == len(before) + 1
    assert len(frames.cdrs(ledger.url, as_of="2000-01-01")) == 0
    assert len(frames.billing(ledger.url, as_of=2)) == 0

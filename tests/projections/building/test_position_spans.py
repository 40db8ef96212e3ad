"""Reading the log in the order of positions makes the rows that reading it by streams makes, wherever spans end."""

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.events.notice_events import VoicemailRecorded
from domain.events.streams import call_id
from domain.ledger import Ledger
from domain.log.contract import StreamExtents
from projections.building import position_spans
from projections.building.as_of import open_as_of
from projections.building.catch_up import ProjectionStopped
from projections.building.partitions import SEQUENTIAL, Range, stream_ranges
from projections.building.position_spans import PositionSpan, plan_spans
from projections.proofs.leaf_product import NOTHING, PRIME, LeafPoint
from projections.rows.projector import Row, as_tuples
from tests.golden.outputs import GOLDEN
from tests.projections.building.test_rebuild import insert
from tests.support import strategies
from tests.support.command import run
from tests.support.effort import examples
from tests.support.ledgers import opened, record
from tests.support.notices import SRC, TAG, callstatus, cdr, signed

pytestmark = pytest.mark.only_on("sqlite")

# A quarter of what Linux allows by default.
HELD_BY_A_CONNECTION = 53_248


def folded(ledger: Ledger, cut: int, ranges: list[Range]) -> tuple[dict[type, list[Row]], int, int]:
    """Return the rows of each class, the number of events, and the product of their leaves."""
    rows: dict[type, list[Row]] = {}
    events, leaves = 0, NOTHING
    for part in SEQUENTIAL(ledger, cut, ranges, LeafPoint(cut, 12345)):
        for kind, found in part.batch.rows.items():
            rows.setdefault(kind, []).extend(as_tuples(found))
        events += part.events
        leaves = leaves * part.leaves % PRIME
    return {kind: sorted(found, key=repr) for kind, found in rows.items() if found}, events, leaves


def spans(ledger: Ledger, cut: int, size: int, near: int, monkeypatch: pytest.MonkeyPatch) -> list[Range]:
    monkeypatch.setattr(position_spans, "SPAN_EVENTS", size)
    monkeypatch.setattr(position_spans, "NEAR_POSITIONS_MAX", near)
    monkeypatch.setattr(position_spans, "EVENTS_PER_FAR_CALL", 1)
    plan = plan_spans(ledger, cut, 2)
    assert plan
    assert plan.events == cut
    assert [span.until for span in plan.spans[:-1]] == [span.after for span in plan.spans[1:]]
    return [*plan.spans]


@examples(12)
@given(log=strategies.logs(max_size=25), data=st.data())
def test_the_rows_of_spans_are_those_of_streams(log: strategies.Log, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder, opened(f"sqlite:///{folder}/ledger.db") as ledger:
        for at, pairs in log:
            ledger.record([ledger.verify_delivery(signed(pairs).encode(), at)])
        cut = data.draw(st.integers(0, ledger.head()))
        size, near = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
        with pytest.MonkeyPatch.context() as patch:
            found = folded(ledger, cut, spans(ledger, cut, size, near, patch))
        assert found == folded(ledger, cut, [*stream_ranges(cut)])


def test_a_span_takes_little_room_on_its_way_to_a_worker_though_all_its_calls_are_far() -> None:
    """It is sent while the worker may be sending rows: more than a connection holds, and both would wait for each other."""
    far = frozenset(range(10**9, 10**9 + position_spans.SPAN_EVENTS))
    assert len(ForkingPickler.dumps(PositionSpan(10**9, 2 * 10**9, 2 * 10**9, far))) < HELD_BY_A_CONNECTION


@pytest.fixture
def golden(tmp_path: Path) -> Iterator[Ledger]:
    """Return a ledger with all acts of operators, closed months and moved calls."""
    shutil.copyfile(GOLDEN / "ledger-2" / "ledger.sqlite", tmp_path / "ledger.db")
    url = f"sqlite:///{tmp_path}/ledger.db"
    assert run("migrate", "--store", url).code == 0
    with closing(Ledger(url)) as found:
        yield found


@pytest.mark.parametrize(("size", "near"), [(1, 1), (7, 3), (50, 16_384)])
def test_so_they_are_where_operators_acted_and_months_were_closed(
    golden: Ledger, size: int, near: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut = golden.head()
    assert folded(golden, cut, spans(golden, cut, size, near, monkeypatch)) == folded(
        golden, cut, [*stream_ranges(cut)]
    )


def test_a_call_whose_first_event_was_lost_has_the_rows_of_the_others(
    empty_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(empty_store_url) as ledger:
        record(ledger, *(notice for src in "123" for notice in (callstatus("SRCANSWERED", src=src), cdr(9, src=src))))
        with closing(sqlite3.connect(ledger.path)) as log, log:
            log.execute("DELETE FROM stored_events WHERE position = 3")
        monkeypatch.setattr(position_spans, "EVENTS_PER_FAR_CALL", 1)
        plan = plan_spans(ledger, 6)
        assert plan
        assert (plan.events, plan.spans[0].far) == (5, {4})
        assert folded(ledger, 6, [*plan.spans]) == folded(ledger, 6, [*stream_ranges(6)])


def test_where_many_calls_are_far_the_log_is_read_by_streams(
    empty_store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(empty_store_url) as ledger:
        lines = [str(number) for number in range(5)]
        record(ledger, *(callstatus("SRCANSWERED", src=src) for src in lines), *(cdr(9, src=src) for src in lines))
        assert plan_spans(ledger, 10)
        monkeypatch.setattr(position_spans, "NEAR_POSITIONS_MAX", 4)
        assert plan_spans(ledger, 10) is None
        # The store does not even name them: there may be very many.
        assert ledger.store.find_stream_extents(10, 4, 4) is None
        assert ledger.store.find_stream_extents(10, 4, 5) == StreamExtents(4, [1, 2, 3, 4, 5], 10)


def test_an_event_that_no_span_takes_stops_the_build(empty_store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A voicemail in a call's stream, in another span than the call: it would count twice."""
    with opened(empty_store_url) as ledger:
        record(ledger, callstatus("SRCANSWERED"))
        state = ledger.store.page(0, 1, 1)[0].state
        insert(ledger, VoicemailRecorded.TOPIC, state, call_id((TAG, SRC), 1), 2)
        monkeypatch.setattr(position_spans, "SPAN_EVENTS", 1)
        with pytest.raises(ProjectionStopped, match="4 events were folded; expected the 3"), open_as_of(ledger, 3):
            pass

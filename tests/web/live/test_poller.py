"""What the live page shows, looked at on both stores: the calls that moved last, however the ledger came to where it is."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.application.read_model_pool import ReadModelPool
from api.web.live import poller as looking
from api.web.live import window as windows
from api.web.live.poller import LivePoller
from api.web.live.window import LiveWindow
from domain.events.streams import call_id
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.stores.generations import open_current
from tests.support.ledgers import opened, record
from tests.support.notices import MAX_AGE, SECOND, SRC, START, TAG, callstatus, cdr, notice

NOW = START + 3600 * SECOND


@contextmanager
def looked_at(ledger: Ledger, now: int = NOW) -> Iterator[LivePoller]:
    """Give what looks at a ledger at a moment; each look comes after the read models have caught up."""
    shelf = ReadModelPool(ledger)
    models = open_current(ledger)
    looker = LivePoller(shelf, ledger, lambda: now)
    plain = looker.poll

    def look() -> LiveWindow:
        catch_up(ledger, models)
        return plain()

    looker.poll = look  # type: ignore[method-assign]
    try:
        yield looker
    finally:
        shelf.close()
        models.close()


def shown(window: LiveWindow) -> list[tuple[str, str, str]]:
    return [(row.tag, row.state, row.last) for row in window.rows]


def test_calls_move_from_event_to_event(store_url: str) -> None:
    with opened(store_url) as ledger, looked_at(ledger) as looker:
        assert shown(looker.poll()) == []
        record(ledger, callstatus("SRCANSWERED"), callstatus("USERDTMFINPUT", SECOND, p="1"))
        assert shown(looker.poll()) == [("sales", "in-progress", "USERDTMFINPUT")]
        record(ledger, callstatus("SRCANSWERED", tag="b"), callstatus("COMPLETED", 9 * SECOND), cdr(10 * SECOND))
        assert shown(looker.poll()) == [("b", "in-progress", "SRCANSWERED"), ("sales", "ended", "CDR")]


def test_who_looks_on_sees_what_a_new_look_sees(store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(looking, "EVENTS_MAX", 5)
    with opened(store_url) as ledger, looked_at(ledger) as looker:
        for number in range(6):
            at = number * SECOND
            record(
                ledger,
                callstatus("SRCANSWERED", at, tag=f"tag {number}"),
                callstatus("COMPLETED", at, tag="other"),
            )
            going_on = looker.poll()
            with looked_at(ledger) as another:
                anew = another.poll()
            assert {row for row in anew.rows if row.is_live} == {row for row in going_on.rows if row.is_live}
            assert set(anew.rows) <= set(going_on.rows)


def test_a_call_in_progress_is_shown_however_far_back_its_events_lie(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(looking, "EVENTS_MAX", 3)
    with opened(store_url) as ledger, looked_at(ledger) as looker:
        record(ledger, callstatus("SRCANSWERED", tag="long"))
        record(ledger, *(callstatus("SRCFAILED", tag=f"{number}") for number in range(10)))
        window = looker.poll()
        assert ("long", "in-progress", "SRCANSWERED") in shown(window)
        assert not window.covers(window.position - 4)
        assert window.covers(window.position - 2)


def test_stale_calls_are_counted_and_not_shown_as_in_progress(store_url: str) -> None:
    with opened(store_url) as ledger, looked_at(ledger, START + MAX_AGE + SECOND) as looker:
        record(ledger, callstatus("SRCANSWERED"), callstatus("SRCANSWERED", 2 * SECOND, tag="b"))
        window = looker.poll()
        assert shown(window) == [("b", "in-progress", "SRCANSWERED")]
        assert (window.counts.live, window.counts.stale) == (1, 1)


def test_what_is_no_call_moves_the_position_and_nothing_else(store_url: str) -> None:
    with opened(store_url) as ledger, looked_at(ledger) as looker:
        record(ledger, notice(type="voicemail", email="a@example.com", voicemail="1.wav", r="1"))
        window = looker.poll()
        assert (window.position, shown(window)) == (1, [])


def test_an_operators_event_has_its_own_time(store_url: str) -> None:
    with opened(store_url, clock=lambda: NOW) as ledger, looked_at(ledger) as looker:
        record(ledger, callstatus("SRCANSWERED"), callstatus("COMPLETED", SECOND), cdr(2 * SECOND))
        with ledger.operator_session("ann", "a test call") as session:
            session.void_call(call_id((TAG, SRC), 1))
        (row,) = looker.poll().rows
        assert (row.last, row.event_at, row.last_at) == ("call-voided", NOW, START + 2 * SECOND)


def test_what_just_ended_is_ordered_and_counted_by_when_it_ended_and_an_import_pushes_nothing_out(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "ROWS_MAX", 2)
    monkeypatch.setattr(looking, "EVENTS_MAX", 4)
    with opened(store_url) as ledger, looked_at(ledger) as looker:
        for minute in (3, 1, 2):
            record(ledger, cdr(minute * 60 * SECOND, tag=f"at {minute}"))
        assert [row.tag for row in looker.poll().ended] == ["at 3", "at 2"]
        record(ledger, *(cdr(-number * 7200 * SECOND, tag=f"imported {number}") for number in range(1, 6)))
        with looked_at(ledger) as another:
            for window in (looker.poll(), another.poll()):
                assert [row.tag for row in window.ended] == ["at 3", "at 2"]
            assert another.poll().counts.ended == 3

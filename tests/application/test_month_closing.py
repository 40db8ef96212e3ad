"""A closing keeps the books of its months, and holds the log's lock only to see what has come since it looked."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from hashlib import sha256
from typing import Any

import pytest

from api.application import month_closing as closings
from api.application.month_closing import check_month, close_month, closing_fingerprint
from api.application.operator_commands import ChangedMeanwhile
from domain.errors import CommandRejected
from domain.events.codec import decode_operator_event
from domain.events.operator_events import AccountCharge, MonthBooks, MonthClosed
from domain.events.streams import CLOSINGS
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.queries.billing_overview import BillingTotals
from projections.queries.closing_blockers import changes_closing
from projections.queries.month_books import load_month_books
from projections.rows.folded_entries import ENTRY_COLUMNS
from projections.schema.tables import ENTRIES
from projections.stores.base import ReadStore
from projections.stores.generations import open_current
from tests.support.command import run
from tests.support.ledgers import opened
from tests.support.ledgers import record as book
from tests.support.notices import callstatus, line, priced_cdr, signed

OCTOBER, NOVEMBER = "2024-10", "2024-11"


def record(month: str, *notices: list[tuple[str, str]]) -> None:
    at = f"{month}-15T12:00:00.000000Z"
    assert run("import", "-", stdin="".join(line(signed(pairs), at) for pairs in notices)).code == 0


def record_call(number: int, month: str = OCTOBER) -> None:
    r = number * 10
    record(month, callstatus(r=r), callstatus(r=r + 1, status="COMPLETED"), priced_cdr(r=r + 2, status="COMPLETED"))


@pytest.fixture
def ledger(store: str) -> Iterator[Ledger]:
    run("migrate")
    record_call(1)
    record_call(2)
    record_call(3, NOVEMBER)
    with Ledger(store) as opened:
        yield opened


@pytest.fixture
def read_store(ledger: Ledger) -> Iterator[ReadStore]:
    with closing(open_current(ledger)) as opened:
        yield opened


def last_closing(ledger: Ledger) -> MonthClosed:
    row = ledger.store.stream(CLOSINGS, ledger.head())[-1]
    event = decode_operator_event(row.topic, row.state)
    assert isinstance(event, MonthClosed)
    return event


def books_of(read_store: ReadStore, month: str) -> MonthBooks:
    with read_store.snapshot() as connection:
        return load_month_books(connection, "", month)[-1]


def test_the_digest_is_that_of_lines_of_json_that_any_program_can_make(ledger: Ledger, read_store: ReadStore) -> None:
    close_month(ledger, read_store, NOVEMBER, "kim", "also October")
    october, november = last_closing(ledger).books
    with read_store.snapshot() as connection:
        rows: list[dict[str, Any]] = [dict(row) for row in connection.execute(ENTRIES.select()).mappings()]
    rows = [row for row in rows if row["period"] == OCTOBER]
    rows.sort(key=lambda row: (row["position"], row["number"], row["call_id"]))
    lines = [list(ENTRY_COLUMNS), *([row[name] for name in ENTRY_COLUMNS] for row in rows)]
    text = "".join(json.dumps(each, separators=(",", ":"), ensure_ascii=False) + "\n" for each in lines)
    assert (october.month, october.columns, october.rows) == (OCTOBER, "entries/1", 2)
    assert october.digest == sha256(text.encode()).hexdigest()
    assert october.money["cost"] == sum(row["cost"] for row in rows)
    assert (november.month, november.rows) == (NOVEMBER, 1)


def test_the_columns_of_entries_1_are_these_for_ever() -> None:
    assert " ".join(ENTRY_COLUMNS) == (
        "position number kind account period original_period day call_id tag src disposition calls answered src_seconds"
        " dest_seconds cost sip_credits billed_seconds price margin rounding level tariff rule posted_by reason"
    )


def test_what_is_corrected_later_leaves_the_books_of_the_closed_month_as_they_were(
    ledger: Ledger, read_store: ReadStore
) -> None:
    close_month(ledger, read_store, OCTOBER, "kim", None)
    (kept,) = last_closing(ledger).books
    call = run("export", "calls", "--format", "csv").out.splitlines()[1].split(",")[0]
    assert run("call", "void", call, "--by", "kim", "--reason", "wrong").code == 0
    record_call(4)
    catch_up(ledger, read_store)
    assert books_of(read_store, OCTOBER) == kept


def between(monkeypatch: pytest.MonkeyPatch, *does: Callable[[], object]) -> None:
    """Have each of these done once, in turn, between the look and the lock."""
    look, waiting = closings._look, list(does)

    def slow(*arguments: Any) -> Any:
        seen = look(*arguments)
        if waiting:
            waiting.pop(0)()
        return seen

    monkeypatch.setattr(closings, "_look", slow)


def test_what_comes_for_the_month_between_look_and_lock_is_in_its_books(
    ledger: Ledger, read_store: ReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, lambda: record_call(5), lambda: record_call(6))
    result = close_month(ledger, read_store, OCTOBER, "kim", None)
    assert result.position == 16
    assert last_closing(ledger).books[0].rows == 4


def test_what_comes_for_another_month_does_not_hold_it_up(
    ledger: Ledger, read_store: ReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[object] = []

    def first() -> None:
        looks.append(1)
        record_call(5, NOVEMBER)

    between(monkeypatch, first, lambda: looks.append(2))
    assert close_month(ledger, read_store, OCTOBER, "kim", None).position == 13
    assert looks == [1]


def test_a_call_that_lacks_its_cdr_and_comes_in_between_is_found(
    ledger: Ledger, read_store: ReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, lambda: record(OCTOBER, callstatus(r=900), callstatus(r=901, status="COMPLETED")))
    result = close_month(ledger, read_store, OCTOBER, "kim", None)
    assert (result.position, [each.kind for each in result.blockers]) == (0, ["missing-cdr"])


def test_a_month_that_keeps_changing_is_not_closed(
    ledger: Ledger, read_store: ReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, *(lambda number=number: record_call(number) for number in range(10, 16)))
    with pytest.raises(CommandRejected, match="2024-10 is not closed after 5 attempts: it still changes"):
        close_month(ledger, read_store, OCTOBER, "kim", None)


def before_the_lock(monkeypatch: pytest.MonkeyPatch, does: Callable[[], object]) -> None:
    """Have this done each time when all but the look under the lock is over."""
    look = closings._look_at_rest

    def then(*arguments: Any) -> Any:
        found = look(*arguments)
        does()
        return found

    monkeypatch.setattr(closings, "_look_at_rest", then)


def test_much_that_came_since_is_looked_at_in_pieces(
    ledger: Ledger, read_store: ReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closings, "EVENTS_AT_ONCE", 2)
    look = changes_closing
    seen: list[int] = []

    def looked(books: Any, connection: Any, events: Any, period: str) -> bool:
        seen.extend(event.position for event in events)
        return look(books, connection, events, period)

    monkeypatch.setattr(closings, "changes_closing", looked)
    between(monkeypatch, lambda: record_call(5, NOVEMBER))
    numbers = iter((6,))
    before_the_lock(monkeypatch, lambda: record_call(next(numbers), NOVEMBER))
    assert close_month(ledger, read_store, OCTOBER, "kim", None).position == 16
    assert seen == [10, 11, 12, 13, 14, 15]


def test_the_lock_is_released_where_looking_takes_too_long_and_the_closing_tried_again(
    ledger: Ledger, read_store: ReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closings, "LOCK_SECONDS_MAX", 0.05)
    numbers, tries = iter((5, 6)), []

    def look(*_: Any) -> bool:
        tries.append(ledger.head())
        if len(tries) == 1:
            # It waits for the very lock under which it is called: it would never end if the lock were kept.
            with opened(ledger.url) as other:
                book(other, callstatus(r=70))
        return False

    def come() -> None:
        number = next(numbers)
        record_call(number, NOVEMBER)
        if number == 6:
            monkeypatch.setattr(
                closings, "LOCK_SECONDS_MAX", 20
            )  # A busy machine takes longer than the first time allows.

    monkeypatch.setattr(closings, "changes_closing", look)
    before_the_lock(monkeypatch, come)
    result = close_month(ledger, read_store, NOVEMBER, "kim", "all of it")
    assert tries == [12, 16]
    assert result.position == 17


def test_the_look_itself_ends_when_its_time_is_over(
    ledger: Ledger, read_store: ReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closings, "LOCK_SECONDS_MAX", 0)
    monkeypatch.setattr(
        closings, "_look_at_rest", lambda *given: (given[-1]._replace(position=0), closings._Change.NONE)
    )
    monkeypatch.setattr(closings, "changes_closing", lambda *_: pytest.fail("it was looked at too late"))
    with pytest.raises(CommandRejected, match=r"2024-10 is not closed after 5 attempts: .* longer than the 250 ms"):
        close_month(ledger, read_store, OCTOBER, "kim", None)
    assert ledger.head() == 9


def looking(monkeypatch: pytest.MonkeyPatch, do: Callable[[], object]) -> list[int]:
    """Have this done once between the look and the lock, and return a list that gets a number for each look."""
    looks: list[int] = []

    def looked() -> None:
        looks.append(1)
        if len(looks) == 1:
            do()

    between(monkeypatch, *[looked] * closings.ATTEMPTS_MAX)
    return looks


def broken(number: int, month: str = OCTOBER) -> None:
    record(month, priced_cdr(r=number, tag="broken", srcduration="much"))


def test_a_cdr_that_comes_into_quarantine_in_between_is_found(
    ledger: Ledger, read_store: ReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(1)
    looks = looking(monkeypatch, lambda: broken(2))
    result = close_month(ledger, read_store, OCTOBER, "kim", "the first one is known")
    assert (
        [str(each) for each in result.blockers] == last_closing(ledger).accepted == ["quarantined 1", "quarantined 2"]
    )
    assert (looks, result.position, ledger.head()) == ([1, 1], 10, 10)


@pytest.mark.only_on("sqlite")
def test_what_is_open_and_accepted_and_a_cdr_of_another_month_in_quarantine_do_not_hold_it_up(
    ledger: Ledger, read_store: ReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken(1)
    looks = looking(monkeypatch, lambda: broken(2, NOVEMBER))
    assert close_month(ledger, read_store, OCTOBER, "kim", "it is known").position == 10
    assert looks == [1]


@pytest.mark.only_on("sqlite")
def test_what_came_since_the_look_is_read_in_pages_to_its_end(
    ledger: Ledger, read_store: ReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closings, "EVENTS_AT_ONCE", 2)
    pages: list[list[int]] = []

    def look(_: Any, __: Any, events: Any, ___: str) -> bool:
        pages.append([event.position for event in events])
        return False

    monkeypatch.setattr(closings, "changes_closing", look)
    looks = looking(monkeypatch, lambda: record_call(5, NOVEMBER))
    assert close_month(ledger, read_store, OCTOBER, "kim", None).position == 13
    assert (looks, pages) == ([1], [[10, 11], [12]])


@pytest.mark.only_on("sqlite")
def test_the_closing_says_that_nothing_was_open_or_why_that_was_accepted(ledger: Ledger, read_store: ReadStore) -> None:
    record(OCTOBER, callstatus(r=900, tag="open"), callstatus(r=901, status="COMPLETED", tag="open"))
    refused = close_month(ledger, read_store, OCTOBER, "kim", None)
    assert (refused.period, refused.position, refused.is_open, ledger.head()) == (OCTOBER, 0, True, 11)
    seen = closing_fingerprint(refused.blockers, [], refused.months)
    assert len(seen) == 24
    charge = AccountCharge(account="acme", month=OCTOBER, tariff=1, fee=5)
    others = [
        closing_fingerprint([], [], refused.months),
        closing_fingerprint(refused.blockers, [charge], refused.months),
        closing_fingerprint(refused.blockers, [], [(OCTOBER, BillingTotals(calls=1))]),
    ]
    assert seen not in others
    for other in others:
        with pytest.raises(ChangedMeanwhile):
            close_month(ledger, read_store, OCTOBER, "kim", "no CDR will come", expected=other)
    closed = close_month(ledger, read_store, OCTOBER, "kim", "no CDR will come", expected=seen)
    assert (closed.position, closed.period, closed.blockers) == (12, OCTOBER, refused.blockers)
    assert closed.suspects_alone == refused.suspects_alone == 1
    said = last_closing(ledger)
    assert (said.by, said.reason, said.period) == ("kim", "no CDR will come", OCTOBER)
    assert close_month(ledger, read_store, NOVEMBER, "ann", None).position == 13
    said = last_closing(ledger)
    assert (said.by, said.reason, said.accepted) == ("ann", "the month is over, and nothing in it is open", [])
    assert [each.month for each in said.books] == [NOVEMBER]


@pytest.mark.only_on("sqlite")
def test_a_look_alone_finds_what_a_closing_would_and_closes_nothing(ledger: Ledger, read_store: ReadStore) -> None:
    record(OCTOBER, callstatus(r=900, tag="open"), callstatus(r=901, status="COMPLETED", tag="open"))
    record("2024-09", priced_cdr(r=910, tag="old"))
    record(NOVEMBER, priced_cdr(r=911, tag="old"))
    catch_up(ledger, read_store)
    for month, alone in ((OCTOBER, 1), (NOVEMBER, 2)):
        found = check_month(ledger, read_store, month)
        assert found == close_month(ledger, read_store, month, "kim", None)
        assert (found.period, found.position, found.suspects_alone) == (month, 0, alone)
        assert [each.kind for each in found.blockers][-1] == "missing-cdr"
    with pytest.raises(CommandRejected, match="9998-12 is not over yet in UTC"):
        check_month(ledger, read_store, "9998-12")
    assert ledger.head() == 13

"""The quarantine during one transaction on PostgreSQL, against a simple model of its table: what is prefetched and queued."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.log.contract import Lookup, QuarantineEntry
from domain.log.postgres import quarantine
from domain.log.postgres.quarantine import QuarantineTable
from tests.support.effort import examples

# What goes first, next and last when there is no room.
REASONS = (
    "this signature came before, at position 7, with other parameters",
    "the signature is wrong or missing",
    "this signature fits the retired key 1234: expected an active key",
)
FOUND_AT_ONCE = 3


class Table:
    """The rows of a quarantine, changed by the statements that are queued once something is asked; and what was asked."""

    def __init__(self) -> None:
        self.rows: dict[int, QuarantineEntry] = {}
        self.asked: list[str] = []
        self._last = 0
        self._queued: list[tuple[str, Sequence[Any]]] = []
        self._answers: dict[str, Callable[..., list[Any]]] = {
            quarantine.FIND_ENTRIES: self._find,
            quarantine.TOTALS: self._totals,
            quarantine.FIRST_TO_DROP: self._first_to_drop,
            quarantine.LAST_ENTRY_ID: lambda: [(self._last,)],
        }

    def queue(self, statement: str, parameters: Sequence[Any]) -> None:
        self._queued.append((statement, parameters))

    def ask(self, query: str, parameters: Sequence[Any]) -> list[Any]:
        self.write()
        self.asked.append(query)
        return self._answers[query](*parameters)

    def write(self) -> None:
        for statement, parameters in self._queued:
            if statement == quarantine.INSERT_ENTRY:
                entry = QuarantineEntry(*parameters)
                self.rows[entry.id] = entry
                self._last = entry.id
            elif statement == quarantine.DROP:
                self.rows = {number: row for number, row in self.rows.items() if number not in parameters[0]}
            elif statement == quarantine.COUNT_AGAIN:
                at, _, _, authentic, number = parameters
                row = self.rows[number]
                times, authentic = row.times + 1, row.authentic or authentic
                self.rows[number] = row._replace(times=times, authentic=authentic, last_received_at=at)
            elif statement == quarantine.MARK_SETTLED:
                self.rows[parameters[1]] = self.rows[parameters[1]]._replace(position=parameters[0])
            else:
                assert statement == quarantine.MARK_AUTHENTIC
                self.rows[parameters[1]] = self.rows[parameters[1]]._replace(authentic=True, reason=parameters[0])
        self._queued.clear()

    def waiting(self) -> list[QuarantineEntry]:
        """Return the open notices with a wrong signature, in the order in which they go."""
        found = [row for row in self.rows.values() if not row.authentic and not row.position]
        return sorted(found, key=lambda row: (REASONS.index(row.reason), row.id))

    def _find(self, keys: list[bytes]) -> list[Any]:
        return [
            (row.delivery_key, row.id, row.authentic, row.position)
            for row in self.rows.values()
            if row.delivery_key in keys
        ]

    def _totals(self) -> list[Any]:
        return [(len(self.waiting()), sum(len(row.raw) for row in self.waiting()))]

    def _first_to_drop(self) -> list[Any]:
        return [(REASONS.index(row.reason), row.id, len(row.raw)) for row in self.waiting()[:FOUND_AT_ONCE]]


def entry(number: int, *, place: int = 1, authentic: bool = False, size: int = 1) -> QuarantineEntry:
    key, raw = b"%d" % number, b"x" * size
    return QuarantineEntry(0, key, authentic, "broken" if authentic else REASONS[place], raw, 5, 5, 1, "", 0)


KEEP = st.tuples(st.just("keep"), st.integers(0, 2), st.integers(1, 4))
STEPS = st.lists(
    st.one_of(
        KEEP,
        KEEP,
        st.tuples(st.just("drop"), st.integers(0, 3), st.integers(0, 9)),
        st.tuples(st.just("again"), st.integers(0, 12), st.booleans()),
        st.tuples(st.just("settle"), st.integers(0, 12), st.just(0)),
    ),
    max_size=25,
)


@given(STEPS, STEPS)
@examples(300)
def test_a_transaction_does_what_its_statements_would_do_one_by_one(before: list[Any], steps: list[Any]) -> None:
    table, keys = Table(), 0
    for batch in (before, steps):
        looking = QuarantineTable(table.ask, table.queue)
        looking.prefetch([Lookup(b"%d" % key, refused=True) for key in range(0, keys, 2)])
        for what, number, more in batch:
            table.write()
            waiting, rows = table.waiting(), dict(table.rows)
            if what == "keep":
                assert looking.keep(entry(keys, place=number, size=more)) == keys + 1
                keys += 1
            elif what == "drop":
                gone = 0
                while gone < len(waiting) and (gone < number or sum(len(row.raw) for row in waiting[:gone]) < more):
                    gone += 1
                assert looking.drop_unauthentic(number, more) == gone
                table.write()
                assert table.waiting() == waiting[gone:]
            elif what == "again":
                known = [row.id for row in rows.values() if row.delivery_key == b"%d" % number]
                assert looking.count_repeat(entry(number, authentic=more)) == (known[0] if known else 0)
            elif open_ones := [row.id for row in waiting if row.delivery_key == b"%d" % number]:
                looking.mark_settled(open_ones[0], 9)
            table.write()
            assert looking.unauthentic_totals() == table._totals()[0]


def test_a_flood_of_what_was_prefetched_costs_no_query_each() -> None:
    table = Table()
    kept = QuarantineTable(table.ask, table.queue)
    for number in range(3):
        kept.keep(entry(number))
    assert kept.keep(entry(3, authentic=True)) == 4
    table.asked.clear()
    looking = QuarantineTable(table.ask, table.queue)
    looking.prefetch([Lookup(b"%d" % number, refused=True) for number in range(5)])
    for _ in range(3):
        assert [looking.count_repeat(entry(number)) for number in range(5)] == [1, 2, 3, 4, 0]
        assert looking.unauthentic_totals() == (3, 3)
    for _ in range(2):
        assert looking.count_repeat(entry(2, authentic=True)) == 3
        assert looking.unauthentic_totals() == (2, 2)
    assert looking.count_repeat(entry(2)) == 3
    assert looking.unauthentic_totals() == (2, 2)
    assert table.asked == [quarantine.FIND_ENTRIES, quarantine.TOTALS, quarantine.TOTALS]
    assert [looking.count_repeat(entry(number)) for number in (0, 3, 4)] == [1, 4, 0]
    assert looking.drop_unauthentic(1, 0) == 1
    table.asked.clear()
    assert [looking.count_repeat(entry(number)) for number in (2, 3, 4)] == [3, 4, 0]
    assert table.asked == []
    assert [looking.count_repeat(entry(number)) for number in (0, 1)] == [0, 2]


def test_what_goes_next_is_found_for_many_drops_at_once() -> None:
    table = Table()
    looking = QuarantineTable(table.ask, table.queue)
    for number in range(FOUND_AT_ONCE):
        looking.keep(entry(number))
    table.asked.clear()
    for number in range(FOUND_AT_ONCE):
        looking.keep(entry(10 + number))
        assert looking.drop_unauthentic(1, 1) == 1
    assert table.asked == [quarantine.FIRST_TO_DROP]


@pytest.mark.parametrize(
    ("waiting", "comes", "next_is"), [(1, 0, 4), (2, 1, 4), (2, 0, 4), (1, 1, 2), (1, 2, 2), (2, 2, 2)]
)
def test_what_comes_meanwhile_goes_in_its_own_place(waiting: int, comes: int, next_is: int) -> None:
    table = Table()
    looking = QuarantineTable(table.ask, table.queue)
    for number in range(FOUND_AT_ONCE):
        looking.keep(entry(number, place=waiting))
    assert looking.drop_unauthentic(1, 0) == 1
    table.asked.clear()
    looking.keep(entry(9, place=comes))
    assert looking.drop_unauthentic(1, 0) == 1
    assert table.asked == [quarantine.FIRST_TO_DROP] * (comes < waiting)
    table.write()
    assert set(range(2, FOUND_AT_ONCE + 2)) - set(table.rows) == {next_is}

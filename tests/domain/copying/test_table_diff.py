"""Tables side by side: what is written makes one equal to the other, and only what differs is; a comparison sees any difference."""

from collections.abc import Iterator

from hypothesis import given
from hypothesis import strategies as st

from domain.copying.table_diff import ROWS_AT_ONCE, RowChange, chunks, compare_tables, digest_rows, row_changes
from domain.log.tables import LINE_CALLS, NONCES, TableRow

Rows = dict[tuple[str, int], TableRow]

KEYS = st.tuples(st.sampled_from(["", "a", "Zürich", "☎", "😀", "\uffff"]), st.integers(1, 4))
TABLES = st.dictionaries(KEYS, st.integers(0, 2)).map(
    lambda found: {key: (*key, value) for key, value in found.items()}
)


def in_order(table: Rows) -> Iterator[TableRow]:
    return iter(sorted(table.values()))


@given(TABLES, TABLES)
def test_the_changes_make_a_table_equal_and_touch_nothing_that_is_equal(wanted: Rows, there: Rows) -> None:
    made = dict(there)
    for gone, row in row_changes(LINE_CALLS, in_order(wanted), in_order(there)):
        assert gone != row
        if gone is not None:
            del made[LINE_CALLS.key_of(gone)]
        if row is not None:
            made[LINE_CALLS.key_of(row)] = row
    assert made == wanted


@given(TABLES, TABLES)
def test_a_comparison_finds_the_first_key_that_differs_or_none(first: Rows, second: Rows) -> None:
    found = compare_tables(LINE_CALLS, in_order(first), in_order(second))
    differing = [key for key in first.keys() | second.keys() if first.get(key) != second.get(key)]
    assert found.differs_at == min(differing, default=None)
    assert found.rows == len(first)
    assert found.digest == digest_rows(in_order(first))
    assert (digest_rows(in_order(first)) == digest_rows(in_order(second))) == (first == second)


def test_a_difference_far_down_a_long_table_is_found() -> None:
    rows = [("r", number.to_bytes(4), 1) for number in range(3 * ROWS_AT_ONCE)]
    found = compare_tables(NONCES, rows, rows[:2500] + rows[2501:])
    assert (found.rows, found.differs_at) == (3 * ROWS_AT_ONCE, ("r", (2500).to_bytes(4)))
    assert list(row_changes(NONCES, rows, iter(rows[:2500] + rows[2501:]))) == [RowChange(None, rows[2500])]


def test_chunks_are_full_but_for_the_last() -> None:
    assert list(chunks(range(5), 2)) == [[0, 1], [2, 3], [4]]
    assert list(chunks([], 2)) == []

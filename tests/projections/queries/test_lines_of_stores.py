"""What a database writes of its rows as lines becomes the same arrays as the rows themselves, on both stores."""

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import Connection, event, literal_column, select

from projections.queries.arrow_chunks import arrays_of_rows, uncounted_chunks
from projections.queries.copied_lines import lines_in_chunks, open_copy
from projections.queries.row_stream import RowStream, open_row_stream
from projections.queries.selection import Selection
from tests.support.export_ledgers import Case, a_ledger, a_row, fill_channels, put

AWKWARD = [
    *("", "null", "NULL", '"', '""', "'", ",", "a,b", "\n", "a\r\nb", "\\", "\\N", "\\.", " x ", "[0", "100 %", "%s"),
    *("Zürich", "é€😀", "\ufeff", "\x01\x7f", "=1", "7"),
]
SELECTIONS = [
    Selection(),
    Selection(tag="100 %"),
    Selection(number="18585550001"),
    Selection(account="'; %s --"),
    Selection(flag="missing-opening"),
    Selection(since=0, until=1 << 60),
]
LARGEST = (1 << 63) - 1


@pytest.fixture
def case(store_url: str) -> Iterator[Case]:
    with a_ledger(store_url) as made:
        yield made


@pytest.fixture
def awkward(case: Case) -> Case:
    numbers = {"src_duration": None, "src_charge": None, "price": -LARGEST - 1, "cost": LARGEST}
    rows = [a_row("cdrs", n, tag=text, account=text, **numbers) for n, text in enumerate(AWKWARD)]
    found = a_row("cdrs", 100, src="18585550001", account="'; %s --", flags="missing-opening")
    put(case, "cdrs", [*rows, found])
    return case


def opened(connection: Connection, *columns: str, selection: Selection = SELECTIONS[0]) -> RowStream:
    return RowStream(connection, "cdrs", selection, "UTC", columns=columns)


@pytest.mark.parametrize("columns", [(), ("tag",), ("src_duration",), ("price", "tag", "src_charge")])
def test_lines_become_what_their_rows_become(awkward: Case, columns: tuple[str, ...]) -> None:
    with awkward.store.snapshot() as connection:
        with closing(opened(connection, *columns)) as rows:
            expected = [arrays_of_rows(rows.columns, chunk) for chunk in rows.row_chunks(10)]
        with closing(opened(connection, *columns)) as rows:
            assert list(uncounted_chunks(rows, 10)) == expected
    assert len(expected) == 3


def test_lines_are_of_the_rows_that_are_selected(awkward: Case) -> None:
    counts = []
    for selection in SELECTIONS:
        with awkward.store.snapshot() as connection, closing(opened(connection, selection=selection)) as rows:
            counts.append(sum(len(chunk[0]) for chunk in uncounted_chunks(rows, 10)))
            assert counts[-1] == rows.count()
    assert counts == [len(AWKWARD) + 1, 1, 1, 1, 1, len(AWKWARD) + 1]


@pytest.mark.parametrize("reads_ahead", [False, True])
def test_a_reader_may_leave_and_another_read(case: Case, *, reads_ahead: bool) -> None:
    fill_channels(case, 20_000)
    for _ in range(2):
        with open_row_stream(case.ledger, case.store, "channels", Selection(), reads_ahead=reads_ahead) as rows:
            assert len(next(iter(uncounted_chunks(rows, 10)))[0]) == 10
    with open_row_stream(case.ledger, case.store, "channels", Selection()) as rows:
        assert sum(len(arrays[0]) for arrays in uncounted_chunks(rows, 5_000)) == 20_000


@pytest.mark.only_on("postgres")
def test_a_reader_of_a_copy_may_pause_though_lines_wait_in_the_network(case: Case) -> None:
    """Tests reach the server by a socket, where this setting has no effect: over a network a pause of four seconds would end a copy."""
    settings: list[str] = []
    with case.store.snapshot() as connection:
        event.listen(connection, "before_cursor_execute", lambda *given: settings.append(given[2]))
        with open_copy(connection, select(literal_column("1"))) as lines:
            assert [*lines] == [b'"1"\n']
    assert "SET LOCAL tcp_user_timeout = 0" in settings[0]


@pytest.mark.only_on("postgres")
def test_a_copy_takes_a_percent_sign_for_itself(case: Case) -> None:
    with case.store.snapshot() as connection:
        statement = select(literal_column("'%d'").op("||")(literal_column("'%'")), literal_column("7 % 4"))
        with open_copy(connection, statement) as lines:
            assert list(lines_in_chunks(lines, 10)) == [b'"%d%","3"\n']

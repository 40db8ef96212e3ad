"""Verifying finds every difference between the platform's books and a ledger's, names it, and finds nothing else."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from api.application.rehearsal import expected_books as booking
from api.application.rehearsal import observed_books as finding
from api.application.rehearsal.charged_call import tag_totals
from api.application.rehearsal.expected_books import BooksFile
from api.application.rehearsal.observed_books import ObservedBooks
from api.application.rehearsal.verification import BookDifference, book_differences
from domain.ledger_options import LedgerOptions
from domain.notices.line_number import LINE_RULE_1, LINE_RULE_2
from projections.building.catch_up import catch_up
from projections.stores.generations import open_current
from tests.conftest import SQLITE_FIRST
from tests.support.command import run
from tests.support.database_edits import as_made_before
from tests.support.ledger_databases import ledger_database
from tests.support.ledgers import opened
from tests.support.played_rehearsal import play_into, script


@pytest.fixture(scope="module", params=SQLITE_FIRST)
def compared(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[BooksFile, ObservedBooks]]:
    """Play a rehearsal into a ledger on each kind of store; return the platform's books and the ledger's."""
    with ExitStack() as stack:
        if request.param == "postgres":
            url = stack.enter_context(ledger_database(request.getfixturevalue("postgres")))
        else:
            url = f"sqlite:///{tmp_path_factory.mktemp('compared')}/ledger.db"
        ledger = stack.enter_context(opened(url))
        books = play_into(ledger, script(calls=120))
        read_models = stack.enter_context(closing(open_current(ledger)))
        catch_up(ledger, read_models)
        yield books, finding.read_ledger_books(ledger, read_models)


@pytest.fixture
def books(compared: tuple[BooksFile, ObservedBooks]) -> BooksFile:
    return compared[0]


@pytest.fixture
def found(compared: tuple[BooksFile, ObservedBooks]) -> ObservedBooks:
    return compared[1]


@pytest.fixture
def played(store: str) -> BooksFile:
    """Play a rehearsal into the store, and return the platform's books."""
    with opened(store) as ledger:
        return play_into(ledger, script(calls=120))


@pytest.fixture
def saved(played: BooksFile, tmp_path: Path) -> Callable[[], str]:
    """Return a function that saves the books and names the file."""

    def save() -> str:
        booking.save_books(played, tmp_path / "books.json")
        return str(tmp_path / "books.json")

    return save


def of(what: str, books: BooksFile, found: ObservedBooks) -> list[BookDifference]:
    return [difference for difference in book_differences(books, found) if difference.what == what]


class TestThatAgrees:
    def test_has_no_difference(self, books: BooksFile, found: ObservedBooks) -> None:
        assert list(book_differences(books, found)) == []
        assert books.unfit
        assert books.voicemails

    def test_other_tags_are_nobodys_business(self, books: BooksFile, found: ObservedBooks) -> None:
        stranger = replace(found.rows[0], tag="stranger")
        assert list(book_differences(books, replace(found, rows=[*found.rows, stranger]))) == []

    def test_the_order_of_rows_says_nothing(self, books: BooksFile, found: ObservedBooks) -> None:
        assert list(book_differences(books, replace(found, rows=found.rows[::-1]))) == []

    def test_a_second_rehearsal_in_the_same_ledger_leaves_the_first_one_right(
        self, played: BooksFile, store: str, saved: Callable[[], str]
    ) -> None:
        assert played.calls
        with opened(store) as ledger:
            play_into(ledger, script(seed=8))
        assert run("rehearse", "--books", saved(), "--verify", store).code == 0


class TestOneMillionth:
    def test_in_a_charge_is_found_and_named(self, books: BooksFile, found: ObservedBooks) -> None:
        number, row = next((number, row) for number, row in enumerate(found.rows) if row.cost == row.dest_charge != "")
        more = f"{float(row.cost) + 0.000001:.6f}"
        rows = [*found.rows[:number], replace(row, dest_charge=more, cost=more), *found.rows[number + 1 :]]
        calls = of("call", books, replace(found, rows=rows))
        assert calls == [
            BookDifference("call", row.tag, row.src, column, row.cost, more) for column in ("dest_charge", "cost")
        ]
        assert [each.column for each in of("tag", books, replace(found, rows=rows))] == ["cost"]

    def test_in_billing_alone_is_found_and_named(self, books: BooksFile, found: ObservedBooks) -> None:
        assert found.billing
        total = books.totals[0]
        changed = replace(total, cost=f"{float(total.cost) + 0.000001:.6f}")
        billing = {**found.billing, total.tag: changed}
        assert list(book_differences(books, replace(found, billing=billing))) == [
            BookDifference("billing", total.tag, "", "cost", total.cost, changed.cost)
        ]


class TestACall:
    def test_that_is_there_twice_is_named(self, books: BooksFile, found: ObservedBooks) -> None:
        row = found.rows[3]
        (call,) = of("call", books, replace(found, rows=[*found.rows, row]))
        assert (call.tag, call.src, call.expected, call.found) == (row.tag, row.src, "(none)", row.cost)

    def test_that_is_missing_is_named(self, books: BooksFile, found: ObservedBooks) -> None:
        row = found.rows[3]
        (call,) = of("call", books, replace(found, rows=found.rows[:3] + found.rows[4:]))
        assert (call.tag, call.src, call.expected, call.found) == (row.tag, row.src, row.cost, "(none)")

    @pytest.mark.parametrize(
        ("column", "value"), [("disposition", "BUSIER"), ("flags", "odd"), ("dest_duration", "7777")]
    )
    def test_that_is_told_otherwise_is_named_with_the_column(
        self, books: BooksFile, found: ObservedBooks, column: str, value: str
    ) -> None:
        row = found.rows[0]
        rows = [replace(row, **{column: value}), *found.rows[1:]]
        expected = BookDifference("call", row.tag, row.src, column, getattr(row, column), value)
        assert of("call", books, replace(found, rows=rows)) == [expected]

    def test_that_lacks_a_notice_which_costs_nothing_is_named(self, books: BooksFile, found: ObservedBooks) -> None:
        assert found.events
        call = next(call for call in books.calls if "input" in call.sent and call.sort == "single")
        fewer = found.events - type(found.events)([(call.tag, call.src)])
        assert list(book_differences(books, replace(found, events=fewer))) == [
            BookDifference("notices", call.tag, call.src, "events", str(call.events), str(call.events - 1))
        ]

    def test_of_which_a_notice_was_never_answered_is_left_out_with_its_line(
        self, books: BooksFile, found: ObservedBooks
    ) -> None:
        number, call = next(
            (number, call) for number, call in enumerate(books.calls) if call.row and call.sort == "single"
        )
        calls = [*books.calls[:number], replace(call, unsure=True), *books.calls[number + 1 :]]
        totals = tag_totals([each.row for each in calls if each.row and not each.unsure])
        unsure = replace(books, calls=calls, totals=totals)
        without = [row for row in found.rows if (row.tag, row.src) != (call.tag, call.src)]
        assert list(book_differences(unsure, found)) == []
        assert list(book_differences(unsure, replace(found, rows=without))) == []


class TestBesideTheCalls:
    def test_what_is_missing_in_quarantine_is_named(self, books: BooksFile, found: ObservedBooks) -> None:
        assert found.quarantine
        query = books.unfit[0].query
        left = {raw: reason for raw, reason in found.quarantine.items() if raw != query.encode()}
        (difference,) = book_differences(books, replace(found, quarantine=left))
        assert (difference.what, difference.column, difference.found) == ("quarantine", query, "(none)")

    def test_another_reason_in_quarantine_is_named(self, books: BooksFile, found: ObservedBooks) -> None:
        assert found.quarantine
        broken = next(each for each in books.unfit if each.parameter == "srccharge")
        reasons = {**found.quarantine, broken.query.encode(): "src='x': expected something else"}
        (difference,) = book_differences(books, replace(found, quarantine=reasons))
        assert (difference.expected, difference.found) == ("srccharge=", "src='x': expected something else")

    @pytest.mark.parametrize(("times", "said"), [(0, "0 times"), (2, "2 times")])
    def test_a_voicemail_that_is_there_another_number_of_times_is_named(
        self, books: BooksFile, found: ObservedBooks, times: int, said: str
    ) -> None:
        assert found.voicemails
        name = books.voicemails[0]
        counted = type(found.voicemails)({**found.voicemails, name: times})
        assert list(book_differences(books, replace(found, voicemails=counted))) == [
            BookDifference("voicemail", "", "", name, "once", said)
        ]


class TestTheCommand:
    def test_agrees_with_the_store_and_with_the_exported_file(
        self, saved: Callable[[], str], store: str, tmp_path: Path
    ) -> None:
        for where in (store, exported(saved, tmp_path)):
            said = run("rehearse", "--books", saved(), "--verify", where)
            assert (said.code, said.out) == (0, ""), said.out
            assert "the ledger agrees with the expected books" in said.err
            assert "expected in quarantine" in said.err

    def test_agrees_with_a_store_of_any_kind_that_has_read_models(self, store_url: str, tmp_path: Path) -> None:
        with opened(store_url) as ledger:
            booking.save_books(play_into(ledger, script(seed=9)), tmp_path / "books.json")
        said = run("rehearse", "--books", str(tmp_path / "books.json"), "--verify", store_url)
        assert (said.code, said.out) == (0, ""), said.out + said.err

    def test_lists_what_differs_and_exits_with_1(self, saved: Callable[[], str], tmp_path: Path) -> None:
        file = exported(saved, tmp_path)
        lines = Path(file).read_bytes().splitlines(keepends=True)
        Path(file).write_bytes(b"".join([*lines, lines[5]]))
        said = run("rehearse", "--books", saved(), "--verify", file)
        assert said.code == 1
        assert "(all of it)" in said.out
        assert "differences between the ledger and the expected books" in said.err

    @pytest.mark.only_on("sqlite")
    def test_sees_a_read_model_that_was_tampered_with(
        self, saved: Callable[[], str], store: str, tmp_path: Path
    ) -> None:
        exported(saved, tmp_path)
        with closing(sqlite3.connect(tmp_path / "ledger.db.read-1.db")) as connection, connection:
            connection.execute("UPDATE billing SET cost = cost + 1 WHERE account LIKE 'sales%'")
        said = run("rehearse", "--books", saved(), "--verify", store)
        assert (said.code, said.out.count("\nbilling  sales")) == (1, 1)

    def test_refuses_a_file_that_is_no_export_of_cdrs(self, saved: Callable[[], str], tmp_path: Path) -> None:
        (tmp_path / "other.csv").write_text("account,period\r\nsales,2026-10\r\n")
        said = run("rehearse", "--books", saved(), "--verify", str(tmp_path / "other.csv"))
        assert said.code == 2
        assert "has no column tag: expected the CSV of `tringledger export cdrs`" in said.err

    def test_refuses_a_file_whose_texts_were_changed(self, saved: Callable[[], str], tmp_path: Path) -> None:
        assert run("export", "cdrs", "--excel-safe", "-o", str(tmp_path / "cdrs.csv")).code == 0
        said = run("rehearse", "--books", saved(), "--verify", str(tmp_path / "cdrs.csv"))
        assert (said.code, "was exported with --excel-safe" in said.err) == (2, True)

    def test_refuses_a_file_that_is_not_there(self, saved: Callable[[], str]) -> None:
        said = run("rehearse", "--books", saved(), "--verify", "nowhere.csv")
        assert (said.code, "nowhere.csv cannot be read" in said.err) == (2, True)

    def test_refuses_a_ledger_that_correlates_by_tag_alone(self, saved: Callable[[], str], tmp_path: Path) -> None:
        other = f"sqlite:///{tmp_path / 'by-tag.db'}"
        with opened(other, LedgerOptions(correlation="tag")):
            pass
        said = run("rehearse", "--books", saved(), "--verify", other)
        assert said.code == 2
        assert "this ledger's correlation is tag" in said.err


def exported(saved: Callable[[], str], folder: Path) -> str:
    """Export the store that was played into, and name the file."""
    saved()
    assert run("export", "cdrs", "-o", str(folder / "cdrs.csv")).code == 0
    return str(folder / "cdrs.csv")


@pytest.mark.parametrize("rule", [LINE_RULE_1, LINE_RULE_2])
def test_ledgers_of_either_line_rule_agree(store: str, rule: int) -> None:
    with opened(store):
        pass
    if rule == LINE_RULE_1:
        as_made_before(store)
    with opened(store) as ledger, closing(open_current(ledger)) as read_models:
        books = play_into(ledger, script(calls=200))
        assert any(":" in call.src for call in books.calls)
        assert any("," in call.src for call in books.calls)
        catch_up(ledger, read_models)
        assert list(book_differences(books, finding.read_ledger_books(ledger, read_models))) == []

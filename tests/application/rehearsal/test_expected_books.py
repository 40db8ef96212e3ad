"""The platform's books are right: another ledger, slow and obvious, comes to the same from the same notices."""

from collections import Counter
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.application.rehearsal import expected_books as booking
from api.application.rehearsal.charged_call import COLUMNS, SUMMED
from api.application.rehearsal.expected_books import BooksFile, InvalidBooksFile
from api.application.rehearsal.script import Script
from projections.atomic_file import NotWritten
from tests.support.effort import examples
from tests.support.model.call import Line
from tests.support.model.ledger import Model, Outcome
from tests.support.model.money import bills
from tests.support.notices import KEY
from tests.support.played_rehearsal import FORMULA, in_order, play, script

STATUSES = {"recorded": 200, "duplicate": 200, "refused": 400}
SEEDS = st.integers(0, 10**6)


def status(outcome: Outcome) -> int:
    unfit = 403 if outcome.reason == "signature" else 202
    return STATUSES.get(outcome.kind, unfit)


def played(asked: Script, formula: str = FORMULA) -> tuple[BooksFile, Model]:
    plan, books = asked.prepare(formula, KEY)
    model = Model(keys=[KEY], formula=formula)
    document = play(plan, books, lambda at, query: status(model.deliver(at, query)))
    assert not books.unexpected
    return document, model


class TestTheBooksAreTheModels:
    @given(
        st.builds(Script, seed=SEEDS, calls=st.integers(1, 20), rate=st.just(5), speed=st.sampled_from((1, 60, 5000)),
                  chaos=st.booleans()),
        st.sampled_from(("md5-params", "md5-r-key", "hmac-sha256-params", "off")),
    )  # fmt: skip
    def test_for_any_seed_call_by_call_and_per_tag(self, asked: Script, formula: str) -> None:
        document, model = played(asked, formula)
        rows = [{name: row[name] for name in COLUMNS} for row in model.cdrs()]
        owed = [msgspec.to_builtins(call.row) for call in document.calls if call.row]
        assert sorted(rows, key=str) == sorted(owed, key=str)
        months = bills("period", [(row["tag"], "", row) for row in model.cdrs()])
        named = ("calls", "answered", *SUMMED)
        assert [[getattr(total, name) for name in ("tag", *named)] for total in document.totals] == [
            [month[name] for name in ("account", *named)] for month in months
        ]

    @examples(20)
    @given(SEEDS)
    def test_and_how_many_notices_each_line_has(self, seed: int) -> None:
        document, model = played(script(seed, 20))
        kept, sent = Counter[Line](), Counter[Line]()
        for row in model.calls():
            kept[row["tag"], row["src"]] += row["events"]
        for call in document.calls:
            sent[call.tag, call.src] += call.events
        assert kept == sent

    @examples(20)
    @given(SEEDS)
    def test_and_what_is_beside_the_calls(self, seed: int) -> None:
        document, model = played(script(seed, 30))
        system = [event.notice for event, outcome in model.log if outcome.line is None]
        voicemails = [notice.get("voicemail") for notice in system if notice.get("type") == "voicemail"]
        channels = [notice.get("src") for notice in system if notice.get("type") == "deletechannel"]
        assert (sorted(document.voicemails), sorted(document.channels)) == (sorted(voicemails), sorted(channels))
        assert len(document.unfit) == model.counts["quarantined"]


class TestWhatWasNotSent:
    def test_a_lost_cdr_is_not_charged_and_the_call_lacks_it(self) -> None:
        document, _ = played(Script(seed=3, calls=300, rate=5, speed=60, losing=("cdr",)))
        lacking = [call for call in document.calls if call.unsent]
        assert lacking
        assert {(call.row, *call.unsent) for call in lacking} == {(None, "cdr")}
        assert sum(int(total.calls) for total in document.totals) == len(document.calls) - len(lacking)

    def test_a_call_of_which_nothing_was_sent_is_not_in_the_books(self) -> None:
        plan, books = script(calls=40).prepare(FORMULA, KEY)
        for _, sending in list(in_order(plan))[:10]:
            books.begin(sending)
            books.answer(sending, 200)
        assert 0 < len(books.document().calls) <= 10

    @pytest.mark.parametrize("answered", [0, 1, 5, 50])
    def test_what_was_sent_and_not_answered_leaves_its_call_unsure(self, answered: int) -> None:
        plan, books = script(calls=40, chaos=False).prepare(FORMULA, KEY)
        order = [sending for _, sending in in_order(plan)]
        for sending in order[:answered]:
            books.begin(sending)
            books.answer(sending, 200)
        books.begin(order[answered])
        assert books.unanswered == 1
        unsure = [call for call in books.document().calls if call.unsure]
        assert [call.tag for call in unsure] == [dict(order[answered].pairs)["tag"]]


class TestSaved:
    def test_they_are_read_as_they_were(self, tmp_path: Path) -> None:
        document, _ = played(script())
        booking.save_books(document, tmp_path / "books.json")
        assert booking.load_books(tmp_path / "books.json") == document

    @pytest.mark.parametrize("content", ["", "{}", "[1]", '{"version": 1}'])
    def test_what_are_no_books_is_refused(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "books.json").write_text(content)
        with pytest.raises(InvalidBooksFile, match="cannot be read as the books of a rehearsal"):
            booking.load_books(tmp_path / "books.json")

    def test_books_of_another_version_are_refused(self, tmp_path: Path) -> None:
        document, _ = played(script(calls=1))
        booking.save_books(msgspec.structs.replace(document, version=2), tmp_path / "books.json")
        with pytest.raises(InvalidBooksFile, match="version 2 of a rehearsal's books: expected 1"):
            booking.load_books(tmp_path / "books.json")

    def test_a_place_that_cannot_be_written_is_named(self, tmp_path: Path) -> None:
        document, _ = played(script(calls=1))
        with pytest.raises(NotWritten, match="nowhere"):
            booking.save_books(document, tmp_path / "nowhere" / "books.json")

"""``tringledger quarantine``: what waits can be listed, seen whole, and tried again."""

import re
from typing import Any

import pytest

from domain import times
from domain.ledger import Ledger
from tests.support.command import run
from tests.support.ledger_inspection import NOON, head, ids
from tests.support.notices import KEY, OTHER_KEY, callstatus, line, priced_cdr, signed

DONE, FINDING, USAGE = 0, 1, 2


class TestQuarantine:
    """One notice signed with the key that comes later, one broken value, and one good notice."""

    LATER = signed(callstatus(r=1, src="+1 858"), OTHER_KEY)
    BROKEN = signed(priced_cdr(r=2, srccharge="free", note="caf\udce9"))

    @pytest.fixture(autouse=True)
    def imported(self, store: str) -> None:
        lines = [line(query, NOON) for query in (self.LATER, self.LATER, self.BROKEN, signed(callstatus(r=3)))]
        assert run("import", "-", "--store", store, stdin="".join(lines)).code == DONE

    def waiting(self) -> Any:
        return run("quarantine", "list", "--format", "json").json()

    def test_the_list_tells_what_waits_oldest_first(self) -> None:
        first, second = self.waiting()
        assert (first["id"], first["authentic"], first["times"], first["received_at"]) == (1, False, 2, NOON)
        assert first["reason"] == "the signature is wrong or missing"
        assert (second["id"], second["authentic"], second["source"]) == (2, True, "import:stdin")
        assert "expected" in second["reason"]

    def test_the_list_for_people_says_the_same(self) -> None:
        said = run("quarantine", "list")
        assert (said.code, said.err) == (DONE, "2 in quarantine\n")
        assert re.search(rf"^1 +{NOON} +2 +the signature is wrong or missing +import:stdin$", said.out, re.MULTILINE)

    def test_one_can_be_shown_whole(self) -> None:
        said = run("quarantine", "show", "2", "--format", "json").json()
        assert said["raw"] == self.BROKEN
        assert ["srccharge", "free"] in said["parameters"]
        assert ["note", "caf\\xe9"] in said["parameters"]
        said = run("quarantine", "show", "1")
        assert (said.code, self.LATER in said.out) == (DONE, True)
        assert re.search(r"^src +\+1 858$", said.out, re.MULTILINE)

    @pytest.mark.parametrize("number", ["3", "0", "9" * 30])
    def test_one_that_is_not_there_is_a_finding(self, number: str) -> None:
        said = run("quarantine", "show", number)
        assert (said.code, said.out, said.err) == (FINDING, "", f"notice {number} is not in quarantine\n")

    def test_reprocessed_without_a_cure_it_stays(self) -> None:
        said = run("quarantine", "reprocess", "--all")
        assert (said.code, len(self.waiting())) == (FINDING, 2)
        assert said.out.startswith("1: still invalid: the signature is wrong or missing\n2: still invalid: ")

    def test_with_the_key_corrected_it_becomes_an_event_with_its_own_time(self, store: str) -> None:
        said = run("quarantine", "reprocess", "1", TRINGME_PRIVATE_KEY=f"{KEY},{OTHER_KEY}")
        assert (said.code, said.out) == (DONE, "1: recorded, position 2\n")
        with Ledger(store) as ledger:
            event = ledger.notice_at(2)
        assert (event.source, times.iso(event.received_at)) == ("reprocess", NOON)
        assert event.recorded_at > event.received_at
        assert ids(self.waiting()) == [2]

    def test_once_settled_it_is_listed_on_demand_with_its_position(self) -> None:
        run("quarantine", "reprocess", "1", TRINGME_PRIVATE_KEY=OTHER_KEY)
        settled = run("quarantine", "list", "--settled", "--format", "json").json()
        assert [(each["id"], each["position"]) for each in settled] == [(1, 2), (2, None)]

    def test_reprocessed_twice_it_is_one_event(self, store: str) -> None:
        run("quarantine", "reprocess", "1", TRINGME_PRIVATE_KEY=OTHER_KEY)
        said = run("quarantine", "reprocess", "1", TRINGME_PRIVATE_KEY=OTHER_KEY)
        assert (said.code, said.out, head(store)) == (DONE, "1: duplicate, position 2\n", 2)

    def test_where_the_sender_came_again_meanwhile_it_is_a_duplicate_of_that(self, store: str) -> None:
        run("import", "-", stdin=line(self.LATER), TRINGME_PRIVATE_KEY=OTHER_KEY)
        said = run("quarantine", "reprocess", "1", TRINGME_PRIVATE_KEY=OTHER_KEY)
        assert (said.code, said.out, head(store)) == (DONE, "1: duplicate, position 2\n", 2)
        assert ids(self.waiting()) == [2]

    def test_all_that_fit_are_settled_and_a_second_run_finds_nothing(self, store: str) -> None:
        author = ("--by", "kim", "--reason", "a scanner")
        said = run("quarantine", "resolve", "--all", "--cause", "wrong signature", *author)
        assert (said.code, said.out.split()) == (DONE, ["items", "what", "1", "resolved"])
        assert (ids(self.waiting()), head(store)) == ([2], 2)
        again = run("quarantine", "resolve", "--all", "--cause", "wrong signature", *author)
        assert (again.code, again.err, head(store)) == (DONE, "nothing to do: nothing fits\n", 2)
        assert run("quarantine", "resolve", "2", "--all", *author).code == USAGE

    @pytest.mark.parametrize("words", [(), ("1", "--all"), ("1", "77"), ("one",)], ids=" ".join)
    def test_what_names_no_notice_is_wrong_usage_and_reprocesses_none(self, words: tuple[str, ...]) -> None:
        said = run("quarantine", "reprocess", *words, TRINGME_PRIVATE_KEY=OTHER_KEY)
        assert (said.code, said.out, len(self.waiting())) == (USAGE, "", 2)

    def test_what_is_settled_can_be_deleted_and_what_waits_stays(self, store: str) -> None:
        run("quarantine", "reprocess", "1", TRINGME_PRIVATE_KEY=OTHER_KEY)
        for before, deleted in (("2000-01", 0), ("2100-01", 1), ("2100-01-01", 0)):
            said = run("quarantine", "prune", "--settled-before", before)
            assert (said.code, said.err.startswith(f"deleted {deleted} settled notices")) == (DONE, True), said
        assert ids(run("quarantine", "list", "--settled", "--format", "json").json()) == [2]
        again = run("import", "-", stdin=line(self.LATER), TRINGME_PRIVATE_KEY=OTHER_KEY)
        assert (again.err.startswith("0 recorded, 1 duplicate"), head(store)) == (True, 2), again

    def test_without_a_time_that_is_one_nothing_is_deleted(self) -> None:
        run("quarantine", "reprocess", "1", TRINGME_PRIVATE_KEY=OTHER_KEY)
        assert [run("quarantine", "prune", *words).code for words in ((), ("--settled-before", "soon"))] == [
            USAGE,
            USAGE,
        ]
        assert len(run("quarantine", "list", "--settled", "--format", "json").json()) == 2

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            (["--newest"], [2, 1]),
            (["--cause", "wrong signature"], [1]),
            (["--cause", "broken note"], [2]),
            (["--tag", "none-*"], []),
            (["--source", "import:stdin", "--from", NOON[:10], "--through", NOON[:10]], [1, 2]),
            (["--to", NOON[:10]], []),
        ],
    )
    def test_the_list_can_be_filtered(self, filters: list[str], found: list[int]) -> None:
        said = run("quarantine", "list", "--format", "json", *filters)
        assert [each["id"] for each in said.json()] == found
        assert ("00:00 to" in said.err or "up to" in said.err) is bool({"--from", "--to"} & {*filters})

    def test_all_that_fit_a_filter_are_tried_again(self) -> None:
        said = run("quarantine", "reprocess", "--all", "--cause", "wrong signature", TRINGME_PRIVATE_KEY=OTHER_KEY)
        assert (said.code, said.out) == (DONE, "1: recorded, position 2\n")
        both = run("quarantine", "reprocess", "2", "--cause", "wrong signature")
        assert (both.code, "filters go with --all" in both.err) == (USAGE, True)

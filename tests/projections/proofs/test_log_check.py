"""The check of a whole log finds what was changed in place, position by position, and says nothing of a log that holds."""

from collections.abc import Iterator

import pytest

from domain.log import urls
from domain.proofs.checkpoint import Checkpoint
from domain.proofs.keys import SigningKey
from projections.proofs import log_check, log_spans
from projections.proofs.log_check import LogCheck, check_log
from projections.proofs.prover import LogDiverged
from tests.conftest import new_store
from tests.support.model import merkle as model
from tests.support.provers import KEY, World, model_entries, world


def positions(check: LogCheck) -> list[int]:
    return [finding.position for finding in check.findings]


def said(check: LogCheck) -> str:
    return "; ".join(finding.what for finding in check.findings)


@pytest.fixture
def w(store_url: str) -> Iterator[World]:
    """Return a world whose log of 700 events is in the tree, with four checkpoints."""
    with world(store_url) as made:
        for many in (1, 255, 344, 100):
            made.record(many)
            made.run()
        yield made


class TestALogThatHolds:
    def test_gives_its_root_and_counts_its_checkpoints(self, w: World) -> None:
        check = w.check()
        assert (check.holds, check.size, check.head, check.checkpoints) == (True, 700, 700, 4)
        assert check.root == model.root(model_entries(w.ledger))

    def test_holds_checkpoints_from_outside_too(self, w: World) -> None:
        entries = model_entries(w.ledger)
        anchors = [Checkpoint(KEY.name, size, model.root(entries[:size])) for size in (700, 0, 256, 300, 300)]
        assert w.check(*anchors).holds

    def test_may_have_events_that_are_not_in_the_tree_yet(self, w: World) -> None:
        w.record(5)
        check = w.check()
        assert (check.holds, check.size, check.head) == (True, 700, 705)

    def test_is_checked_in_portions(self, w: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(log_spans, "EVENTS_AT_ONCE", 256)
        told: list[int] = []
        with w.store.reading() as rows:
            assert check_log(w.ledger.store, rows, tell=told.append).holds
        assert told == [256, 512, 700]

    def test_may_be_empty(self, store_url: str) -> None:
        with world(store_url) as w:
            check = w.check(Checkpoint(KEY.name, 0, model.root([])))
            assert (check.holds, check.size, check.root) == (True, 0, model.root([]))


class TestAnEvent:
    def test_with_another_content_is_named(self, w: World) -> None:
        w.tamper("UPDATE EVENTS SET state = ? WHERE position IN (1, 300, 700)", b"{}")
        check = w.check()
        assert positions(check) == [1, 300, 700]
        assert "the event at position 300 is not the event in the tree" in said(check)

    def test_with_another_topic_is_named(self, w: World) -> None:
        w.tamper("UPDATE EVENTS SET topic = 'tringledger:call-voided' WHERE position = 257")
        assert positions(w.check()) == [257]

    def test_in_another_stream_is_named(self, w: World) -> None:
        column = "stream" if urls.is_postgres(w.ledger.url) else "originator_id"
        w.tamper(f"UPDATE EVENTS SET {column} = ? WHERE position = 2", "f" * 32)
        assert positions(w.check()) == [2]

    def test_that_changed_places_with_another_is_named_as_is_the_other(self, w: World) -> None:
        for before, after in ((10, -1), (600, 10), (-1, 600)):
            w.tamper(f"UPDATE EVENTS SET position = {after} WHERE position = {before}")
        assert positions(w.check()) == [10, 600]

    def test_that_is_missing_is_named(self, w: World) -> None:
        w.tamper("DELETE FROM EVENTS WHERE position IN (5, 6, 650)")
        check = w.check()
        assert positions(check) == [5, 6, 650]
        assert "the event at position 5 is missing from the log" in said(check)

    def test_missing_at_the_end_is_named(self, w: World) -> None:
        w.tamper("DELETE FROM EVENTS WHERE position > 697")
        assert positions(w.check()) == [698, 699, 700]

    def test_that_replaced_another_after_a_restore_is_named(self, w: World) -> None:
        w.tamper("DELETE FROM EVENTS WHERE position > 697")
        w.record(10)
        assert positions(w.check()) == [698, 699, 700]

    def test_that_changed_makes_no_finding_of_its_neighbours_and_the_checkpoints(self, w: World) -> None:
        w.tamper("UPDATE EVENTS SET state = ? WHERE position = 1", b"{}")
        check = w.check()
        assert (check.found, check.checkpoints) == (1, 4)

    def test_among_very_many_is_counted_where_it_is_not_listed(self, w: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(log_check, "FINDINGS_MAX", 10)
        w.tamper("UPDATE EVENTS SET state = ?", b"{}")
        check = w.check()
        assert (check.found, len(check.findings), check.holds) == (700, 10, False)


class TestATile:
    @pytest.mark.parametrize(("level", "number"), [(0, 0), (0, 2), (1, 0)])
    def test_that_was_changed_is_found(self, w: World, level: int, number: int) -> None:
        with w.store.reading() as rows:
            hashes = rows.read_tile(1, level, number)
        where = f"WHERE level = {level} AND number = {number}"
        w.tamper_proofs(f"UPDATE tiles SET hashes = ? {where}", bytes(32) + hashes[32:])
        check = w.check()
        assert not check.holds
        expected = (
            f"the event at position {number * 256 + 1} is not" if level == 0 else "tile 0 of level 1 does not fit"
        )
        assert expected in said(check)

    def test_that_was_made_to_match_a_forged_event_is_found_by_the_checkpoints(self, w: World) -> None:
        # An event and its leaf tile changed together, all else as signed: what CVE-2026-56865 let pass.
        w.tamper("UPDATE EVENTS SET state = ? WHERE position = 300", b"{}")
        leaf = model.leaf_hash(model_entries(w.ledger)[299])
        with w.store.reading() as rows:
            hashes = rows.read_tile(1, 0, 1)
        forged = hashes[: 43 * 32] + leaf + hashes[44 * 32 :]
        w.tamper_proofs("UPDATE tiles SET hashes = ? WHERE level = 0 AND number = 1", forged)
        check = w.check()
        assert "tile 0 of level 1 does not fit the tiles below it" in said(check)
        assert "the tree does not hold the kept checkpoint of size 600" in said(check)
        assert "of size 256" not in said(check)

    def test_that_is_missing_is_found(self, w: World) -> None:
        w.tamper_proofs("DELETE FROM tiles WHERE level = 0 AND number = 1")
        check = w.check()
        assert "tiles of level 0 are missing or short from position 1 to 700" in said(check)


class TestACheckpoint:
    def test_that_was_changed_is_found(self, w: World) -> None:
        w.tamper_proofs("UPDATE checkpoints SET note = replace(note, ?, ?) WHERE size = 256", "\n256\n", "\n257\n")
        check = w.check()
        assert (check.found, check.checkpoints) == (1, 3)
        assert "the kept checkpoint of size 256 does not hold: the signature of tringledger.example/test" in said(check)

    def test_that_took_the_place_of_another_is_found(self, w: World) -> None:
        w.tamper_proofs("UPDATE checkpoints SET size = 255 WHERE size = 256")
        assert "the kept checkpoint of size 255 does not hold: it says size 256" in said(w.check())

    def test_of_another_key_is_found_where_the_verifier_brings_the_right_one(self, w: World) -> None:
        right = SigningKey(KEY.name, bytes(32)).verifier
        with w.store.reading() as rows:
            check = check_log(w.ledger.store, rows, right)
        assert check.found == 4

    def test_from_outside_of_another_history_is_found(self, w: World) -> None:
        check = w.check(Checkpoint(KEY.name, 300, bytes(32)))
        assert check.found == 1
        assert "the tree does not hold the checkpoint from outside of size 300" in said(check)

    def test_from_outside_that_has_more_events_is_found(self, w: World) -> None:
        check = w.check(Checkpoint(KEY.name, 701, bytes(32)))
        assert "the checkpoint from outside says size 701; the tree has 700: later events are lost" in said(check)


def test_a_text_in_place_of_stored_bytes_is_found_and_keeps_the_log_from_being_signed(
    request: pytest.FixtureRequest,
) -> None:
    with world(new_store("sqlite", request)) as w:
        w.record(3)
        w.run()
        w.tamper("UPDATE EVENTS SET state = 'text' WHERE position = 3")
        assert positions(w.check()) == [3]
        with pytest.raises(LogDiverged, match="from position 3 to 3 is not stored as bytes"):
            w.run()

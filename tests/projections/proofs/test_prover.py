"""The prover takes a log into its tree and signs it, on both stores; it never signs a log that does not continue the tree."""

from contextlib import closing
from itertools import count
from pathlib import Path

import pytest
from sqlalchemy import Connection

from api.application.process_state import ProcessState
from api.application.proofs.prover_settings import ProverSettings
from api.application.proofs.tree_keeper import TreeKeeper
from domain.errors import StoreUnavailable
from domain.proofs.checkpoint import verify_checkpoint
from domain.proofs.entry import hash_leaf
from domain.proofs.keys import SigningKey
from domain.proofs.merkle import verify_inclusion
from domain.proofs.refusals import KeyRefused, ProofRefused
from domain.proofs.tiles import tiles_of
from projections.proofs import prover
from projections.proofs.proof_store import ForeignProofs, open_proofs, path_beside
from projections.proofs.prover import LogDiverged
from projections.proofs.tree_rows import KeptCheckpoint
from projections.stores.sqlite_file import SQLiteFile
from tests.conftest import new_store
from tests.support.ledgers import opened, record
from tests.support.model import merkle as model
from tests.support.notices import SECOND, callstatus
from tests.support.provers import KEY, model_entries, world

DAY_SECONDS = 86_400


class TestAGrowingLog:
    def test_has_the_root_that_the_recursive_definition_gives_its_events(self, store_url: str) -> None:
        with world(store_url) as w:
            for many in (1, 2, 300, 700):
                w.record(many)
                w.run()
                entries = model_entries(w.ledger)
                assert w.state().size == len(entries)
                assert w.checkpoint() == (KEY.name, len(entries), model.root(entries))
            assert w.sizes() == [1, 3, 303, 1003]
            assert [w.root(size) for size in w.sizes()] == [model.root(entries[:size]) for size in w.sizes()]

    def test_is_kept_in_exactly_the_tiles_of_its_size(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(600)
            w.run()
            entries = model_entries(w.ledger)
            with w.store.reading() as rows:
                kept = {tile: rows.read_tile(1, tile.level, tile.number) for tile in tiles_of(600)}
                assert rows.read_tile(1, 0, 3) == b""
                assert rows.read_leaves(1, 0, 2) == b"".join(map(hash_leaf, entries))
            assert kept == {tile: model.tile(tile.level, tile.number, entries) for tile in kept}

    def test_is_taken_in_by_rounds_of_limited_size(self, store_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(prover, "EVENTS_A_ROUND", 100)
        with world(store_url) as w:
            w.record(250)
            rounds = [w.prover.run_round() for _ in range(4)]
            assert [(done.size, done.is_behind) for done in rounds] == [
                (100, True),
                (200, True),
                (250, False),
                (250, False),
            ]
            assert w.root(250) == model.root(model_entries(w.ledger))

    def test_gives_proofs_of_each_event(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(20)
            w.run()
            root = w.checkpoint().root
            with w.store.reading() as rows:
                reader = rows.reader(rows.state())
                for index, entry in enumerate(model_entries(w.ledger)):
                    verify_inclusion(hash_leaf(entry), index, 20, reader.prove_inclusion(index, 20), root)

    def test_that_stands_still_is_not_signed_again(self, store_url: str) -> None:
        with world(store_url) as w:
            assert w.run().checkpoint is None
            w.record(3)
            first = w.run().checkpoint
            assert [w.run().checkpoint, w.run(DAY_SECONDS).checkpoint] == [first, first]
            assert w.sizes() == [3]

    def test_is_signed_at_most_once_an_interval(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(1)
            w.run()
            for _ in range(30):
                w.record(1)
                w.run(seconds=1)
            assert w.sizes() == [1, 11, 21, 31]

    def test_is_signed_though_the_clock_was_set_back(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(1)
            w.run()
            w.record(1)
            w.run(seconds=-3600)
            assert w.sizes() == [1, 2]

    def test_goes_on_in_another_process_where_it_was(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(300)
            w.run()
        with world(store_url) as w:
            w.record(300)
            assert w.run().size == 600
            assert w.root(600) == model.root(model_entries(w.ledger))

    def test_from_before_is_taken_in_whole_and_says_since_when_it_is_proved(self, store_url: str) -> None:
        with world(store_url, key=None) as w:
            w.record(5)
            assert w.run().checkpoint is None
            assert w.state()[:4] == (1, 5, "", "")
            w.prover = w.new_prover()
            w.run()
            state = w.state()
            assert (state.origin, state.vkey) == (KEY.name, KEY.verifier.text)
            assert (state.since_size, state.since_at) == (5, w.now)
            w.record(1)
            w.run()
            assert w.state().since_size == 5


class TestTwoProvers:
    def test_of_one_log_do_no_harm_to_each_other(self, store_url: str) -> None:
        with world(store_url) as w:
            other = w.new_prover()
            for number in range(1, 6):
                w.record(100)
                w.now += 60 * SECOND
                (w.prover if number % 2 else other).run_round()
                w.record(1)
                w.now += 60 * SECOND
                (other if number % 2 else w.prover).run_round()
            assert w.check().holds
            assert w.state().size == 505
            assert w.root(505) == model.root(model_entries(w.ledger))


class TestALogThatDoesNotContinueItsTree:
    def test_is_not_signed_where_its_end_is_missing(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(5)
            w.run()
            w.tamper("DELETE FROM EVENTS WHERE position > 3")
            with pytest.raises(
                LogDiverged, match="ends at position 3, and its tree has 5 events; expected a head of at least 5"
            ):
                w.run()
            assert "ends at position 3" in w.state().diverged
            assert w.sizes() == [5]

    @pytest.mark.parametrize("more", [2, 3, 400])
    def test_is_not_signed_where_its_end_was_replaced_however_far_it_grows(self, store_url: str, more: int) -> None:
        with world(store_url) as w:
            w.record(5)
            w.run()
            w.tamper("DELETE FROM EVENTS WHERE position > 3")
            w.record(more)
            with pytest.raises(LogDiverged, match="the event at position 5 is not the one in the tree; expected leaf"):
                w.run()
            assert (w.state().size, w.sizes()) == (5, [5])

    def test_is_not_signed_where_an_event_is_missing_within(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(5)
            w.run()
            w.record(5)
            w.tamper("DELETE FROM EVENTS WHERE position = 8")
            with pytest.raises(LogDiverged, match="no event at position 8: the next is at 9; expected no gap"):
                w.run()
            assert w.state().size == 5

    def test_is_not_signed_where_its_last_proven_event_is_missing(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(5)
            w.run()
            w.record(1)
            w.tamper("DELETE FROM EVENTS WHERE position = 5")
            with pytest.raises(LogDiverged, match="no event at position 5"):
                w.run()

    def test_is_found_by_a_prover_that_starts_anew_as_well(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(5)
            w.run()
            w.tamper("UPDATE EVENTS SET state = ? WHERE position = 5", b"{}")
        with world(store_url) as w, pytest.raises(LogDiverged, match="the event at position 5 is not the one"):
            w.run()

    def test_is_said_once_in_the_store_and_no_longer_once_the_log_is_whole_again(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(5)
            w.run()
            w.record(2)
            w.tamper("UPDATE EVENTS SET position = 70 WHERE position = 7")
            for _ in range(2):
                with pytest.raises(LogDiverged, match="no event at position 7"):
                    w.run()
            assert w.state().diverged
            w.tamper("UPDATE EVENTS SET position = 7 WHERE position = 70")
            assert w.run().size == 7
            assert not w.state().diverged


class TestATreeThatWasTamperedWith:
    def test_is_not_signed_where_it_does_not_continue_its_last_checkpoint(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(300)
            w.run()
            with w.store.reading() as rows:
                tile = rows.read_tile(1, 1, 0)
            w.tamper_proofs("UPDATE tiles SET hashes = ? WHERE level = 1", bytes(32) + tile[32:])
            w.record(1)
            with pytest.raises(
                ProofRefused, match="does not continue its checkpoint of size 300, so nothing is signed"
            ):
                w.run()
            assert w.sizes() == [300]
            assert w.state().size == 301

    def test_is_not_signed_where_its_last_checkpoint_was_changed(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(3)
            w.run()
            w.tamper_proofs("UPDATE checkpoints SET note = replace(note, ?, ?)", "\n3\n", "\n2\n")
            w.record(1)
            with pytest.raises(ProofRefused, match="so nothing is signed"):
                w.run()

    def test_stands_still_where_a_tile_is_missing(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(3)
            w.run()
            w.tamper_proofs("DELETE FROM tiles")
        with (
            world(store_url) as w,
            pytest.raises(ProofRefused, match="tile 0 of level 0 has 0 hashes; expected at least 3"),
        ):
            w.run()


class TestAKey:
    def test_that_is_not_that_of_earlier_checkpoints_signs_nothing_but_the_tree_grows(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(1)
            w.run()
            w.prover = w.new_prover(SigningKey(KEY.name, bytes(32)))
            w.record(1)
            with pytest.raises(KeyRefused, match=r"checkpoints are signed by tringledger.example/test\+58f3a94d"):
                w.run()
            assert (w.sizes(), w.state().size) == ([1], 2)

    def test_of_another_name_signs_nothing(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(1)
            w.run()
            w.prover = w.new_prover(KEY.named("tringledger.example/other"))
            w.record(1)
            with pytest.raises(KeyRefused, match="expected the same key"):
                w.run()

    def test_signs_nothing_in_a_store_with_the_mark_of_a_copy(self, store_url: str) -> None:
        with world(store_url) as w:
            with w.store.writing() as rows:
                rows.note({"mark": "a copy"})
            w.record(1)
            assert w.run().checkpoint is None
            assert w.state().size == 1


class TestKeptCheckpoints:
    def test_are_thinned_to_one_an_hour_once_they_are_a_day_old(self, store_url: str) -> None:
        with world(store_url) as w:
            start = w.now // (3600 * SECOND) * 3600 * SECOND
            with w.store.writing() as rows:
                for number in range(1, 25):
                    rows.put_checkpoint(KeptCheckpoint(1, number, b"note", start + number * 600 * SECOND))
                rows.thin_checkpoints(1, start + (DAY_SECONDS + 14_400) * SECOND)
            assert w.sizes() == [5, 11, 17, 23, 24]

    def test_keep_their_notes_as_they_are(self, store_url: str) -> None:
        with world(store_url) as w:
            w.record(1)
            w.run()
            with w.store.writing() as rows:
                last = rows.last_checkpoint(1)
                assert last
                assert verify_checkpoint(last.note, KEY.verifier).checkpoint.size == 1
                more = last._replace(note=last.note + "— another.example AAAA\n".encode())
                rows.put_checkpoint(more)
                assert rows.last_checkpoint(1) == more
                assert rows.last_checkpoint(1, size_max=0) is None
                assert rows.last_checkpoint(2) is None


class TestAStoreOfProofs:
    def test_of_another_ledger_is_refused(self, store_url: str) -> None:
        with world(store_url):
            pass
        with pytest.raises(ForeignProofs, match=r"are of ledger .*; expected another"):
            open_proofs(store_url, "another")

    def test_of_another_schema_is_refused(self, store_url: str) -> None:
        with world(store_url) as w:
            w.tamper_proofs("UPDATE facts SET value = '2' WHERE name = 'schema'")
            with pytest.raises(ForeignProofs, match="are of schema 2; expected 1"):
                open_proofs(store_url, w.ledger.id)

    def test_keeps_nothing_of_a_transaction_that_fails(self, store_url: str) -> None:
        with world(store_url) as w:

            def fail() -> None:
                with w.store.writing() as rows:
                    rows.note({"size": 7})
                    rows.connection.exec_driver_sql("SELECT * FROM nothing")

            with pytest.raises(StoreUnavailable, match="nothing"):
                fail()
            assert w.state().size == 0

    def test_sees_one_moment_while_it_is_read(self, store_url: str) -> None:
        with world(store_url) as w, w.store.reading() as rows:
            assert rows.state().size == 0
            w.record(3)
            w.run()
            assert rows.state().size == 0
            assert rows.last_checkpoint(1) is None

    def test_in_a_file_that_was_deleted_is_not_written_on(self, request: pytest.FixtureRequest) -> None:
        url = new_store("sqlite", request)
        with world(url) as w:
            w.record(1)
            w.run()
            path_beside(Path(w.ledger.path)).unlink()
            w.record(1)
            with pytest.raises(StoreUnavailable, match="moved, deleted or replaced while they were open"):
                w.run()

    def test_in_a_database_can_be_read_and_written_by_a_role_that_may_make_no_schema(self, database: str) -> None:
        with opened(database) as ledger:
            open_proofs(database, ledger.id).close()
            limited = database.replace("postgres@", "prover@")
            with world(database) as w:
                w.tamper("CREATE ROLE prover LOGIN")
                try:
                    w.tamper("GRANT USAGE ON SCHEMA tringledger_proofs TO prover")
                    w.tamper("GRANT ALL ON ALL TABLES IN SCHEMA tringledger_proofs TO prover")
                    open_proofs(limited, ledger.id).close()
                finally:
                    w.tamper("DROP OWNED BY prover")
                    w.tamper("DROP ROLE prover")

    def test_in_a_database_is_kept_by_a_role_that_can_only_read_the_log(self, database: str) -> None:
        """So whoever owns the database or the service cannot sign."""
        with world(database) as w:
            w.record(10)
            w.tamper("CREATE ROLE signer LOGIN")
            try:
                for schema, rights in (("tringledger", "SELECT"), ("tringledger_proofs", "ALL")):
                    w.tamper(f"GRANT USAGE ON SCHEMA {schema} TO signer")
                    w.tamper(f"GRANT {rights} ON ALL TABLES IN SCHEMA {schema} TO signer")
                with world(database.replace("postgres@", "signer@")) as signing:
                    signing.run()
                    with pytest.raises(StoreUnavailable, match="permission denied"):
                        signing.record(1)
                assert w.checkpoint().size == 10
            finally:
                w.tamper("DROP OWNED BY signer")
                w.tamper("DROP ROLE signer")


@pytest.mark.only_on("sqlite")
def test_a_full_disk_for_the_tree_stops_no_recording_and_the_tree_catches_up_once_there_is_room(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(store_url) as ledger, closing(TreeKeeper(ledger, ProverSettings())) as keeper:
        numbers = count(1)

        def hear(many: int) -> None:
            record(ledger, *(callstatus("SRCRINGING", next(numbers) * 3600 * SECOND) for _ in range(many)))

        hear(10)
        assert keeper.run_once() == ProcessState(10, "")
        with monkeypatch.context() as patch:
            begin = SQLiteFile._begin_writing

            def begin_on_a_full_disk(self: SQLiteFile, connection: Connection) -> None:
                begin(self, connection)
                connection.exec_driver_sql("PRAGMA max_page_count = 1")

            patch.setattr(SQLiteFile, "_begin_writing", begin_on_a_full_disk)
            hear(1000)
            assert "full" in keeper.run_once().failure
            hear(1000)
            assert "full" in keeper.run_once().failure
        assert keeper.catch_up() == ProcessState(2010, "")
        assert ledger.head() == 2010

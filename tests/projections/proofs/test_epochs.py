"""A log that lost signed events goes on in a second epoch, on both stores: its own tree, and the old one as evidence."""

from collections.abc import Iterator
from random import Random

import pytest

from domain.errors import CommandRejected
from domain.proofs.checkpoint import sign_checkpoint, verify_checkpoint
from domain.proofs.keys import SigningKey, VerifierKey
from domain.proofs.merkle import verify_inclusion
from domain.proofs.refusals import ProofRefused
from domain.proofs.tiles import Tile
from projections.proofs.epochs import begin_epoch, next_epoch
from projections.proofs.prover import LogDiverged
from tests.support.model import merkle as model
from tests.support.provers import KEY, World, model_entries, world


def fork(w: World) -> str:
    """Begin the next epoch, and return the key of its checkpoints."""
    with w.store.reading() as rows:
        epoch = next_epoch(w.ledger.store, rows)
    with w.store.writing() as rows:
        begin_epoch(rows, epoch)
    return epoch.vkey


def lose(w: World, after: int) -> None:
    w.tamper("DELETE FROM EVENTS WHERE position > ?", after)


@pytest.mark.parametrize("kept", [0, 1, 255, 256, 257, 300, 511, 512])
def test_a_second_epoch_has_the_root_of_its_own_events_and_signs_under_its_own_name(store_url: str, kept: int) -> None:
    with world(store_url) as w:
        w.record(600)
        w.run()
        first = w.checkpoint()
        lose(w, kept)
        w.record(400)
        with pytest.raises(LogDiverged):
            w.run()
        vkey = fork(w)
        w.run()
        entries = model_entries(w.ledger)
        state = w.state()
        assert (state.epoch, state.size, state.origin) == (2, len(entries), f"{KEY.name}/2")
        assert w.root(state.size) == model.root(entries)
        with w.store.reading() as rows:
            last = rows.last_checkpoint(2)
            assert last
            signed = verify_checkpoint(last.note, VerifierKey.parse(vkey)).checkpoint
            assert signed == (f"{KEY.name}/2", len(entries), model.root(entries))
            reader = rows.reader(state)
            for index in {0, kept - 1, kept, len(entries) - 1} - {-1}:
                verify_inclusion(
                    model.leaf_hash(entries[index]),
                    index,
                    len(entries),
                    reader.prove_inclusion(index, len(entries)),
                    signed.root,
                )
            old = rows.last_checkpoint(1)
            assert old
            assert verify_checkpoint(old.note, KEY.verifier).checkpoint == first, "the old epoch stays as evidence"
        assert w.check().holds


def test_epochs_follow_on_each_other_whatever_is_lost(store_url: str) -> None:
    random = Random(7)
    with world(store_url) as w:
        w.record(300)
        w.run()
        for epoch in (2, 3, 4):
            lose(w, random.randrange(w.ledger.head()))
            w.record(random.randrange(1, 500))
            fork(w)
            w.run()
            assert w.state().epoch == epoch
            assert w.root(w.state().size) == model.root(model_entries(w.ledger))
            assert w.check().holds


class TestTheEvidenceOfAnOlderEpoch:
    @pytest.fixture(autouse=True)
    def forked(self, store_url: str) -> Iterator[None]:
        """Lose 100 of 600 signed events, and go on in a second epoch."""
        with world(store_url) as self.w:
            self.w.record(300)
            self.w.run()
            self.w.record(300)
            self.w.run()
            lose(self.w, 500)
            fork(self.w)
            self.w.record(50)
            self.w.run()
            yield

    def said(self) -> list[str]:
        return [finding.what for finding in self.w.check().findings]

    def test_is_verified_again_with_the_checkpoints_of_both_epochs(self) -> None:
        check = self.w.check()
        assert (check.holds, check.checkpoints) == (True, 3)

    def test_does_not_hold_with_a_changed_leaf_of_a_lost_event(self) -> None:
        with self.w.store.writing() as rows:
            tile = rows.read_tile(1, 0, 2)
            rows.put_tiles(1, [Tile(0, 2, tile[:-32] + bytes(32))])
        (said,) = self.said()
        assert "the tree does not hold the kept checkpoint (epoch 1) of size 600" in said

    def test_does_not_hold_with_a_changed_checkpoint_or_one_of_another_log(self) -> None:
        with self.w.store.writing() as rows:
            kept = rows.last_checkpoint(1)
            assert kept
            other = sign_checkpoint(300, bytes(32), SigningKey("another.example/log", KEY.seed)).encode()
            rows.put_checkpoint(kept._replace(note=kept.note.replace(b"600", b"601", 1)))
            rows.put_checkpoint(kept._replace(size=300, note=other))
        first, second = self.said()
        assert "(epoch 1) of size 300 does not hold: the checkpoint is of the log 'another.example/log'" in first
        assert "(epoch 1) of size 600 does not hold: the signature of" in second


def test_the_first_checkpoint_of_an_epoch_continues_what_was_signed_before_or_nothing_is_signed(store_url: str) -> None:
    with world(store_url) as w:
        w.record(300)
        w.run()
        w.record(300)
        w.run()
        lose(w, 500)
        fork(w)
        # An event that both epochs have is changed, and the leaf of the new epoch made to fit, before that has signed.
        w.tamper("UPDATE EVENTS SET topic = 'tringledger:cdr-recorded' WHERE position = 290")
        leaf, place = model.leaf_hash(model_entries(w.ledger)[289]), (289 - 256) * 32
        with w.store.writing() as rows:
            tile = rows.read_tile(2, 0, 1)
            rows.put_tiles(2, [Tile(0, 1, tile[:place] + leaf + tile[place + 32 :])])
        (finding,) = w.check().findings
        assert "the tree does not hold the checkpoint that it shares with the epoch before of size 300" in finding.what
        w.record(10)
        w.prover = w.new_prover()
        with pytest.raises(ProofRefused, match="does not continue its checkpoint of size 300, so nothing is signed"):
            w.run()
        assert w.sizes() == [300, 600]


def test_a_whole_log_and_one_changed_in_place_are_not_forked(store_url: str) -> None:
    with world(store_url) as w:
        w.record(20)
        w.run()
        with pytest.raises(CommandRejected, match="nothing to fork"):
            fork(w)
        w.tamper("UPDATE EVENTS SET topic = 'tringledger:cdr-recorded' WHERE position = 3")
        lose(w, 15)
        with pytest.raises(CommandRejected, match="position 3 was changed in place"):
            fork(w)


def test_a_log_that_was_never_signed_goes_on_under_its_own_name(store_url: str) -> None:
    with world(store_url, None) as w:
        w.record(20)
        w.run()
        lose(w, 10)
        assert fork(w) == ""
        w.prover = w.new_prover(KEY)
        w.run()
        assert w.state().origin == KEY.name
        assert w.check().holds

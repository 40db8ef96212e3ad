"""A log that lost signed events goes on in a second epoch, on both stores: its own tree, and the old one as evidence."""

from random import Random

import pytest

from domain.errors import CommandRejected
from domain.proofs.checkpoint import verify_checkpoint
from domain.proofs.keys import VerifierKey
from domain.proofs.merkle import verify_inclusion
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

"""The alarms of the proofs: a tree that stays behind, a checkpoint that is overdue, witnesses, a divergence."""

from collections.abc import Iterator

import pytest

from api.application.proofs.proof_status import ProofReader, ProofStatus
from domain import times
from domain.times import SECOND
from tests.support.provers import World, world

CHECKPOINT_SECONDS = 10


@pytest.fixture
def w(store_url: str) -> Iterator[World]:
    """Return a ledger of three events with a signed tree; all happens at the present time."""
    with world(store_url) as made:
        made.now = times.now()
        made.record(3)
        made.run(0)
        yield made


def status(w: World, after_seconds: int = 0, failure: str = "") -> ProofStatus:
    reader = ProofReader(w.ledger, CHECKPOINT_SECONDS)
    try:
        return reader.status(times.now() + after_seconds * SECOND, failure)
    finally:
        reader.close()


class TestATree:
    def test_that_has_all_of_the_log_is_no_alarm_however_long_nothing_came(self, w: World) -> None:
        found = status(w, 100_000)
        assert (found.size, found.lag, found.checkpoint_size, found.problem) == (3, 0, 3, "")
        assert found.since == w.now

    @pytest.mark.parametrize(("seconds", "is_alarm"), [(50, False), (70, True)])
    def test_that_lacks_events_for_more_than_a_minute_is_an_alarm(
        self, w: World, *, seconds: int, is_alarm: bool
    ) -> None:
        w.record(2)
        found = status(w, seconds)
        assert found.lag == 2
        assert ("the proof tree is 2 events and 7" in found.problem) == is_alarm

    def test_that_was_stopped_is_an_alarm_that_says_why(self, w: World) -> None:
        assert status(w, failure="the disk is full").problem == "the proof tree stopped: the disk is full"

    @pytest.mark.parametrize(("seconds", "is_alarm"), [(90, False), (200, True)])
    def test_whose_checkpoint_is_ten_intervals_old_while_the_log_grew_is_an_alarm(
        self, w: World, *, seconds: int, is_alarm: bool
    ) -> None:
        w.prover = w.new_prover(None)
        w.record(1)
        w.run(0)
        found = status(w, seconds)
        assert (found.size, found.checkpoint_size) == (4, 3)
        assert ("s old, and the log has grown since; expected one each 10 s" in found.problem) == is_alarm

    def test_whose_witnesses_did_not_cosign_says_which_and_a_divergence_comes_first(self, w: World) -> None:
        with w.store.writing() as rows:
            rows.note({"witness_failures": "witness.example/w: no answer"})
        assert "not cosigned by all witnesses: witness.example/w" in status(w).problem
        with w.store.writing() as rows:
            rows.note({"diverged": "the log ends at position 2"})
        found = status(w)
        assert (found.diverged, found.problem.startswith("the log has diverged")) == (
            "the log ends at position 2",
            True,
        )

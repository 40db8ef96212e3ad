"""Chaos does everything that it says, stays within what can be told apart, and the same seed does the same again."""

from collections import Counter
from itertools import pairwise

import pytest

from api.application.rehearsal.chaos import Chaos, drop_notices
from api.application.rehearsal.plan import Chain, PlannedRequest, Signer, is_quiet, orderly_plan
from api.application.rehearsal.scenario import Scenario
from api.application.rehearsal.script import LOSSES, Script
from api.application.rehearsal.simulated_call import KINDS, Kind
from domain.errors import NotANotification
from domain.notices import notification
from domain.notices.notification import delivery_key
from domain.notices.signature import FORMULAS, UNCHECKED, Keyring
from tests.support.notices import KEY
from tests.support.played_rehearsal import FORMULA, script


def calm_plan(calls: int = 400, formula: str = FORMULA, seed: int = 7) -> list[Chain]:
    return orderly_plan(Scenario(seed, 5).happenings(calls), 60, Signer(seed, formula, KEY))


def disturbed(calls: int = 400, formula: str = FORMULA, seed: int = 7) -> list[Chain]:
    return Chaos(seed, Signer(seed + 1, formula, KEY)).disturb(calm_plan(calls, formula, seed))


def sendings(plan: list[Chain]) -> list[PlannedRequest]:
    return [sending for chain in plan for sending in chain]


def genuine(plan: list[Chain]) -> list[PlannedRequest]:
    return [sending for sending in sendings(plan) if sending.notified]


class TestTheSameSeed:
    @pytest.mark.parametrize("played", [script(), script(chaos=False)], ids=["chaos", "calm"])
    def test_gives_the_same_requests(self, played: Script) -> None:
        assert played.prepare(FORMULA, KEY)[0] == played.prepare(FORMULA, KEY)[0]

    def test_and_another_one_gives_others(self) -> None:
        one, other = ({sending.query for sending in genuine(disturbed(seed=seed))} for seed in (7, 8))
        assert not one & other


class TestWhatHappens:
    def test_everything_that_is_announced(self) -> None:
        plan = sendings(disturbed())
        assert {sending.what for sending in plan} == {"genuine", "wrong-signature", "broken", "garbage"}
        assert {sending.manner for sending in plan} == {"plain", "slow", "half", "impatient"}
        assert {sending.posted for sending in plan} == {True, False}

    def test_the_same_notice_comes_twice_in_other_words(self) -> None:
        plan = genuine(disturbed())
        times = Counter(delivery_key(sending.pairs) for sending in plan)
        assert set(times.values()) == {1, 2}
        twice = [sending.query for sending in plan if times[delivery_key(sending.pairs)] == 2]
        assert len(set(twice)) > len(twice) / 2, "some with their parameters in another order"

    def test_cdrs_are_signed_again(self) -> None:
        again = [sending for sending in genuine(disturbed()) if sending.notified and sending.notified.signed_before]
        assert {sending.notified.kind for sending in again if sending.notified} == {"cdr"}
        assert len(again) > 20

    def test_notices_overtake_each_other(self) -> None:
        firsts = sorted(
            (notified.call, sending.due, notified.notice)
            for sending in genuine(disturbed())
            if (notified := sending.notified) and not notified.signed_before
        )
        overtaken = sum(one[0] == other[0] and one[2] > other[2] for one, other in pairwise(firsts))
        assert overtaken > 20

    def test_nothing_is_due_within_a_pause_and_much_right_after(self) -> None:
        dues = Counter(sending.due for sending in sendings(disturbed()) if sending.what != "garbage")
        assert max(dues.values()) > 5

    @pytest.mark.parametrize("formula", FORMULAS)
    def test_what_is_unfit_is_unfit_for_the_reason_that_is_noted(self, formula: str) -> None:
        keyring = Keyring(formula, [KEY])
        for sending in sendings(disturbed(200, formula)):
            if sending.what == "wrong-signature":
                assert not keyring.verify(sending.pairs)
            if sending.what == "broken":
                assert keyring.verify(sending.pairs)
                problem = notification.read_notification(sending.query, 0).problem()
                assert problem
                assert problem.name == sending.at_fault

    def test_without_signatures_none_is_wrong(self) -> None:
        assert "wrong-signature" not in {sending.what for sending in sendings(disturbed(formula=UNCHECKED))}

    def test_garbage_in_a_query_is_no_notification(self) -> None:
        raws = {sending.raw for sending in sendings(disturbed(2000)) if sending.raw}
        assert len(raws) == 9
        for raw in raws:
            line = raw.partition(b" HTTP")[0]
            query = line.partition(b"?")[2]
            if raw.startswith(b"GET") and len(query) <= notification.SIZE_MAX_BYTES:
                with pytest.raises(NotANotification):
                    notification.read_notification(query, 0)


class TestALineWithSeveralCalls:
    def test_keeps_its_order_and_a_copy_comes_after_its_first(self) -> None:
        busy = [chain for chain in calm_plan() if not is_quiet(chain)]
        by_line = {chain[0].notified.call: chain for chain in disturbed() if not is_quiet(chain) and chain[0].notified}
        assert busy
        for chain in busy:
            assert chain[0].notified
            kept = list(dict.fromkeys(delivery_key(s.pairs) for s in by_line[chain[0].notified.call] if not again(s)))
            assert kept == [delivery_key(sending.pairs) for sending in chain]

    def test_is_all_in_one_chain(self) -> None:
        busy = {s.notified.call for chain in calm_plan() if not is_quiet(chain) for s in chain if s.notified}
        for chain in disturbed():
            calls = {sending.notified.call for sending in chain if sending.notified}
            assert not calls & busy or (calls <= busy and not is_quiet(chain))

    def test_has_a_cdr_signed_again_only_before_the_next_call_begins(self) -> None:
        seen = 0
        for chain in disturbed(2000):
            for number, sending in enumerate(chain):
                if not is_quiet(chain) and again(sending):
                    seen += 1
                    assert sending.notified
                    assert {s.notified.call for s in chain[:number] if s.notified} <= set(
                        range(sending.notified.call + 1)
                    )
        assert seen > 20


def again(sending: PlannedRequest) -> bool:
    return bool(sending.notified and sending.notified.signed_before)


class TestLoss:
    @pytest.mark.parametrize("kind", KINDS)
    def test_takes_only_the_kinds_that_were_chosen_and_not_all_of_them(self, kind: Kind) -> None:
        before, after = (Counter(s.notified.kind for s in genuine(plan) if s.notified) for plan in lossy(kind))
        lost = before - after
        assert set(lost) == {kind}
        assert lost[kind] < before[kind] / 2

    def test_takes_nothing_where_calls_follow_each_other(self) -> None:
        before, after = lossy(*KINDS)
        for chain, left in zip(before, after, strict=True):
            assert chain == left or is_quiet(chain)

    def test_with_chaos_is_of_all_that_a_call_has_unless_said(self) -> None:
        before, after = sent(Script(seed=1, calls=400, rate=5, speed=60)), sent(script(1, 400))
        assert {kind for kind in KINDS if after[kind] < before[kind]} == set(LOSSES)

    def test_comes_without_chaos_too(self) -> None:
        before = sent(Script(seed=1, calls=400, rate=5, speed=60))
        after = sent(Script(seed=1, calls=400, rate=5, speed=60, losing=("cdr",)))
        assert set(before - after) == {"cdr"}


def lossy(*kinds: Kind) -> tuple[list[Chain], list[Chain]]:
    plan = calm_plan(2000)
    return plan, drop_notices(plan, kinds, 7)


def sent(played: Script) -> Counter[str]:
    """Count the notices of each kind that are ever sent."""
    found = {sending.notified for sending in genuine(played.prepare(FORMULA, KEY)[0]) if sending.notified}
    return Counter(notified.kind for notified in found if not notified.signed_before)

"""The scenario holds what calls do in earnest, and the same seed places the same calls."""

from collections import Counter

import pytest

from api.application.rehearsal import random_charges as cdr
from api.application.rehearsal.plan import Signer, orderly_plan
from api.application.rehearsal.scenario import Scenario
from api.application.rehearsal.simulated_call import KINDS, CallSequence, SimulatedCall
from domain.notices import notification
from domain.notices.line_number import LINE_RULE_2, line_number
from domain.notices.signature import FORMULAS, UNCHECKED, Keyring
from domain.notices.statuses import INPUTS, KNOWN
from tests.support.notices import KEY


def happenings(calls: int = 400, seed: int = 7) -> list[CallSequence]:
    return list(Scenario(seed, 5).happenings(calls))


def placed(calls: int = 400, seed: int = 7) -> list[SimulatedCall]:
    return [call for happening in happenings(calls, seed) for call in happening.calls]


class TestTheCalls:
    def test_are_as_many_as_asked_for(self) -> None:
        for calls in (1, 2, 7, 100):
            assert sum(call.sort not in KINDS for call in placed(calls)) == calls

    def test_are_of_every_sort_and_end_in_every_way(self) -> None:
        sorts = Counter(call.sort for call in placed())
        assert set(sorts) == {"single", "bulk", "again", "flash", "voicemail", "deletechannel"}
        said = {notice.value("status") for call in placed() for notice in call.notices}
        assert said == KNOWN | {""}

    def test_of_a_bulk_share_a_tag_and_begin_together(self) -> None:
        first = [happening for happening in happenings() if happening.calls[0].tag == placed()[0].tag]
        assert len(first) >= 8
        assert {happening.begins for happening in first} == {0}
        assert len({happening.calls[0].src for happening in first}) == len(first)

    def test_from_a_browser_have_no_number_and_are_answered_once_they_are_connected(self) -> None:
        flash = [call for call in placed() if call.sort == "flash"]
        assert not any(dict(notice.pairs).get("src") for call in flash for notice in call.notices)
        for call in flash:
            completed = call.notices[-2].value("status") == "COMPLETED"
            assert [notice.kind for notice in call.notices] == ["opening"] * completed + ["outcome", "cdr"]

    def test_of_one_line_follow_each_other_and_differ_in_their_numbers(self) -> None:
        busy = [happening.calls for happening in happenings() if len(happening.calls) > 1]
        assert busy
        for calls in busy:
            moments = [notice.after for call in calls for notice in call.notices]
            assert moments == sorted(moments)
            assert len({cdr.read_charges(call.notices[-1].pairs) for call in calls}) == len(calls)

    @pytest.mark.parametrize("seed", range(5))
    def test_no_line_is_used_twice_and_tags_carry_the_seed(self, seed: int) -> None:
        lines = [(h.calls[0].tag, h.calls[0].src) for h in happenings(1000, seed) if h.calls[0].sort not in KINDS]
        assert len(set(lines)) == len(lines)
        assert all(tag.endswith(f" r{seed}") for tag, _ in lines)


class TestTheNotices:
    def test_are_all_well_formed(self) -> None:
        for call in placed():
            for notice in call.notices:
                query = notification.encode_query(notice.pairs)
                assert notification.read_notification(query, 0).problem() is None

    def test_spell_a_number_in_many_ways_which_are_one_line(self) -> None:
        spelt = {notice.value("src") for call in placed() for notice in call.notices}
        assert any(" (" in src for src in spelt)
        assert any(src.startswith("+") for src in spelt)
        for call in placed():
            assert {line_number(notice.value("src"), LINE_RULE_2) for notice in call.notices} == {call.src}

    def test_come_from_phones_sip_phones_and_messengers_and_from_several_numbers_at_once(self) -> None:
        single = {call.src for call in placed() if call.sort == "single"}
        assert {src.partition(":")[0] for src in single if ":" in src} == {"sip", "gtalk"}
        assert any(":***@" in src for src in single)
        assert {len(src) for src in single if src.isdigit()} == {11}
        bulk = {call.src for call in placed(2000) if call.sort == "bulk"}
        assert any(src.count(",") == 1 for src in bulk)
        assert any(src.isdigit() for src in bulk)

    def test_carry_digits_only_on_inputs(self) -> None:
        for call in placed():
            for notice in call.notices:
                assert (notice.kind == "input") == (notice.value("status") in INPUTS) == bool(notice.value("p"))


class TestSigning:
    @pytest.mark.parametrize("formula", FORMULAS)
    def test_every_notice_verifies_and_none_is_like_another(self, formula: str) -> None:
        chains = orderly_plan(happenings(60), 60, Signer(7, formula, KEY))
        sendings = [sending for chain in chains for sending in chain]
        assert all(Keyring(formula, [KEY]).verify(sending.pairs) for sending in sendings)
        assert len({sending.query for sending in sendings}) == len(sendings)

    def test_off_signs_nothing(self) -> None:
        chains = orderly_plan(happenings(5), 60, Signer(7, UNCHECKED, ""))
        assert not any("sig" in dict(sending.pairs) for chain in chains for sending in chain)

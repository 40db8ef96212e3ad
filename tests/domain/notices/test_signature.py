"""The signature: the named formulas, several keys at once, and all that does not fit (SPEC 3)."""

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.notices.notification import parse_pairs
from domain.notices.signature import COVERS_ONLY_R, FORMULAS, Keyring, digest, fingerprint, sign
from tests.support import strategies
from tests.support.model import wire as model_wire
from tests.support.model.wire import Pairs, query

KEY = "s3cr3t-private-key"
PAIRS = [("f", "tm"), ("type", "cdr"), ("r", "42"), ("tag", "a b")]
SORTED = ("f=tm", "r=42", "tag=a b", "type=cdr")


def md5(text: str) -> str:
    """Return an MD5 as hexadecimal digits."""
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


EXPECTED = {
    "md5-params": md5("".join(SORTED) + KEY),
    "md5-r-key": md5("42" + KEY),
    "md5-key-r": md5(KEY + "42"),
    "hmac-sha256-params": hmac.new(KEY.encode(), "&".join(SORTED).encode(), "sha256").hexdigest(),
}


class TestGivenOneKeyAndAFormula:
    def test_each_formula_of_the_list_is_there_and_no_other(self) -> None:
        assert set(FORMULAS) == set(EXPECTED)
        assert set(COVERS_ONLY_R) == {"md5-r-key", "md5-key-r"}

    @pytest.mark.parametrize("formula", EXPECTED)
    def test_a_formula_gives_the_digest_that_its_sentence_says(self, formula: str) -> None:
        assert digest(formula, PAIRS, KEY) == EXPECTED[formula]

    @pytest.mark.parametrize("formula", EXPECTED)
    def test_what_was_signed_verifies(self, formula: str) -> None:
        assert sign(formula, PAIRS, KEY) == [*PAIRS, ("sig", EXPECTED[formula])]
        assert Keyring(formula, [KEY]).verify(sign(formula, PAIRS, KEY))

    @pytest.mark.parametrize("formula", COVERS_ONLY_R)
    def test_without_r_a_formula_that_covers_only_r_signs_nothing(self, formula: str) -> None:
        with pytest.raises(ValueError, match=f"{formula} needs the parameter r"):
            sign(formula, [("f", "tm")], KEY)

    @pytest.mark.parametrize("formula", EXPECTED)
    @pytest.mark.parametrize("case", [str.lower, str.upper, str.title])
    def test_a_signature_fits_with_its_digits_in_either_case_and_in_any_order(
        self, formula: str, case: type[str]
    ) -> None:
        pairs = [("sig", case(EXPECTED[formula])), *reversed(PAIRS)]
        verdict = Keyring(formula, [KEY]).verify(pairs)
        assert verdict
        assert (verdict.formula, verdict.key) == (formula, fingerprint(KEY))

    @pytest.mark.parametrize("formula", EXPECTED)
    @pytest.mark.parametrize(
        "sigs",
        [
            [],
            [""],
            ["0" * 32],
            ["é"],
            ["\udcff"],
            ["RIGHT "],
            [" RIGHT"],
            ["RIGHT\n"],
            ["RIGHT", "RIGHT"],
            ["RIGHT", "x"],
        ],
    )
    def test_a_missing_wrong_padded_or_doubled_sig_does_not_fit(self, formula: str, sigs: list[str]) -> None:
        given_sigs = [("sig", sig.replace("RIGHT", EXPECTED[formula])) for sig in sigs]
        assert Keyring(formula, [KEY]).verify([*PAIRS, *given_sigs]) is None

    @pytest.mark.parametrize("formula", EXPECTED)
    def test_a_key_that_differs_does_not_fit(self, formula: str) -> None:
        assert Keyring(formula, [KEY + "x"]).verify([*PAIRS, ("sig", EXPECTED[formula])]) is None

    @pytest.mark.parametrize("formula", ["md5-params", "hmac-sha256-params"])
    @pytest.mark.parametrize("change", [("type", "cdr2"), ("p", ""), ("Sig", "x")])
    def test_the_signature_of_all_parameters_covers_each_of_them(self, formula: str, change: tuple[str, str]) -> None:
        changed = [pair for pair in PAIRS if pair[0] != change[0]] + [change]
        assert Keyring(formula, [KEY]).verify([*changed, ("sig", EXPECTED[formula])]) is None

    @pytest.mark.parametrize("formula", COVERS_ONLY_R)
    def test_the_signature_of_r_covers_nothing_else(self, formula: str) -> None:
        assert Keyring(formula, [KEY]).verify([("f", "tm"), ("r", "42"), ("sig", EXPECTED[formula])])

    @pytest.mark.parametrize("formula", COVERS_ONLY_R)
    def test_without_r_there_is_nothing_that_could_fit(self, formula: str) -> None:
        assert digest(formula, [("f", "tm")], KEY) is None
        assert Keyring(formula, [KEY]).verify([("f", "tm"), ("sig", md5(KEY))]) is None

    @pytest.mark.parametrize("formula", COVERS_ONLY_R)
    def test_an_empty_r_is_an_r(self, formula: str) -> None:
        assert Keyring(formula, [KEY]).verify([("f", "tm"), ("r", ""), ("sig", md5(KEY))])

    def test_values_are_signed_decoded_and_names_compared_by_their_characters(self) -> None:
        pairs = parse_pairs(b"b=%2B+%26&B=1&a%20=2&f=tm")
        assert digest("md5-params", pairs, KEY) == md5("B=1a =2b=+ &f=tm" + KEY)

    def test_a_parameter_given_twice_is_signed_twice_in_the_order_of_delivery(self) -> None:
        assert digest("md5-params", [("b", "2"), ("a", ""), ("b", "1")], KEY) == md5("a=b=2b=1" + KEY)

    def test_what_is_no_utf8_is_signed_as_the_bytes_that_came(self) -> None:
        expected = hashlib.md5(b"f=tmtag=\xff\xc3" + KEY.encode(), usedforsecurity=False).hexdigest()
        pairs = parse_pairs(b"f=tm&tag=%FF%C3&sig=" + expected.encode())
        assert Keyring("md5-params", [KEY]).verify(pairs)

    def test_names_are_sorted_by_their_bytes_even_where_they_are_no_utf8(self) -> None:
        pairs = parse_pairs(b"%C3%A9=1&f=tm&%C0%80=x&%EF%BF%BD=2&%FF=3")
        signed = b"f=tm\xc0\x80=x\xc3\xa9=1\xef\xbf\xbd=2\xff=3"
        assert digest("md5-params", pairs, KEY) == hashlib.md5(signed + KEY.encode(), usedforsecurity=False).hexdigest()

    def test_a_key_that_is_not_ascii_counts_as_its_utf8(self) -> None:
        assert digest("md5-r-key", [("r", "1")], "clé") == md5("1clé")

    @given(strategies.notices(), st.sampled_from(sorted(EXPECTED)), st.sampled_from(["k", "clé", KEY]))
    def test_any_notice_has_the_models_signature(self, pairs: Pairs, formula: str, key: str) -> None:
        assert digest(formula, parse_pairs(query(pairs)), key) == model_wire.sign(pairs, key, formula)

    @given(
        strategies.notices() | strategies.notices().flatmap(strategies.broken).map(lambda broken: list(broken.pairs)),
        st.sampled_from(sorted(EXPECTED)),
        st.sampled_from(["old", "new", "other"]),
        st.integers(0, 2),
    )
    def test_any_notice_is_authentic_just_where_the_model_says_so(
        self, pairs: Pairs, formula: str, key: str, sigs: int
    ) -> None:
        encoded = model_wire.as_bytes(pairs)
        encoded += [(b"sig", model_wire.sign(encoded, key, formula).encode())] * sigs
        verdict = Keyring(formula, ["old", "new"]).verify(parse_pairs(query(encoded)))
        assert (verdict is not None) == model_wire.is_authentic(encoded, ["old", "new"], formula)


class TestGivenSeveralKeys:
    @pytest.mark.parametrize("key", ["old", "new"])
    def test_each_active_key_fits_and_the_verdict_tells_which_it_was(self, key: str) -> None:
        sig = model_wire.sign(PAIRS, key, "md5-params")
        verdict = Keyring("md5-params", ["old", "new"]).verify([*PAIRS, ("sig", sig)])
        assert verdict
        assert verdict.key == fingerprint(key)

    def test_a_key_taken_out_fits_no_more(self) -> None:
        sig = model_wire.sign(PAIRS, "old", "md5-params")
        assert Keyring("md5-params", ["new"]).verify([*PAIRS, ("sig", sig)]) is None

    def test_a_fingerprint_tells_keys_apart_and_gives_none_away(self) -> None:
        assert fingerprint("old") != fingerprint("new")
        assert len(fingerprint(KEY)) == 8
        assert fingerprint("a") not in (md5("a")[:8], hashlib.sha256(b"a").hexdigest()[:8])


class TestGivenNoCheckOrASettingThatIsNone:
    @pytest.mark.parametrize("sigs", [[], ["x"], ["x", "y"]])
    def test_off_takes_everything_and_says_that_nothing_was_checked(self, sigs: list[str]) -> None:
        verdict = Keyring("off").verify([*PAIRS, *[("sig", sig) for sig in sigs]])
        assert verdict
        assert (verdict.formula, verdict.key) == ("off", "")

    def test_a_formula_that_is_none_is_refused_with_the_names_of_those_that_are(self) -> None:
        with pytest.raises(ValueError, match=r"'md5' is not a signature formula: expected one of md5-params, .*, off"):
            Keyring("md5", [KEY])

    @pytest.mark.parametrize("keys", [[], [""], ["a", ""]])
    def test_a_missing_key_is_refused(self, keys: list[str]) -> None:
        with pytest.raises(ValueError, match="the formula md5-params needs a private key"):
            Keyring("md5-params", keys)

"""The notification on the wire: what is one, which values break it, and when two are the same (SPEC 1, 2)."""

import hashlib
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import NotANotification
from domain.notices import notification
from domain.notices.notification import ParameterProblem, delivery_key, parse_pairs, read_notification, unsigned_key
from tests.support import strategies
from tests.support.model import wire as model_wire
from tests.support.model.wire import Pairs, query

DURATIONS = ("srcduration", "destduration")
CHARGES = ("srccharge", "destcharge", "srcsipcharge", "destsipcharge")


def problem_of(*pairs: tuple[str | bytes, str | bytes]) -> ParameterProblem | None:
    """Return what breaks a notification with these pairs after ``f=tm``."""
    encoded = [(model_wire.encoded(name), model_wire.encoded(value)) for name, value in pairs]
    return read_notification(query([(b"f", b"tm"), *encoded]), 0).problem()


def key_of(raw: bytes) -> bytes:
    """Return the delivery key of a raw query."""
    return read_notification(raw, 0).key


@given(st.lists(st.tuples(st.text(), st.text())))
def test_what_is_sent_is_read_back(pairs: list[tuple[str, str]]) -> None:
    assert parse_pairs(notification.encode_query(pairs)) == pairs


# What is a notification at all


@pytest.mark.parametrize("raw", [b"", b"&", b"&&&"])
def test_no_parameters_are_no_notification(raw: bytes) -> None:
    with pytest.raises(NotANotification, match="no parameters"):
        read_notification(raw, 0)


@pytest.mark.parametrize("raw", [b"tag=sales", b"F=tm", b"=tm", b"f%20=tm"])
def test_without_f_it_is_no_notification_and_the_refusal_says_what_was_expected(raw: bytes) -> None:
    with pytest.raises(NotANotification, match="no f: expected f=tm"):
        read_notification(raw, 0)


@pytest.mark.parametrize("value", [b"", b"TM", b"tm+", b"%20tm", b"tm%00", b"xx"])
def test_an_f_that_is_not_exactly_tm_is_no_notification(value: bytes) -> None:
    with pytest.raises(NotANotification, match="expected tm"):
        read_notification(b"type=cdr&f=" + value, 0)


@pytest.mark.parametrize("raw", [b"f=tm&f=tm", b"f=tm&f=x", b"f=x&f=tm"])
def test_f_given_twice_with_tm_among_them_is_a_broken_notification(raw: bytes) -> None:
    problem = read_notification(raw, 0).problem()
    assert problem
    assert (problem.name, problem.expected) == ("f", "each parameter once")


def test_64_parameters_are_a_notification_and_65_are_none() -> None:
    pairs = [("f", "tm"), *[(f"x{number}", "") for number in range(63)]]
    assert len(read_notification(query(pairs), 0).pairs) == 64
    with pytest.raises(NotANotification, match="65 parameters: expected at most 64"):
        read_notification(query([*pairs, ("y", "")]), 0)


def test_empty_segments_are_no_parameters() -> None:
    assert read_notification(b"&&f=tm&&tag=a&", 0).pairs == [("f", "tm"), ("tag", "a")]


def test_the_parameters_are_kept_verbatim_in_the_order_of_delivery() -> None:
    raw = b"zz=%C3%A9+%2b%26&f=tm&Tag=&novalue&a=b=c"
    notification = read_notification(raw, 7)
    assert notification.pairs == [("zz", "é +&"), ("f", "tm"), ("Tag", ""), ("novalue", ""), ("a", "b=c")]
    assert (notification.raw, notification.received_at) == (raw, 7)


@given(st.binary(max_size=40) | st.text(alphabet="f=tm&%+0aé;", max_size=40).map(str.encode))
def test_any_bytes_split_as_in_the_model(raw: bytes) -> None:
    ours = [(n.encode(errors="surrogateescape"), v.encode(errors="surrogateescape")) for n, v in parse_pairs(raw)]
    assert ours == model_wire.split(raw)


# Which values are well-formed


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("value", ["", "0", "060", "000000000", "999999999"])
def test_a_duration_of_up_to_nine_digits_is_accepted(name: str, value: str) -> None:
    assert problem_of((name, value)) is None


@pytest.mark.parametrize("name", DURATIONS)
@pytest.mark.parametrize("value", ["1000000000", "1.0", ".", *strategies.BAD_INTEGERS])
def test_any_other_duration_is_refused_with_name_value_and_what_was_expected(name: str, value: str) -> None:
    problem = problem_of((name, value))
    assert problem == ParameterProblem(name, value, "a whole number of seconds, 0 to 999999999")
    assert str(problem) == f"{name}={value!r}: expected a whole number of seconds, 0 to 999999999"


@pytest.mark.parametrize("name", CHARGES)
@pytest.mark.parametrize("value", ["", "0", "01.50", "0.000001", "999999999", "999999999.999999"])
def test_a_charge_of_up_to_nine_digits_and_six_places_is_accepted(name: str, value: str) -> None:
    assert problem_of((name, value)) is None


@pytest.mark.parametrize("name", CHARGES)
@pytest.mark.parametrize(
    "value", ["0.00015000", "1.8333333333333", "1.0E-5", "1e+8", "1E8", "0." + "1" * 30, "999999999.9999994", "0E99"]
)
def test_a_charge_as_programs_print_floats_is_accepted(name: str, value: str) -> None:
    assert problem_of((name, value)) is None


@pytest.mark.parametrize("name", CHARGES)
@pytest.mark.parametrize(
    "value",
    [
        *("1000000000", "1E9", "999999999.9999995", "1E-100", "1E", "E5", "1.E5", "0." + "1" * 31, "NaN", "+1", "٣"),
        *(" 1", "1 ", "5.", "1 000", *strategies.BAD_DECIMALS),
    ],
)
def test_any_other_charge_is_refused_with_name_value_and_what_was_expected(name: str, value: str) -> None:
    expected = "a decimal below 1000000000, with at most 9 digits before and 30 after the point"
    assert problem_of((name, value)) == ParameterProblem(name, value, expected)


@pytest.mark.parametrize("name", ["tag", "src"])
@pytest.mark.parametrize("character", ["a", "é", "😀", "\n"])
def test_a_tag_or_number_of_256_code_points_is_accepted_and_one_of_257_is_not(name: str, character: str) -> None:
    assert problem_of((name, character * 256)) is None
    problem = problem_of((name, character * 257))
    assert problem
    assert (problem.name, problem.expected) == (name, "at most 256 characters")


@pytest.mark.parametrize("name", ["p", "email", "voicemail", "status", "type", "r", "colour"])
def test_other_texts_may_be_long_empty_or_odd(name: str) -> None:
    assert problem_of((name, "é" * 1000)) is None
    assert problem_of((name, "")) is None
    assert problem_of((name, "\r\n=&;'\x01")) is None


@pytest.mark.parametrize("name", ["SrcDuration", "srcduration ", "srccharge2", "TAG"])
def test_names_are_exact_so_that_others_may_hold_anything(name: str) -> None:
    assert problem_of((name, "x" * 300)) is None


@pytest.mark.parametrize("pair", [("tag", "a\0"), ("p", "\0"), ("colour", "b\0c"), ("col\0our", "x"), ("\0", "")])
def test_a_name_or_value_with_a_zero_character_is_broken(pair: tuple[str, str]) -> None:
    assert problem_of(pair) == ParameterProblem(*pair, "no character U+0000")


@pytest.mark.parametrize("pair", [(b"tag", b"\xff"), (b"colour", b"a\xc3"), (b"\xe9", b"x"), (b"p", b"\xed\xa0\x80")])
def test_invalid_utf8_in_a_name_or_value_is_broken(pair: tuple[bytes, bytes]) -> None:
    problem = problem_of(pair)
    assert problem
    assert problem.expected == "valid UTF-8"


@pytest.mark.parametrize("pair", [(b"tag", b"\xff\xfe"), (b"\xe9", b"x"), (b"\xe9", b"\xff" * 200)])
def test_a_problem_with_bytes_that_are_no_utf8_can_be_written_as_utf8(pair: tuple[bytes, bytes]) -> None:
    problem = problem_of(pair)
    assert str(problem).encode()


def test_a_long_value_is_not_shown_whole() -> None:
    problem = problem_of(("srccharge", "9" * 5000))
    assert problem
    assert len(str(problem)) < 200
    assert problem.value == "9" * 80 + "…"


@pytest.mark.parametrize("second", ["a", "b", ""])
def test_a_parameter_given_twice_is_broken_even_with_the_same_value(second: str) -> None:
    assert problem_of(("tag", "a"), ("src", "1"), ("tag", second)) == ParameterProblem(
        "tag", second, "each parameter once"
    )


@given(strategies.notices())
def test_a_well_formed_notice_has_no_problem(pairs: Pairs) -> None:
    assert read_notification(query(pairs), 0).problem() is None


@given(strategies.notices().flatmap(strategies.broken))
def test_a_broken_notice_has_a_problem_that_names_the_parameter(broken: strategies.Broken) -> None:
    problem = read_notification(query(broken.pairs), 0).problem()
    assert problem
    assert broken.name in (problem.name, "")  # A name that is no UTF-8 has no text.


# When two are the same


def test_the_delivery_key_is_the_sha256_of_the_sorted_percent_encoded_pairs() -> None:
    pairs = [("tag", "Zürich Büro"), ("f", "tm"), ("a/b", "~x&y=z")]
    text = "a%2Fb=~x%26y%3Dz&f=tm&tag=Z%C3%BCrich%20B%C3%BCro"
    assert delivery_key(pairs) == hashlib.sha256(text.encode()).digest()


def test_the_order_of_parameters_and_the_way_they_are_encoded_make_no_difference() -> None:
    assert key_of(b"f=tm&tag=a+b&r=1") == key_of(b"r=1&%66=tm&tag=a%20b")


def test_the_hexadecimal_digits_of_sig_are_the_same_in_either_case_and_nothing_else_is() -> None:
    assert key_of(b"f=tm&sig=AbCdEf09") == key_of(b"f=tm&sig=abcdef09")
    assert key_of(b"f=tm&sig=xyz") != key_of(b"f=tm&sig=XYZ")
    assert key_of(b"f=tm&tag=abc") != key_of(b"f=tm&tag=ABC")
    assert key_of(b"f=tm&sIg=abc") != key_of(b"f=tm&sIg=ABC")


@pytest.mark.parametrize(
    "other",
    [
        b"f=tm&tag=a&r=2&sig=1",
        b"f=tm&tag=a&r=1&sig=2",
        b"f=tm&tag=a&sig=1",
        b"f=tm&tag=a&r=1&sig=1&p=",
        b"f=tm&r=1&sig=1",
    ],
)
def test_any_other_difference_makes_another_notification(other: bytes) -> None:
    assert key_of(other) != key_of(b"f=tm&tag=a&r=1&sig=1")


def test_separators_within_values_cannot_make_two_notifications_one() -> None:
    assert key_of(b"f=tm&a=b%26c%3Dd") != key_of(b"f=tm&a=b&c=d")
    assert key_of(b"f=tm&a%3Db=c") != key_of(b"f=tm&a=b%3Dc")
    assert key_of(b"f=tm&a=%2525") != key_of(b"f=tm&a=%25")


@given(st.lists(st.tuples(st.text(max_size=6), st.text(max_size=6)), min_size=1, max_size=5), st.randoms())
def test_any_pairs_have_the_models_key_in_whatever_order(pairs: list[tuple[str, str]], random: Random) -> None:
    shuffled = random.sample(pairs, len(pairs))
    assert delivery_key(shuffled).hex() == model_wire.delivery_key(pairs)


@given(strategies.notices(), st.text(alphabet="0aAfFgG", max_size=8))
def test_any_notice_has_the_models_key(pairs: Pairs, sig: str) -> None:
    signed = [*pairs, ("sig", sig)]
    assert read_notification(query(signed), 0).key.hex() == model_wire.delivery_key(signed)


# Such queries are nearly plain: what is quick for a plain one must find out where one is not.
NEARLY_PLAIN = st.lists(
    st.sampled_from(
        ["f=tm", "sig=0a", "sig=0A", "sig=", "xsig=a", "a", "a=", "=a", "a1=b", "a-=b", "a=b=c", "a=b", "", "%41=b"]
    )
)


@given(NEARLY_PLAIN)
def test_a_query_has_the_models_key_however_plain_it_is(segments: list[str]) -> None:
    raw = "&".join(["f=tm", *segments]).encode()
    assert key_of(raw).hex() == model_wire.delivery_key(parse_pairs(raw))


def test_bytes_that_are_no_utf8_still_have_a_key_of_their_own() -> None:
    assert key_of(b"f=tm&tag=%FF") != key_of(b"f=tm&tag=%FE")
    assert key_of(b"f=tm&tag=%FF") == key_of(b"tag=\xff&f=tm")


# The delivery key of a row without a signature

texts = st.text(max_size=6)
ROW = ([("f", "tm"), ("tag", "sales")], "import:cdrs.csv", "id=7")


def test_the_key_of_an_unsigned_row_is_the_models() -> None:
    assert unsigned_key(*ROW).hex() == model_wire.unsigned_key(*ROW)


@given(texts, texts, strategies.notices(), strategies.notices())
def test_the_key_of_an_unsigned_row_is_never_a_signed_notifications(
    source: str, row: str, pairs: list[tuple[str, str]], others: list[tuple[str, str]]
) -> None:
    assert unsigned_key(pairs, source, row) not in (delivery_key(pairs), delivery_key(others))


@given(texts, texts, texts, texts)
def test_the_key_of_an_unsigned_row_covers_its_source_and_which_row_it_is(
    source: str, row: str, other_source: str, other_row: str
) -> None:
    pairs = ROW[0]
    same = (source, row) == (other_source, other_row)
    assert (unsigned_key(pairs, source, row) == unsigned_key(pairs, other_source, other_row)) == same

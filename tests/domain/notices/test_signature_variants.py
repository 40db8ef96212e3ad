"""The space of ways to sign: whatever point of it a platform chose is found, from the notification and the key alone."""

import base64
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.notices.notification import encode_query
from domain.notices.signature import FORMULAS, sign
from domain.notices.signature_variants import (
    DIMENSIONS,
    NAMED,
    NoSignature,
    SignatureVariant,
    canonical,
    fits,
    fitting,
    parse_captured,
    size,
)
from tests.support import strategies

Pairs = list[tuple[str, str]]
KEY = "s3cr3t-private-key"
PAIRS = [("f", "tm"), ("type", "cdr"), ("r", "42"), ("tag", "a b+é"), ("status", ""), ("src", "+1858")]

variants = st.builds(SignatureVariant, **{name: st.sampled_from(list(choices)) for name, choices in DIMENSIONS.items()})

# The same space once more, by a hand of its own: on texts, and one step after the other.
LEFT_OUT = {"all": "", "no-f": "f", "no-r": "r", "no-f-r": "fr"}
CASES: dict[str, Callable[[str], str]] = {"as-is": str, "upper": str.upper, "lower": str.lower}
PARTS = {"pairs": "{}={}", "values": "{1}", "both": "{}{}"}


def signed_text(chosen: SignatureVariant, pairs: Pairs) -> str:
    kept = [
        (n, v) for n, v in pairs if (n == "r" if chosen.covered == "r" else n not in list(LEFT_OUT[chosen.covered]))
    ]
    kept = [(n, v) for n, v in kept if v or chosen.empty == "kept"]
    if chosen.form == "raw":
        kept = [(quote_plus(n), quote_plus(v)) for n, v in kept]
    if chosen.order == "sorted":
        kept.sort(key=lambda pair: pair[0].encode())
    if chosen.order == "reversed":
        kept.sort(key=lambda pair: pair[0].encode(), reverse=True)
    shown = [PARTS[chosen.parts].format(CASES[chosen.names](n), CASES[chosen.values](v)) for n, v in kept]
    return chosen.separator.join(shown)


def with_key(chosen: SignatureVariant, text: str, key: str) -> str:
    joint = chosen.separator
    return {
        "last": text + key,
        "first": key + text,
        "both": key + text + key,
        "joined-last": text + joint + key,
        "joined-first": key + joint + text,
        "joined-both": key + joint + text + joint + key,
        "pair": text + joint + "key=" + key,
    }[chosen.key]


def sig(chosen: SignatureVariant, pairs: Pairs, key: str = KEY) -> str:
    text = signed_text(chosen, pairs)
    if chosen.key == "hmac":
        made: Any = hmac.new(key.encode(), text.encode(), chosen.digest)
    else:
        made = hashlib.new(chosen.digest, with_key(chosen, text, key).encode(), usedforsecurity=False)
    return made.hexdigest() if chosen.digits == "hex" else base64.b64encode(made.digest()).decode()


def capture(pairs: Pairs, signature: str) -> bytes:
    return encode_query([*pairs, ("sig", signature)])


def ascii_letters(pairs: Pairs) -> Pairs:
    """Leave only letters whose case all languages agree about: platforms do not agree about the others."""
    return [(name, "".join(c if c.isascii() else "?" for c in value)) for name, value in pairs if name.isascii()]


@given(variants, strategies.notices().map(ascii_letters), st.sampled_from([KEY, "k", "clé"]))
def test_whatever_way_a_platform_signs_is_found_and_all_that_is_found_signs_the_same(
    chosen: SignatureVariant, pairs: Pairs, key: str
) -> None:
    if not signed_text(chosen, pairs) and chosen.covered == "r":
        return  # There is no r to sign, or it is empty and left out.
    signature = sig(chosen, pairs, key)
    notice = parse_captured(capture(pairs, signature))
    found = fitting(notice, [b"another", key.encode()])
    assert canonical(chosen) in found
    assert fits(chosen, notice, [key.encode()])
    assert {sig(each, pairs, key) for each in found} == {signature}
    assert len(set(found)) == len(found)


@given(variants, strategies.notices().map(ascii_letters))
def test_what_is_canonical_signs_alike_and_is_its_own_canon(chosen: SignatureVariant, pairs: Pairs) -> None:
    if signed_text(chosen, pairs):
        assert sig(canonical(chosen), pairs) == sig(chosen, pairs)
    assert canonical(canonical(chosen)) == canonical(chosen)


@pytest.mark.parametrize("formula", FORMULAS)
def test_the_named_formulas_are_points_of_the_space(formula: str) -> None:
    notice = parse_captured(encode_query(sign(formula, PAIRS, KEY)))
    assert fits(NAMED[formula], notice, [KEY.encode()])
    assert NAMED[formula] in fitting(notice, [KEY.encode()])
    assert canonical(NAMED[formula]) == NAMED[formula]
    assert set(NAMED) == set(FORMULAS)


def test_with_another_key_nothing_fits() -> None:
    assert fitting(parse_captured(encode_query(sign("md5-params", PAIRS, "other"))), [KEY.encode()]) == []


def test_bytes_that_are_no_utf8_are_signed_as_they_came() -> None:
    made = hashlib.md5(b"f=tmtag=\xff" + KEY.encode(), usedforsecurity=False).hexdigest()
    assert NAMED["md5-params"] in fitting(parse_captured(b"f=tm&tag=%FF&sig=" + made.encode()), [KEY.encode()])


@pytest.mark.parametrize("write", [str.upper, str.title, str.lower])
def test_hexadecimal_digits_count_in_either_case(write: Callable[[str], str]) -> None:
    notice = parse_captured(capture(PAIRS, write(sig(SignatureVariant(), PAIRS))))
    assert (notice.digest, notice.digits, notice.wanted.hex()) == ("md5", "hex", sig(SignatureVariant(), PAIRS))


def test_base64_counts_with_and_without_padding_url_safe_and_with_a_plus_that_became_a_space() -> None:
    for number in range(50):
        pairs = [("f", "tm"), ("r", str(number))]
        plain = sig(SignatureVariant(digits="base64"), pairs)
        wanted = base64.b64decode(plain)
        url_safe = plain.replace("+", "-").replace("/", "_")
        for written in (plain, plain.rstrip("="), url_safe):
            assert parse_captured(capture(pairs, written)).wanted == wanted
        assert parse_captured(b"f=tm&sig=" + plain.encode()).wanted == wanted


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"f=tm&r=1", "it has 0 sig: expected one"),
        (b"sig=%s&sig=%s" % (b"0" * 32, b"0" * 32), "it has 2 sig: expected one"),
        (b"sig=", "its sig has 0 characters: expected 32, 40 or 64 hexadecimal digits"),
        (b"sig=" + b"x" * 31, "its sig has 31 characters"),
        (b"sig=" + b"g" * 32, "its sig has 32 characters"),
        (b"sig=%ff" + b"0" * 31, "its sig has 32 characters"),
        (b"", "it has 0 sig"),
    ],
)
def test_what_carries_no_signature_is_refused_saying_so(text: bytes, problem: str) -> None:
    with pytest.raises(NoSignature, match=problem):
        parse_captured(text)


def test_a_variant_says_exactly_what_it_is() -> None:
    assert str(NAMED["md5-params"]) == (
        "MD5 (in hexadecimal digits) of the name=value pairs of all parameters but sig, decoded, sorted by name,"
        " joined with nothing, then the private key"
    )
    odd = SignatureVariant(
        "sha256", "base64", "values", "no-f", "dropped", "raw", "delivered", "upper", "lower", "|", "joined-both"
    )
    assert str(odd) == (
        "SHA-256 (in base64) of the values of all parameters but sig and f, without empty values, percent-encoded as"
        " delivered, in the order of delivery, names in upper case, values in lower case, joined with |, between the"
        " private key and the private key, joined likewise"
    )


def test_the_size_counts_each_way_to_sign_once() -> None:
    assert 190_000 < size() < 200_000, "the guide on registering says nearly 200,000"
    assert size() % 6 == 0


def test_a_search_of_the_whole_space_takes_no_more_than_a_moment() -> None:
    notice = parse_captured(capture(PAIRS * 2, "0" * 32))
    began = time.process_time()
    assert fitting(notice, [KEY.encode()]) == []
    assert time.process_time() - began < 2

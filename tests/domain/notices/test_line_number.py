"""The number of a line: what is a phone number loses its separators, and what is none stays as it is (SPEC 6, 9.2)."""

from time import monotonic

import pytest

from domain.notices.line_number import LINE_RULE_1, LINE_RULE_2, hide_password, line_number

PHONES = [
    ("18585550001", "18585550001"),
    ("+1 (858) 555-0001", "18585550001"),
    (" 1.858-5 ", "18585"),
    ("( +1", "1"),
    ("+", ""),
    (" -.()", ""),
    ("", ""),
]


@pytest.mark.parametrize(("src", "expected"), PHONES)
@pytest.mark.parametrize("rule", [LINE_RULE_1, LINE_RULE_2])
def test_a_phone_number_loses_its_separators_and_then_one_leading_plus(src: str, expected: str, rule: int) -> None:
    assert line_number(src, rule) == expected


@pytest.mark.parametrize(
    ("src", "by_rule_1"),
    [
        ("sip:alice@pbx-1.example.com", "sip:alice@pbx1examplecom"),
        ("gtalk:jo.ann@example.com", "gtalk:joann@examplecom"),
        ("18585551212,19125551212", "18585551212,19125551212"),
        ("18585551212, 19125551212", "18585551212,19125551212"),
        ("++1858555", "+1858555"),
        ("1858+555", "1858+555"),
        ("1858+", "1858+"),
        ("\uff11\uff18\uff15\uff18", "\uff11\uff18\uff15\uff18"),
        ("1 \u0663", "1\u0663"),
        ("1\t8", "1\t8"),
        ("1\u00a08", "1\u00a08"),
        ("anonymous caller", "anonymouscaller"),
    ],
)
def test_any_other_address_stays_as_it_is_by_rule_2_only(src: str, by_rule_1: str) -> None:
    assert (line_number(src, LINE_RULE_2), line_number(src, LINE_RULE_1)) == (src, by_rule_1)


@pytest.mark.parametrize(
    ("src", "shown"),
    [
        ("sip:bob:s3cret@pbx.example.com", "sip:bob:***@pbx.example.com"),
        ("SIPS:bob:s3cret@pbx.example.com:5061", "SIPS:bob:***@pbx.example.com:5061"),
        ("sip:bob:s3,cr:e@t@pbx.example.com", "sip:bob:***@pbx.example.com"),
        ("sip:bob:@pbx.example.com", "sip:bob:***@pbx.example.com"),
        ("sip:a:1@x.org,sip:b:2@y.org, sip:c@z.org", "sip:a:***@x.org,sip:b:***@y.org, sip:c@z.org"),
        ("sip:bob@pbx.example.com:5060", "sip:bob@pbx.example.com:5060"),
        ("sip:pbx.example.com:5060", "sip:pbx.example.com:5060"),
        ("gtalk:jo:ann@example.com", "gtalk:jo:ann@example.com"),
        ("gossip:a:b@c", "gossip:a:b@c"),
    ],
)
def test_the_password_of_a_sip_address_is_hidden_by_rule_2(src: str, shown: str) -> None:
    assert (line_number(src, LINE_RULE_2), hide_password(src)) == (shown, shown)
    assert line_number(shown, LINE_RULE_2) == shown


def test_a_text_made_to_be_searched_for_long_is_not() -> None:
    began = monotonic()
    hide_password("@" + "sip:a:" * 3000)
    assert monotonic() - began < 2

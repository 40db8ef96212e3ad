"""The numbers of a CDR by their names, and what they add up to (SPEC 1)."""

import msgspec

from domain.notices.call_notice import NO_CHARGES, CallNotice, Charges, read_call_notice
from domain.notices.line_number import LINE_RULE_1, LINE_RULE_2

CDR = {
    "type": "cdr",
    "srcduration": "1",
    "destduration": "2",
    "srccharge": "3",
    "destcharge": "4.5",
    "srcsipcharge": "5",
    "destsipcharge": "0.000006",
}


def test_each_number_of_a_cdr_has_its_name() -> None:
    assert read_call_notice(CDR, 0).charges == Charges(
        src_seconds=1,
        dest_seconds=2,
        src_charge=3_000_000,
        dest_charge=4_500_000,
        src_credits=5_000_000,
        dest_credits=6,
    )


def test_the_cost_and_the_sip_credits_are_those_of_both_legs() -> None:
    charges = Charges(1, 2, 30, 400, 5_000, 60_000)
    assert (charges.cost, charges.sip_credits) == (430, 65_000)


def test_a_number_that_is_empty_or_missing_is_absent_and_adds_nothing() -> None:
    found = read_call_notice({"type": "cdr", "srccharge": "", "destcharge": "7"}, 0).charges
    assert found is not None
    assert found == NO_CHARGES._replace(dest_charge=7_000_000)
    assert (found.cost, found.sip_credits) == (7_000_000, 0)


def test_a_status_has_no_charges() -> None:
    assert read_call_notice(CDR | {"type": "callstatus"}, 0).charges is None


def test_what_is_missing_is_an_empty_text() -> None:
    nothing = CallNotice(7, is_cdr=False, tag="", src="", status="", digits="", charges=None)
    assert read_call_notice({}, 7) == nothing
    said = msgspec.structs.replace(nothing, status="USERDTMFINPUT")
    assert read_call_notice({"status": "USERDTMFINPUT"}, 7) == said


def test_digits_are_those_of_an_input_that_is_no_cdr() -> None:
    said = {"p": "12#", "tag": "sales", "src": "1"}
    for status, kind, digits in (
        ("USERDTMFINPUT", "callstatus", "12#"),
        ("USERDTMPINPUT", "callstatus", "12#"),
        ("COMPLETED", "callstatus", ""),
        ("USERDTMFINPUT", "cdr", ""),
    ):
        found = read_call_notice(said | {"status": status, "type": kind}, 0)
        assert (found.digits, found.tag, found.src, found.is_cdr) == (digits, "sales", "1", kind == "cdr")


def test_the_line_has_the_number_by_the_rule_of_the_ledger_or_none_where_tags_are_unique() -> None:
    said = read_call_notice({"tag": "sales", "src": "gtalk:jo.ann@example.com"}, 0)
    assert said.line("tag-src", LINE_RULE_1) == ("sales", "gtalk:joann@examplecom")
    assert said.line("tag-src", LINE_RULE_2) == ("sales", "gtalk:jo.ann@example.com")
    assert said.line("tag", LINE_RULE_1) == said.line("tag", LINE_RULE_2) == ("sales", None)

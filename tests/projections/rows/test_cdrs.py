"""The row of a CDR, column by column, and the money of a call before and after a closing (SPEC 7, 9.9)."""

import pytest

from domain import times
from domain.billing.billing_context import BillingContext, Closing
from domain.billing.rating import PublishedTariff, RatedCdr
from domain.billing.tariff import parse_tariff
from domain.calls import call as calls
from domain.calls.call import Call
from domain.events.notice_events import Notice
from domain.notices.line_number import LINE_RULE_1, LINE_RULE_2
from projections.rows.billed_amounts import account_of_call, billed_amount, current_money
from projections.rows.cdrs import amounts_of_cdr, cdr_row
from projections.rows.entry import EntryAmounts
from projections.rows.folded_entries import entry_of_cdr, sum_entries
from projections.rows.posted_amounts import BilledAmount
from tests.support.notices import SECOND, SentNotice, callstatus, cdr

AT = times.parse("2026-10-31T23:30:00Z")
NUMBERS = {"srcduration": "70", "destduration": "61", "srccharge": "1.5", "destcharge": "2", "srcsipcharge": "4"}
NUMBERS |= {"destsipcharge": "5"}
TARIFF = """
[accounts.acme]
timezone = "Europe/Berlin"
[[rules]]
tag = "sales"
account = "acme"
per_minute = 0.7
increment = "60/6"
rounding = { mode = "up", places = 1 }
"""


def given(*notices: SentNotice, line: tuple[str, str | None] = ("sales", "18585550001")) -> Call:
    """Return the call that these notices are, recorded at positions 4, 5, 6 ..."""
    events = [Notice(1, sent.at, sent.at, "callback", "off", "", sent.pairs, line, 2) for sent in notices]
    call = calls.new_call("the-call", events[0])
    for position, event in enumerate(events, start=4):
        call.apply(position, event)
    return call


def moment(seconds: int) -> int:
    """Return the offset of a notice that is received so many seconds after AT."""
    return AT + seconds * SECOND - callstatus().at


def books(*closings: Closing, tariff: str = TARIFF) -> BillingContext:
    published = PublishedTariff(1, parse_tariff(tariff, 1, timezone="UTC", line_rule=LINE_RULE_2), falls_back=True)
    return BillingContext("UTC", LINE_RULE_2, [published], list(closings))


CALL = given(
    callstatus("SRCANSWERED", moment(0)),
    callstatus("COMPLETED", moment(70)),
    cdr(moment(71), "COMPLETED", src="+1 858 555 0001", **NUMBERS),
)
RATED = RatedCdr("acme", "Europe/Berlin", "1", 1, 66, 800_000, 30_000, "")


def due_of(call: Call, rated: RatedCdr = RATED) -> BilledAmount:
    assert call.cdr
    return BilledAmount(rated, "", call.disposition, call.cdr.charges)


def test_each_column_of_a_cdr_has_its_value() -> None:
    row = cdr_row(CALL, due_of(CALL), LINE_RULE_2, ("2026-12", "2026-12-01", "2026-11"))
    assert {name: getattr(row, name) for name in row.__struct_fields__} == {
        "call_id": "the-call",
        "tag": "sales",
        "src": "18585550001",
        "ordinal": 2,
        "disposition": "ANSWERED",
        "status": "COMPLETED",
        "opened_at": AT,
        "answered_at": AT,
        "cdr_at": AT + 71 * SECOND,
        "src_duration": 70,
        "dest_duration": 61,
        "src_charge": 1_500_000,
        "dest_charge": 2_000_000,
        "src_sip_charge": 4_000_000,
        "dest_sip_charge": 5_000_000,
        "cost": 3_500_000,
        "sip_credits": 9_000_000,
        "account": "acme",
        "tariff": "1",
        "billed_seconds": 66,
        "price": 800_000,
        "margin": -2_700_000,
        "period": "2026-12",
        "position": 6,
        "flags": "",
        "day": "2026-12-01",
        "original_period": "2026-11",
        "rounding": 30_000,
        "rule": 1,
        "level": "",
    }
    amounts = EntryAmounts(1, 1, 70, 61, 3_500_000, 9_000_000, 66, 800_000, -2_700_000, 30_000)
    assert amounts_of_cdr(row) == amounts
    entry = entry_of_cdr(row)
    assert tuple(entry) == (
        6, 0, "cdr", "acme", "2026-12", "2026-11", "2026-12-01", "the-call", "sales", "18585550001", "ANSWERED",
        *amounts, "", "1", 1, "", "",
    )  # fmt: skip
    assert list(sum_entries([entry, entry]).values()) == [2 * amount for amount in amounts[:-1]]


def test_under_correlation_by_tag_the_number_is_that_of_the_cdr_without_a_password() -> None:
    call = given(cdr(moment(0), src="+1 858 555 0001"), line=("sales", None))
    assert cdr_row(call, due_of(call), LINE_RULE_2, ("", "", "")).src == "+1 858 555 0001"
    secret = given(cdr(moment(0), src="sip:ann:secret@pbx.example"), line=("sales", None))
    assert cdr_row(secret, due_of(secret), LINE_RULE_2, ("", "", "")).src == "sip:ann:***@pbx.example"
    assert cdr_row(secret, due_of(secret), LINE_RULE_1, ("", "", "")).src == "sip:ann:secret@pbx.example"


def test_absent_numbers_add_nothing() -> None:
    call = given(cdr(moment(0), srcduration=None, destduration=None))
    due = due_of(call, RATED._replace(billed_seconds=None, price=5, rounding=0))
    row = cdr_row(call, due, LINE_RULE_2, ("", "", ""))
    assert amounts_of_cdr(row) == EntryAmounts(1, 0, 0, 0, 0, 0, 0, 5, 5, 0)
    assert (row.src_duration, row.billed_seconds, row.answered_at) == (None, None, None)


class TestTheBilledAmount:
    def test_is_that_of_the_tariff_on_the_day_of_the_accounts_zone(self) -> None:
        due = billed_amount(CALL, books())
        assert due
        assert (due.rated, due.day, due.disposition) == (RATED, "2026-11-01", "ANSWERED")
        assert due.totals == EntryAmounts(1, 1, 70, 61, 3_500_000, 9_000_000, 66, 800_000, -2_700_000, 30_000)
        assert due.key == ("acme", "2026-11")

    def test_without_a_tariff_is_the_cost_on_the_day_of_the_ledgers_zone(self) -> None:
        due = billed_amount(CALL, BillingContext("America/New_York", LINE_RULE_2))
        assert due
        assert (due.day, due.rated.account, due.totals.price, due.totals.margin) == (
            "2026-10-31",
            "sales",
            3_500_000,
            0,
        )

    def test_of_a_void_call_is_0_and_its_cost_stays(self) -> None:
        call = given(cdr(moment(0), **NUMBERS))
        call.voided = True
        due = billed_amount(call, books())
        assert due
        assert due.totals == EntryAmounts(1, 1, 70, 61, 3_500_000, 9_000_000, 0, 0, -3_500_000, 0)
        assert due.rated == RATED._replace(billed_seconds=0, price=0, rounding=0)

    @pytest.mark.parametrize(("status", "answered"), [("DESTBUSY", 0), ("COMPLETED", 1)])
    def test_counts_an_answered_call_as_such(self, status: str, answered: int) -> None:
        due = billed_amount(given(cdr(moment(0), status)), books())
        assert due
        assert due.totals.answered == answered
        assert due.totals[2:7] == (0, 0, 0, 0, 0)

    def test_of_a_call_without_a_cdr_there_is_none(self) -> None:
        assert billed_amount(given(callstatus("SRCANSWERED", moment(0))), books()) is None

    def test_follows_a_rerating(self) -> None:
        context = books().with_more(
            [PublishedTariff(9, parse_tariff(TARIFF.replace("0.7", "1"), 2, timezone="UTC", line_rule=LINE_RULE_2))]
        )
        call = given(cdr(moment(0), **NUMBERS))
        call.rerated = 2
        due = billed_amount(call, context)
        assert due
        assert (due.rated.tariff, due.rated.price) == ("2", 1_100_000)

    def test_of_a_cdr_that_was_moved_to_another_line_is_that_of_the_lines_number(self) -> None:
        by_number = TARIFF.replace('tag = "sales"', 'tag = "sales"\nsrc_prefix = "1858"')
        due = billed_amount(given(cdr(moment(0), src="49", **NUMBERS)), books(tariff=by_number))
        assert due
        assert due.rated.rule == 1

    def test_takes_the_number_of_the_line_or_under_correlation_by_tag_of_the_cdr(self) -> None:
        by_number = TARIFF.replace('tag = "sales"', 'tag = "sales"\nsrc_prefix = "1858"')
        for line in (("sales", "18585550001"), ("sales", None)):
            call = given(cdr(moment(0), src="+1 858 555 0001", **NUMBERS), line=line)
            due = billed_amount(call, books(tariff=by_number))
            assert due
            assert due.rated.rule == 1


class TestTheMoneyOfACall:
    def money(self, *closings: Closing) -> tuple[str, str, str]:
        context = books(*closings)
        row, postings = current_money(CALL, billed_amount(CALL, context), context, 6)
        assert row
        assert postings == []
        return row.period, row.day, row.original_period

    def test_is_in_its_own_month_while_that_is_open(self) -> None:
        assert self.money() == self.money(Closing(2, "2026-10")) == ("2026-11", "2026-11-01", "2026-11")

    def test_is_on_the_first_day_of_the_first_open_month_where_its_own_was_closed_before(self) -> None:
        assert self.money(Closing(2, "2026-11")) == ("2026-12", "2026-12-01", "2026-11")
        assert self.money(Closing(6, "2026-11")) == ("2026-11", "2026-11-01", "2026-11")

    @pytest.mark.parametrize(("rule", "src"), [(LINE_RULE_1, "sip:ann:secret@x"), (LINE_RULE_2, "sip:ann:***@x")])
    def test_has_the_number_by_the_line_rule(self, rule: int, src: str) -> None:
        call = given(cdr(moment(0), src="sip:ann:secret@x"), line=("sales", None))
        context = BillingContext("UTC", rule)
        row, _ = current_money(call, billed_amount(call, context), context, 4)
        assert row
        assert row.src == src

    def test_of_a_call_without_a_cdr_there_is_none(self) -> None:
        assert current_money(given(callstatus("SRCANSWERED", moment(0))), None, books(), 4) == (None, [])


def test_a_call_without_a_cdr_counts_for_the_account_and_month_of_its_beginning() -> None:
    call = given(callstatus("COMPLETED", moment(9)), callstatus("SRCANSWERED", moment(0)))
    assert account_of_call(call, books()) == ("acme", "2026-11")
    assert account_of_call(call, BillingContext("UTC", LINE_RULE_2)) == ("sales", "2026-10")
    assert account_of_call(given(callstatus("SRCANSWERED", moment(0)), line=("ops", None)), books()) == (
        "ops",
        "2026-10",
    )


def test_its_account_is_that_of_the_tariff_that_was_known_when_it_began_or_of_its_rerating() -> None:
    call = given(callstatus("SRCANSWERED", moment(0)))
    later = parse_tariff(TARIFF.replace("acme", "other"), 2, timezone="UTC", line_rule=LINE_RULE_2)
    context = books().with_more([PublishedTariff(5, later, falls_back=True)])
    assert account_of_call(call, context) == ("acme", "2026-11")
    call.rerated = 2
    assert account_of_call(call, context) == ("other", "2026-11")

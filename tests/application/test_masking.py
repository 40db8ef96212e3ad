"""What is masked stays masked: at least half of a number, all that was keyed, and in raw bytes whatever is not known."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.application import masking
from api.processes import job_process
from domain.notices import notification
from projections.building.comparison import RowDifference
from projections.schema.column_kinds import ColumnKind


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        ("18585550001", "185••••••01"),
        ("+1 (858) 555-0001", "+1 (85•••••••••01"),
        ("5550001", "5••••01"),
        ("0001", "••••"),
        ("7", "•"),
        ("", ""),
        ("ann@example.com", "a••••@example.com"),
        ("sip:18585550001@example.com", "s••••@example.com"),
    ],
)
def test_a_number_can_be_told_from_its_neighbours_and_not_be_dialled(number: str, shown: str) -> None:
    assert masking.masked_number(number) == shown


@given(st.text(alphabet="0123456789+-() ", max_size=40))
def test_at_least_half_of_a_number_is_hidden(number: str) -> None:
    shown = masking.masked_number(number)
    assert len(shown) == len(number)
    assert shown.count("•") >= min(len(number), max(4, len(number) / 2))


def test_of_what_was_keyed_and_of_a_voicemail_nothing_is_shown() -> None:
    row = {
        "call_id": "x",
        "src": "18585550001",
        "digits": "1234#",
        "voicemail": "18585550001.wav",
        "email": "",
        "cost": 5,
    }
    assert masking.masked_row(row) == {
        "call_id": "x",
        "src": "185••••••01",
        "digits": "••••",
        "voicemail": "••••",
        "email": "",
        "cost": 5,
    }


def test_of_parameters_those_are_shown_that_say_nothing_of_anybody() -> None:
    pairs = [("f", "tm"), ("tag", "sales"), ("src", "18585550001"), ("p", "4711"), ("callerid", "Ann"), ("sig", "ab")]
    assert masking.masked_parameters(pairs) == [
        ("f", "tm"),
        ("tag", "sales"),
        ("src", "185••••••01"),
        ("p", "••••"),
        ("callerid", "••••"),
        ("sig", "ab"),
    ]


def test_an_act_is_shown_without_the_number_of_its_line_and_without_what_numbers_can_be_tried_against() -> None:
    act = {"by": "ann", "reason": "18585550001 called", "line": ["sales", "18585550001"], "delivery_key": "ab" * 32}
    assert masking.masked_operator_event(act) == {
        "by": "ann",
        "reason": "185••••••01 called",
        "line": ["sales", "185••••••01"],
    }
    assert masking.masked_operator_event({"line": ["sales", None]}) == {"line": ["sales", None]}


def test_where_a_number_stands_in_place_of_an_amount_it_is_masked_all_the_same() -> None:
    pairs = [
        ("srccharge", "call 18585550001"),
        ("destcharge", "123456789.25"),
        ("status", "18585550001"),
        ("r", "1810805110"),
    ]
    assert [value for _, value in masking.masked_parameters(pairs)] == [
        "call 185••••••01",
        "123456789.25",
        "185••••••01",
        "1810805110",
    ]


def test_raw_bytes_are_shown_as_their_parameters_are() -> None:
    raw = b"f=tm&src=%2B18585550001&p=4711&x=1858555%300001&18585550001=&tag=caf%E9&src=1%FF8585550001"
    shown = masking.masked_raw(raw).decode()
    assert shown == "f=tm&src=%2B185••••••01&p=••••&x=••••&185••••••01=&tag=caf%E9&src=1%FF85••••••01"


@given(st.binary(max_size=60))
def test_raw_bytes_of_any_kind_are_masked_without_a_complaint(raw: bytes) -> None:
    masked = notification.parse_pairs(masking.masked_raw(raw))
    for name, value in masked:
        assert name in masking.HARMLESS | masking.MEASURES or set(value) <= {"•"} or name in masking.PARAMETERS


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the customer +1 858 555 0001 called", "the customer +1 85••••••••01 called"),
        ("ask ann@example.com", "ask a••••@example.com"),
        ("srccharge='much': expected a decimal", "srccharge='much': expected a decimal"),
        ("recorded at 2026-10-15T12:00:00.000000Z", "recorded at 2026-10-15T12:00:00.000000Z"),
        ("cost 1234567.125 at position 12345", "cost 1234567.125 at position 12345"),
        ("src='18585550001': expected at most 256", "src='185••••••01': expected at most 256"),
    ],
)
def test_in_a_reason_what_looks_like_a_number_or_an_address_is_masked(text: str, shown: str) -> None:
    assert masking.masked_text(text) == shown


def test_in_the_differences_that_a_job_found_numbers_are_masked() -> None:
    difference = RowDifference("calls", "7", "src", "18585550001", None, ColumnKind.TEXT)
    assert job_process._said(difference) == "calls 7 src: had 185••••••01, the log says None"
    price = RowDifference("cdrs", "7", "price", 1_500_000, 2_000_000, ColumnKind.AMOUNT)
    assert job_process._said(price) == "cdrs 7 price: had 1.5, the log says 2"

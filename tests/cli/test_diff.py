"""``tringledger diff``: what changed between two states of the ledger, and by which events."""

import csv
import io

import pytest

from domain.events.streams import call_id
from domain.ledger import Ledger
from tests.support.command import Said, run
from tests.support.ledgers import opened, record
from tests.support.notices import SRC, START, TAG, callstatus, cdr

DONE, FOUND, USAGE, UNAVAILABLE = range(4)
CALL = call_id((TAG, SRC), 1)
TARIFF = '[[rules]]\ntag = "*"\naccount = "acme"\nper_minute = 6\n'


@pytest.fixture(autouse=True)
def lived(store: str) -> None:
    """A call that is charged at position 3, rated anew at 5, and void from 6 on; at 7 its month is credited 2 cents."""
    with opened(store, clock=lambda: START) as ledger:
        record(
            ledger, callstatus("SRCANSWERED"), callstatus("COMPLETED", 1), cdr(2, srccharge="1.5", destduration="60")
        )
        act(ledger)


def act(ledger: Ledger) -> None:
    with ledger.operator_session("ann", "as agreed") as session:
        session.publish_tariff(TARIFF)
    with ledger.operator_session("ann", "the new price") as session:
        session.rerate_call(CALL, 1)
    with ledger.operator_session("bob", "a test call") as session:
        session.void_call(CALL)
        session.adjust_account("acme", -2_000_000, "2026-10")


def diff(*words: str) -> Said:
    return run("diff", *words)


def rows(said: Said) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(said.out, newline="")))


def test_nothing_changed_between_a_state_and_itself_or_where_no_event_touched_money() -> None:
    for words in (("7",), ("1", "2"), ("3", "4")):
        said = diff(*(word for moment in words for word in ("--as-of", moment)))
        assert (said.code, said.out) == (DONE, "")
        assert "no billing changes between" in said.err


def test_a_rerating_takes_the_call_from_one_account_to_another() -> None:
    said = diff("--as-of", "3", "--as-of", "5", "--format", "csv")
    assert said.code == FOUND
    assert [(row["account"], row["period"], row["calls"], row["price"]) for row in rows(said)] == [
        ("acme", "2026-10", "1", "6"),
        (TAG, "2026-10", "-1", "-1.5"),
    ]


def test_from_nothing_to_the_head_it_is_what_is_billed_now() -> None:
    said = diff("--as-of", "2000-01-01", "--format", "json")
    assert said.json()["from"] == {"position": 0, "at": "2000-01-01T00:00:00.000000Z"}
    assert said.json()["changes"] == run("export", "billing", "--format", "json").json()


def test_the_events_say_who_changed_what_by_how_much_and_why() -> None:
    said = diff("--as-of", "5", "--events", "--format", "csv")
    assert [
        (row["position"], row["event"], row["call_id"], row["by"], row["reason"], row["price"]) for row in rows(said)
    ] == [
        ("6", "call-voided", str(CALL), "bob", "a test call", "-6"),
        ("7", "account-adjusted", "", "bob", "a test call", "-2"),
    ]
    assert [event["position"] for event in diff("--as-of", "5", "--events", "--format", "json").json()["events"]] == [
        6,
        7,
    ]
    assert "+" not in diff("--as-of", "5", "--events").out


def test_what_comes_to_nothing_in_the_end_has_not_changed_but_its_events_are_told(store: str) -> None:
    with opened(store, clock=lambda: START) as ledger, ledger.operator_session("ann", "a mistake") as session:
        session.undo(7)
    said = diff("--as-of", "6", "--events", "--format", "json")
    assert said.code == DONE
    assert (said.json()["changes"], len(said.json()["events"])) == ([], 2)


def test_an_account_or_a_month_may_be_asked_for() -> None:
    assert [row["account"] for row in rows(diff("--as-of", "3", "--account", "acme", "--format", "csv"))] == ["acme"]
    assert diff("--as-of", "0", "--period", "2026-09").code == DONE
    assert diff("--as-of", "0", "--period", "2026-10").code == FOUND


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--as-of", "1", "--as-of", "2", "--as-of", "3"),
        ("--as-of", "3", "--as-of", "2"),
        ("--as-of", "8"),
        ("--as-of", "soon"),
        ("--as-of", "1", "--period", "2026-13"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_wrong_usage(words: tuple[str, ...]) -> None:
    said = diff(*words)
    assert (said.code, said.out) == (USAGE, "")
    assert "expected" in said.err


def test_without_a_ledger_there_is_nothing_to_compare() -> None:
    assert diff("--as-of", "0", "--store", "sqlite:///none.db").code == UNAVAILABLE

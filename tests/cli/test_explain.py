"""``tringledger explain``: which events, tariff version and rules made an amount."""

import pytest

from domain.events.streams import call_id
from tests.support.command import Said, run
from tests.support.ledgers import opened, record
from tests.support.notices import SRC, START, TAG, callstatus, cdr

DONE, FOUND, USAGE = range(3)
CALL = str(call_id((TAG, SRC), 1))
FIRST = '[[rules]]\ntag = "*"\naccount = "acme"\nper_minute = 0.6\nincrement = "30/6"\n'
SECOND = '[[rules]]\ntag = "*"\naccount = "acme"\nmarkup_percent = 20\n'


@pytest.fixture(autouse=True)
def lived(store: str) -> None:
    """A tariff at 1, a call with its CDR at 3, a new tariff at 4, its month closed at 5, and the call rated anew at 6."""
    with opened(store, clock=lambda: START) as ledger:
        with ledger.operator_session("ann", "the first prices") as session:
            session.publish_tariff(FIRST)
        record(ledger, callstatus("SRCANSWERED"), cdr(1, srccharge="1.5", destduration="32"))
        with ledger.operator_session("ann", "the new prices") as session:
            session.publish_tariff(SECOND)
        with ledger.operator_session("ann", "the month is over") as session:
            session.close_month("2026-10")
        with ledger.operator_session("bob", "as agreed") as session:
            session.rerate_call(call_id((TAG, SRC), 1), 2)


def lines(said: Said) -> list[str]:
    return [" ".join(line.split()) for line in said.out.splitlines()]


def test_a_call_is_explained_step_by_step_with_every_price_that_it_had() -> None:
    said = run("explain", CALL)
    assert said.code == DONE
    found = lines(said)
    assert found[0] == f"call {CALL}: tag '{TAG}', src '{SRC}', ordinal 1"
    expected = [
        "3 cdr-recorded skipped version 2: published after the CDR",
        "tariff version 1, published at position 1: the last one before the CDR",
        "rule rule 1, at line 1: the first that fits",
        "leg destination leg: 32 s, counted 30/6, make 36 s 0",
        "minutes 36 s at 0.6 cents a minute 0.36",
        "rounding half-even, to 6 places of a cent 0.36",
        "billed to account acme, 36 s 0.36",
        "posted to 2026-10",
        "6 call-rerated by bob: as agreed tariff version 2, published at position 4: chosen by a rerating",
        "rule rule 1, at line 1: the first that fits",
        "cost 1.5 for the source leg, 0 for the destination leg 1.5",
        "markup 20 percent on the cost 1.8",
        "rounding half-even, to 6 places of a cent 1.8",
        "billed to account acme, 32 s 1.8",
        "posted to 2026-11, for 2026-10; 2026-10 was closed at position 5: the difference, to account acme +1.44",
    ]
    assert found[2 : 2 + len(expected)] == expected
    assert "rule 1 of tariff version 2, as published:" in found


def test_a_price_can_be_explained_as_it_stood_before() -> None:
    assert [price["position"] for price in run("explain", CALL, "--format", "json").json()["prices"]] == [3, 6]
    before = run("explain", CALL, "--format", "json", "--as-of", "5").json()
    assert [(price["position"], price["price"], price["posted_to"]) for price in before["prices"]] == [
        (3, "0.36", "2026-10")
    ]
    assert run("explain", CALL, "--as-of", "2").out.endswith("no CDR, so no price\n")


def test_an_accounts_month_is_what_each_rule_priced_and_what_was_posted_besides() -> None:
    october = run("explain", "--account", "acme", "--period", "2026-10", "--calls", "--format", "json").json()
    assert october["closed_at_position"] == 5
    assert [(rule["tariff"], rule["rule"], rule["price"]) for rule in october["rules"]] == [("1", 1, "0.36")]
    assert (october["postings"], october["total"]["price"]) == ([], "0.36")
    assert [(call["position"], call["call_id"]) for call in october["calls"]] == [(3, CALL)]
    november = run("explain", "--account", "acme", "--period", "2026-11", "--format", "json").json()
    assert [(each["position"], each["price"], each["posted_by"]) for each in november["postings"]] == [
        (6, "1.44", "bob")
    ]
    assert november["closed_at_position"] is None


def test_its_total_is_the_billing_tables_to_the_last_digit() -> None:
    for row in run("export", "billing", "--format", "json").json():
        total = run("explain", "--account", row["account"], "--period", row["period"], "--format", "json").json()[
            "total"
        ]
        assert {name: total[name] for name in total if name in row} == {
            name: row[name] for name in total if name in row
        }


def test_an_accounts_month_is_shown_as_a_table_and_as_of_then() -> None:
    said = run("explain", "--account", "acme", "--period", "2026-11", "--calls")
    assert lines(said)[0] == "account 'acme', 2026-11, not closed"
    assert "difference at position 6 0 0 -4 0 0 0 1.44 1.44" in lines(said)
    before = run("explain", "--account", "acme", "--period", "2026-11", "--as-of", "5")
    assert (before.code, before.out) == (FOUND, "")
    assert "nothing is posted to account 'acme' in 2026-11 as of 5" in before.err


def test_what_is_not_there_is_said() -> None:
    for words in (
        (str(call_id(("none", ""), 1)),),
        (CALL, "--as-of", "1"),
        ("--account", "none", "--period", "2026-10"),
    ):
        said = run("explain", *words)
        assert (said.code, said.out) == (FOUND, "")
        assert said.err.startswith("no")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("none",),
        ("--account", "acme"),
        ("--period", "2026-10"),
        (CALL, "--account", "acme", "--period", "2026-10"),
        (CALL, "--as-of", "7"),
        ("--account", "acme", "--period", "2026-13"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_wrong_usage(words: tuple[str, ...]) -> None:
    said = run("explain", *words)
    assert (said.code, said.out) == (USAGE, "")


def test_in_json_each_step_and_the_rounding_is_a_plain_decimal(store: str) -> None:
    with opened(store, clock=lambda: START) as ledger:
        with ledger.operator_session("ann", "a seventh of a cent cannot be written to its end") as session:
            session.publish_tariff('[[rules]]\ntag = "*"\naccount = "acme"\nper_minute = 15.1\n')
        record(ledger, cdr(2, src="2", destduration="1101"))
    (price,) = run("explain", str(call_id((TAG, "2"), 1)), "--format", "json").json()["prices"]
    assert [(step["step"], step["price"]) for step in price["steps"]] == [
        ("leg", "0"),
        ("minutes", "277.085"),
        ("rounding", "277.085"),
    ]


def test_a_step_that_no_decimal_ends_is_rounded_to_twelve_places_and_the_price_to_six(store: str) -> None:
    with opened(store, clock=lambda: START) as ledger:
        with ledger.operator_session("ann", "prices") as session:
            session.publish_tariff('[[rules]]\ntag = "*"\naccount = "acme"\nper_minute = 16.615\n')
        record(ledger, cdr(2, src="2", destduration="1000"))
    (price,) = run("explain", str(call_id((TAG, "2"), 1)), "--format", "json").json()["prices"]
    assert [(step["step"], step["price"]) for step in price["steps"]][1:] == [
        ("minutes", "276.916666666667"),
        ("rounding", "276.916667"),
    ]
    assert price["steps"][-1]["how"] == "half-even, to 6 places of a cent"
    assert price["price"] == "276.916667"


def test_in_json_a_void_call_ends_with_the_step_that_makes_its_price_0(store: str) -> None:
    with opened(store, clock=lambda: START) as ledger, ledger.operator_session("ann", "a test") as session:
        session.void_call(call_id((TAG, SRC), 1))
    last = run("explain", CALL, "--format", "json").json()["prices"][-1]
    assert (last["steps"][-1]["step"], last["steps"][-1]["price"], last["price"]) == ("void", "0", "0")


class TestTheBeginningOfAnId:
    def test_will_do_in_either_case_and_with_dashes(self) -> None:
        for beginning in (CALL[:4], CALL[:8].upper(), CALL[:20], CALL):
            assert lines(run("explain", beginning))[0].startswith(f"call {CALL}:")

    def test_that_no_call_has_is_said(self) -> None:
        other = "0" * 4 if not CALL.startswith("0000") else "1" * 4
        said = run("explain", other)
        assert (said.code, said.out) == (FOUND, "")
        assert f"no call in this ledger has an id that begins with {other}" in said.err

    @pytest.mark.parametrize("text", ["317", "xyzw", "", CALL + "0", "317c_008"])
    def test_is_at_least_four_hexadecimal_digits(self, text: str) -> None:
        said = run("explain", text)
        assert (said.code, said.out) == (USAGE, "")
        assert "expected the id of a call, or at least its first 4 digits" in " ".join(said.err.split())

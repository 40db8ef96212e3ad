"""A month with a fee and a minimum, from the draft to the closing and after it, through the commands (SPEC 9.15)."""

import json
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from domain.events.codec import decode_operator_event
from domain.events.operator_events import AccountCharge, MonthClosed
from domain.events.streams import CLOSINGS
from domain.ledger import Ledger
from projections.queries.billing_changes import billing_changes
from projections.queries.month_books import load_month_books
from projections.stores.generations import open_current
from tests.support.command import run
from tests.support.notices import line, priced_cdr, signed

pytestmark = pytest.mark.only_on("sqlite")

TARIFF = """
[[rules]]
tag = "*"
account = "acme"
fixed = 10

[accounts.acme]
monthly_fee = [{ from = "2024-10", price = 500, text = "Line rental" }]
monthly_minimum = [{ from = "2024-10", price = 2000 }]

[accounts.idle]
monthly_fee = [{ from = "2024-09", price = 1.5 }]
"""
BY = ("--by", "kim", "--reason", "as agreed")
CENT = 1_000_000


@pytest.fixture
def ledger(store: str, tmp_path: Path) -> Iterator[Ledger]:
    """Two calls of October 2024 at 13.5 cents each, and an adjustment of -100."""
    run("migrate")
    (tmp_path / "ours.toml").write_text(TARIFF)
    assert run("tariff", "publish", str(tmp_path / "ours.toml"), *BY).code == 0
    notices = [signed(priced_cdr(r=number, status="COMPLETED", src=str(number))) for number in (10, 20)]
    assert run("import", "-", stdin="".join(line(each, "2024-10-15T12:00:00.000000Z") for each in notices)).code == 0
    assert run("adjust", "acme", "-100", "--period", "2024-10", *BY).code == 0
    with Ledger(store) as opened:
        yield opened


def statement(account: str, period: str) -> dict[str, Any]:
    said = run("statement", account, period, "--format", "json")
    assert said.code == 0, said.err
    return dict(json.loads(said.out))


def lines(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(each["kind"], each["text"], each["price"]) for each in found["lines"]]


def close(period: str) -> None:
    assert run("close", period, "--by", "kim", "--accept", "all there").code == 0


@pytest.mark.usefixtures("ledger")
def test_a_draft_shows_what_the_closing_then_posts() -> None:
    draft = statement("acme", "2024-10")
    assert draft["state"] == "draft"
    assert lines(draft) == [
        ("calls", "ANSWERED", "27"),
        ("adjustment", "as agreed", "-100"),
        ("fee", "Line rental", "500"),
        ("minimum", "minimum 2000, less fee 500, less calls 27", "1473"),
    ]
    assert draft["due"] == "1900"
    assert statement("idle", "2024-10")["due"] == "1.5"
    assert "fee" not in run("export", "postings", "--format", "csv").out

    close("2024-10")
    (measured,) = run("metrics", "--account", "acme", "--format", "json").json()
    assert (measured["attempts"], measured["fees"], measured["minimums"]) == (2, "500", "1473")
    closed = statement("acme", "2024-10")
    assert (closed["state"], closed["lines"], closed["due"]) == ("closed", draft["lines"], "1900")
    assert [each["version"] for each in closed["tariffs"]] == ["1"]
    # September was closed with October, so it is charged as well.
    assert statement("idle", "2024-09")["lines"] == [
        each | {"day": "2024-09-30"} for each in statement("idle", "2024-10")["lines"]
    ]


def test_the_closings_event_keeps_how_each_charge_was_made_and_books_that_have_it(ledger: Ledger) -> None:
    close("2024-10")
    row = ledger.store.stream(CLOSINGS, ledger.head())[-1]
    event = decode_operator_event(row.topic, row.state)
    assert isinstance(event, MonthClosed)
    assert event.v == 3
    assert event.charges == [
        AccountCharge(
            account="acme", month="2024-10", tariff=1, fee=500 * CENT, fee_text="Line rental", calls=27 * CENT,
            minimum=2000 * CENT, top_up=1473 * CENT,
        ),
        AccountCharge(account="idle", month="2024-09", tariff=1, fee=CENT * 3 // 2, fee_text="monthly fee"),
        AccountCharge(account="idle", month="2024-10", tariff=1, fee=CENT * 3 // 2, fee_text="monthly fee"),
    ]  # fmt: skip
    assert run("export", "billing").code == 0  # Catches up.
    with closing(open_current(ledger)) as store, store.snapshot() as connection:
        assert load_month_books(connection, "", "2024-10") == event.books
    assert [(each.month, each.rows) for each in event.books] == [("2024-09", 1), ("2024-10", 6)]
    moved = [
        (each.account, each.period)
        for each in chain.from_iterable(billing_changes(ledger, row.position - 1, row.position))
    ]
    assert moved == [("acme", "2024-10"), ("idle", "2024-09"), ("idle", "2024-10")]


@pytest.mark.usefixtures("ledger")
def test_what_a_closing_would_charge_is_told_before() -> None:
    said = json.loads(run("close", "2024-10", "--check", "--format", "json").out)
    assert [(each["account"], each["month"]) for each in said["charges"]] == [
        ("acme", "2024-10"),
        ("idle", "2024-09"),
        ("idle", "2024-10"),
    ]
    assert said["charges"][0] == {
        "account": "acme", "month": "2024-10", "tariff": 1, "text": "Line rental",
        "fee": "500", "calls": "27", "minimum": "2000", "top_up": "1473",
    }  # fmt: skip
    assert "idle 2024-09 1 monthly fee 1.5 0 0 0" in " ".join(run("close", "2024-10", "--check").out.split())


@pytest.mark.usefixtures("ledger")
def test_what_a_later_rerating_posts_changes_no_top_up_of_either_month(tmp_path: Path) -> None:
    close("2024-10")
    (tmp_path / "dearer.toml").write_text(TARIFF.replace("fixed = 10", "fixed = 20"))
    said = run("tariff", "publish", str(tmp_path / "dearer.toml"), *BY)
    assert said.code == 0
    assert said.err.splitlines()[1:] == [
        "acme, 2024-11: fee 500, minimum 2000 US cents",
        "idle, 2024-11: fee 1.5 US cents",
    ]
    assert run("rerate", "--account", "acme", "--period", "2024-10", "--tariff", "2", *BY).code == 0
    assert statement("acme", "2024-10")["due"] == "1900"
    assert lines(statement("acme", "2024-11")) == [
        ("difference", "as agreed", "20"),
        ("fee", "Line rental", "500"),
        ("minimum", "minimum 2000, less fee 500", "1500"),
    ]


def test_a_closing_without_charges_is_of_the_shape_that_it_always_had(store: str) -> None:
    run("migrate")
    assert run("import", "-", stdin=line(signed(priced_cdr()), "2024-10-15T12:00:00.000000Z")).code == 0
    close("2024-10")
    with Ledger(store) as ledger:
        row = ledger.store.stream(CLOSINGS, ledger.head())[-1]
    assert b'"v":2' in row.state
    assert b"charges" not in row.state


@pytest.mark.usefixtures("ledger")
def test_explain_tells_how_a_fee_and_a_top_up_came_about() -> None:
    asked = ("explain", "--account", "acme", "--period", "2024-10")
    draft = json.loads(run(*asked, "--format", "json").out)
    assert [(each["kind"], each["price"]) for each in draft["drafts"]] == [("fee", "500"), ("minimum", "1473")]
    assert draft["total"]["price"] == "-73"
    assert "minimum minimum 2000, less fee 500, less calls 27 1473" in " ".join(run(*asked).out.split())
    assert "fee monthly fee 1.5" in " ".join(run("explain", "--account", "idle", "--period", "2024-10").out.split())
    close("2024-10")
    assert json.loads(run(*asked, "--format", "json").out)["drafts"] == []
    said = " ".join(run(*asked).out.split())
    assert "fee 2024-10 kim Line rental +500" in said
    assert "minimum 2024-10 kim minimum 2000, less fee 500, less calls 27 +1473" in said

"""``tringledger rerate``: what a dry run foretells is what then happens, once, however often and wherever it is interrupted."""

from collections import Counter
from collections.abc import Sequence
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.application import rerating
from domain.calls.call_stream import CallStream
from domain.events.log_row import LogRow
from domain.ledger import Ledger
from projections.queries.rerating_preview import RerateChange, ReratingPreview, calls_of_account
from projections.rows import billed_amounts as bills
from projections.schema.tables import BILLING, CALLS
from projections.stores.generations import open_current
from tests.support.command import Said, run
from tests.support.effort import examples
from tests.support.ledger_histories import Step, live, lives
from tests.support.ledgers import opened, record, tables
from tests.support.notices import START, TAG, cdr
from tests.support.operator_histories import World, followed, ledger_in

DONE, FINDING, USAGE, UNAVAILABLE = range(4)
FIRST = '[[rules]]\ntag = "*"\nper_minute = 6\n'
DEARER = '[[rules]]\ntag = "*"\nper_minute = 12\n[[rules]]\ntag = "x"\n'
LATER = "effective_from = 2026-10-02\n" + DEARER
PRICE, BILLED = BILLING.columns.keys().index("price"), BILLING.columns.keys().index("billed_seconds")


def sums(ledger: Ledger) -> Counter[tuple[str, str, str]]:
    """Return the price and the billed seconds of each account and month."""
    found: Counter[tuple[str, str, str]] = Counter()
    for row in tables(ledger)["billing"]:
        account, period = str(row[0]), str(row[1])
        found[account, period, "price"], found[account, period, "seconds"] = int(str(row[PRICE])), int(str(row[BILLED]))
    return found


def foretold(changes: Sequence[RerateChange]) -> Counter[tuple[str, str, str]]:
    found: Counter[tuple[str, str, str]] = Counter()
    for change in changes:
        for posted in change.posted:
            found[posted.account, posted.period, "price"] += posted.price
            found[posted.account, posted.period, "seconds"] += posted.billed_seconds
    return found


def months_of(ledger: Ledger) -> list[tuple[str, str]]:
    names = CALLS.columns.keys()
    rows = [dict(zip(names, row, strict=True)) for row in tables(ledger)["calls"]]
    return sorted({(str(row["account"]), str(row["period"])) for row in rows})


def calls(ledger: Ledger, account: str, period: str) -> list[str]:
    store = open_current(ledger)
    try:
        with store.snapshot() as connection:
            return calls_of_account(connection, account, period)
    finally:
        store.close()


def silent(_done: int) -> None:
    pass


@examples(25)
@given(life=lives(), which=st.integers(0, 50), version=st.integers(0, 5))
def test_a_dry_run_predicts_the_rerating_exactly(life: list[Step], which: int, version: int) -> None:
    with ledger_in(World()) as ledger:
        for step in life:
            live(ledger, step)
        followed(ledger)
        months, versions = months_of(ledger), len(ledger.billing_context().tariffs)
        if not months or not versions:
            return
        account, period = months[which % len(months)]
        chosen, number = calls(ledger, account, period), version % versions + 1
        head, before = ledger.head(), sums(ledger)
        dry = list(rerating.preview_rerating(ReratingPreview(ledger, number), chosen, silent))
        assert ledger.head() == head
        done = list(
            rerating.rerate_calls(ledger, ReratingPreview(ledger, number), chosen, number, "ann", "why", silent)
        )
        followed(ledger)
        after = sums(ledger)
        assert done == dry
        assert ledger.head() == head + len(dry)
        expected = foretold(dry)
        assert {key: after[key] - before[key] for key in {*after, *before, *expected}} == {
            key: expected[key] for key in {*after, *before, *expected}
        }
        for change in dry:
            stream = CallStream(ledger.history(UUID(change.call_id)), ledger.events_at)
            due = bills.billed_amount(stream.call_at(stream.last), ledger.billing_context())
            assert due
            assert due.rated == change.after
        assert list(rerating.preview_rerating(ReratingPreview(ledger, number), chosen, silent)) == []


@pytest.fixture
def lived(store: str) -> str:
    """Return a store with three calls of a minute at 6 cents, whose prices then have become twice that."""
    with opened(store, clock=lambda: START) as ledger:
        publish(ledger, FIRST)
        record(ledger, *(cdr(number, destduration="60", srccharge="1", src=str(number)) for number in range(3)))
        publish(ledger, DEARER)
    return store


def publish(ledger: Ledger, text: str) -> None:
    with ledger.operator_session("kim", "prices") as session:
        session.publish_tariff(text)


def rerate(*more: str, account: str = TAG, period: str = "2026-10", tariff: str = "2") -> Said:
    words = ("--account", account, "--period", period, "--tariff", tariff, "--by", "ann", "--reason", "as agreed")
    return run("rerate", *words, *more)


def billed() -> list[str]:
    return run("export", "billing").out.splitlines()[1:]


class TestTheCommand:
    def test_a_dry_run_shows_each_call_and_each_account_and_appends_nothing(self, lived: str) -> None:
        said = rerate("--dry-run")
        assert (said.code, said.err) == (DONE, "3 of 3 calls would be rerated by version 2\n")
        calls, accounts = said.out.split("\n\n")
        assert [line.split()[2:] for line in calls.splitlines()[1:]] == [[TAG, "1", "6", TAG, "2", "12", "6"]] * 3
        assert accounts.splitlines()[1].split() == [TAG, "2026-10", "3", "0", "18"]
        with Ledger(lived) as ledger:
            assert ledger.head() == 5

    def test_it_rerates_once(self, lived: str) -> None:
        assert billed() == [f"{TAG},2026-10,3,3,0,180,3,0,180,18,15"]
        assert rerate().err == "3 of 3 calls were rerated by version 2\n"
        assert billed() == [f"{TAG},2026-10,3,3,0,180,3,0,180,36,33"]
        assert rerate().err == "0 of 3 calls were rerated by version 2\n"
        with Ledger(lived) as ledger:
            assert ledger.head() == 8

    @pytest.mark.usefixtures("lived")
    def test_it_tells_programs_too_in_plain_decimals(self) -> None:
        told = rerate("--dry-run", "--format", "json").json()
        assert [(call["before"]["price"], call["after"]["price"], call["difference"]) for call in told["calls"]] == [
            ("6", "12", "6")
        ] * 3
        assert told["accounts"] == [
            {"account": TAG, "period": "2026-10", "calls": 3, "billed_seconds": 0, "price": "18"}
        ]

    def test_a_closed_month_stays_and_the_difference_goes_to_the_next(self, lived: str) -> None:
        with opened(lived, clock=lambda: START) as ledger, ledger.operator_session("kim", "done") as session:
            session.close_month("2026-10")
        assert rerate("--dry-run", "--format", "json").json()["accounts"] == [
            {"account": TAG, "period": "2026-11", "calls": 3, "billed_seconds": 0, "price": "18"}
        ]
        rerate()
        assert billed() == [f"{TAG},2026-10,3,3,0,180,3,0,180,18,15", f"{TAG},2026-11,0,0,0,0,0,0,0,18,18"]

    def test_calls_from_before_the_version_is_in_effect_are_left_alone(self, lived: str) -> None:
        with opened(lived, clock=lambda: START) as ledger:
            publish(ledger, LATER)
        said = rerate(tariff="3")
        assert said.err == (
            "0 of 3 calls were rerated by version 3\n"
            "3 calls unchanged, because they are from before version 3 takes effect\n"
        )

    @pytest.mark.usefixtures("lived")
    def test_an_account_or_month_without_calls_has_nothing_to_rerate(self) -> None:
        for said in (rerate(account="nobody"), rerate(period="2026-09")):
            assert (said.code, said.err) == (DONE, "0 of 0 calls were rerated by version 2\n")

    @pytest.mark.usefixtures("lived")
    def test_a_version_that_is_not_there_is_a_finding_and_a_month_that_is_none_wrong_usage(self) -> None:
        said = rerate(tariff="3")
        assert (said.code, "there is no tariff version 3" in said.err) == (FINDING, True)
        assert rerate(period="2026-13").code == USAGE


class TestWhatHappensMeanwhile:
    @pytest.fixture
    def small_batches(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(rerating, "CALLS_AT_ONCE", 1)

    @pytest.mark.usefixtures("small_batches")
    def test_an_interrupted_rerating_goes_on_when_it_is_run_again(self, lived: str) -> None:
        run("export", "billing")
        with Ledger(lived) as ledger:
            chosen = calls(ledger, TAG, "2026-10")
            running = rerating.rerate_calls(ledger, ReratingPreview(ledger, 2), chosen, 2, "ann", "why", silent)
            next(running)
            running.close()
            assert ledger.head() == 6
        assert rerate().err == "2 of 3 calls were rerated by version 2\n"
        assert billed() == [f"{TAG},2026-10,3,3,0,180,3,0,180,36,33"]

    def test_a_call_to_which_something_happened_in_between_is_taken_again(
        self, lived: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run("export", "billing")
        with opened(lived, clock=lambda: START) as ledger:
            chosen = calls(ledger, TAG, "2026-10")
            histories, first = Ledger.histories, UUID(chosen[0])

            def then_voided(self: Ledger, streams: Sequence[UUID]) -> dict[UUID, list[LogRow]]:
                found = histories(self, streams)
                if len(found[first]) == 1:
                    with self.operator_session("bob", "a test call") as session:
                        session.void_call(first)
                return found

            monkeypatch.setattr(Ledger, "histories", then_voided)
            done = list(rerating.rerate_calls(ledger, ReratingPreview(ledger, 2), chosen, 2, "ann", "why", silent))
            assert [change.call_id for change in done] == [*chosen[1:], chosen[0]]
            assert [change.after.price for change in done] == [12_000_000, 12_000_000, 0]

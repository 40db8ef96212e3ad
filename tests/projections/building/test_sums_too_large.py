"""Sums beyond 64 bits (SPEC 9.10): read models stop before them, with the account, the month and the largest call by name."""

from contextlib import closing
from uuid import UUID

import pytest

from domain.events.log_row import POSITION_MAX
from domain.ledger import Ledger
from projections.building.as_of import open_as_of
from projections.building.catch_up import catch_up
from projections.building.partitions import SEQUENTIAL
from projections.building.process_pool import ProcessFolding
from projections.building.rebuild import rebuild
from projections.building.sum_limits import SumTooLarge
from projections.stores.generations import open_current
from tests.support.command import run
from tests.support.ledgers import opened, record
from tests.support.notices import SECOND, priced_cdr

# The most expensive calls that there can be: 46 of them pass 2⁶³ millionths.
CALLS = 50
TARIFF = '[[rules]]\ntag = "*"\nmarkup_percent = 10000\n'
MOST = "9223372036854.775807"
FINDING = 1


def fill(ledger: Ledger) -> str:
    """Record calls whose sum is too large, and return the id of the largest."""
    with ledger.operator_session("Ada", "a mistake") as session:
        session.publish_tariff(TARIFF)
    charges = [{"srccharge": "999999999", "destcharge": "999999998"}] * CALLS + [
        {"srccharge": "999999999", "destcharge": "999999999"}
    ]
    outcomes = record(ledger, *(priced_cdr(at * 1000 * SECOND, tag="acme", **each) for at, each in enumerate(charges)))
    return str(getattr(outcomes[-1], "call_id"))  # noqa: B009


class TestAnAccountsMonthThatIsTooLarge:
    def test_stops_catching_up_before_it_with_an_error_that_says_where(self, store_url: str) -> None:
        with opened(store_url) as ledger, closing(open_current(ledger)) as store:
            largest = fill(ledger)
            with pytest.raises(SumTooLarge) as refused:
                catch_up(ledger, store)
            said = str(refused.value)
            assert (
                f"the price of account 'acme' in 2026-10 is too large: got 10301999984648; expected at most {MOST}"
                in said
            )
            assert f"its largest call is {largest}, with 201999999798" in said
            with store.snapshot() as connection:
                assert store.position(connection, ledger.store) == 0

    def test_stops_a_rebuild_with_the_same_words(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            largest = fill(ledger)
            with pytest.raises(
                SumTooLarge,
                match=f"'acme' in 2026-10 is too large: got 10301999984648; expected at most {MOST}; its largest call is {largest}",
            ):
                rebuild(ledger)

    @pytest.mark.only_on("sqlite")
    def test_stops_who_looks_back_whoever_adds_up(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            fill(ledger)
            for folding in (SEQUENTIAL, ProcessFolding(2)):
                with (
                    pytest.raises(SumTooLarge, match="'acme' in 2026-10 is too large: got 10301999984648"),
                    open_as_of(ledger, ledger.head(), folding=folding),
                ):
                    pass

    def test_is_one_line_to_who_asks_for_something(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            fill(ledger)
        said = run("export", "billing", "--store", store_url)
        assert (said.code, said.err.count("\n"), "the price of account 'acme'" in said.err) == (FINDING, 1, True)

    def test_goes_on_once_its_calls_are_void_and_the_read_models_rebuilt(self, store_url: str) -> None:
        with opened(store_url) as ledger:
            fill(ledger)
            calls = [row.stream_id for row in ledger.store.page(1, CALLS, POSITION_MAX)]
            with ledger.operator_session("Ada", "mistakes") as session:
                for call in calls[:10]:
                    session.void_call(UUID(call))
            assert rebuild(ledger).found == 0
            with closing(open_current(ledger)) as store:
                assert catch_up(ledger, store) == ledger.head()

"""Sums and facets from a rollup are those that counting the rows one by one gives, on every store."""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from projections.building.catch_up import catch_up
from projections.queries import counted_rows as counting
from projections.queries import facets
from projections.queries.conditions import build_selection
from projections.schema.rollups import ROLLUPS
from projections.stores.generations import ReadStore, open_current
from tests.support.ledgers import opened, record
from tests.support.notices import SECOND, callstatus, priced_cdr

DAY = 86_400 * SECOND
BERLIN = "Europe/Berlin"
COVERED: tuple[dict[str, Any], ...] = (
    {},
    {"tag": "acme"},
    {"account": "acme", "disposition": "BUSY"},
    {"period": "2026-10"},
    {"period": "2026-11", "tag": ""},
    {"since": "2026-10", "until": "2026-11"},
    {"since": "2026-11"},
    {"flag": "missing-opening"},
    {"flag": ""},
)
NOT_COVERED: tuple[dict[str, Any], ...] = (
    {"number": "18585550001"},
    {"since": "2026-10-02"},
    {"until": "2026-10-20T12:00:00Z"},
    {"tag": "acme", "until": "2026-10-31"},
    {"since": "2026-09-20", "until": "2026-10-25"},
    {"since": "2026-10-04", "until": "2026-11-03"},
    {"since": "2026-10-02", "until": "2026-10-30"},
    {"since": "2026-10-12", "until": "2026-10-15"},
    {"since": "2026-10-20", "until": "2026-11-01", "account": "globex"},
)


@pytest.fixture
def read_models(empty_store_url: str) -> Iterator[ReadStore]:
    """Return the read models of calls that begin, ring and end across the end of a month in Berlin, caught up in three steps."""
    with (
        opened(empty_store_url, LedgerOptions(timezone=BERLIN)) as ledger,
        closing(open_current(ledger)) as opened_store,
    ):
        for step in range(3):
            _record(ledger, step)
            catch_up(ledger, opened_store)
        yield opened_store


def _record(ledger: Ledger, step: int) -> None:
    # From 2026-10-01 on; the calls of one step get their CDRs in the next.
    for number in range(9):
        at = (step * 11 + number) * DAY - SECOND
        line = {"tag": ("acme", "globex", "")[number % 3], "src": f"1858555000{number}"}
        earlier = at - 11 * DAY
        notices = [callstatus("SRCANSWERED" if number % 2 else "DESTBUSY", at, **line)]
        if step:
            notices.append(priced_cdr(earlier + 60 * SECOND, **line, srccharge=f"{number}.5", srcduration=str(number)))
        record(ledger, *notices)


def both_ways(
    read_models: ReadStore, model: str, filters: dict[str, Any], patch: pytest.MonkeyPatch
) -> tuple[bool, list[Any], list[Any]]:
    """Return whether the rollup answers, and the sums and facets with it and without it."""
    selection = build_selection(model, timezone=BERLIN, **filters)
    with read_models.snapshot() as connection:

        def answers() -> list[Any]:
            return [
                facets.sum_columns(connection, model, selection, BERLIN),
                facets.count_facets(connection, model, selection, BERLIN),
            ]

        table = counting.counted_rows(model, selection, BERLIN).table
        rolled_up = answers()
        with patch.context() as without:
            without.setattr(counting, "ROLLUPS", {})
            return table is ROLLUPS[model].table, rolled_up, answers()


def test_a_selection_by_the_key_and_whole_months_is_answered_by_the_rollup_and_others_by_the_rows(
    read_models: ReadStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for model in ROLLUPS:
        for filters in (*COVERED, *NOT_COVERED):
            covered, rolled_up, one_by_one = both_ways(read_models, model, filters, monkeypatch)
            assert (covered, rolled_up) == (filters in COVERED, one_by_one), (model, filters)


def test_calls_are_counted_by_their_state(read_models: ReadStore, monkeypatch: pytest.MonkeyPatch) -> None:
    for state in ("in-progress", "ended"):
        covered, rolled_up, one_by_one = both_ways(read_models, "calls", {"state": state}, monkeypatch)
        assert covered
        assert rolled_up == one_by_one
        assert rolled_up[0]["rows"] > 0

"""Metrics: by the definitions of docs/reference/metrics.md, over whatever came in, and exact to the last decimal."""

from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.queries.metrics import Metrics, account_metrics, quotient
from projections.schema.tables import CALLS, CDRS
from projections.stores.generations import open_current
from tests.support.effort import examples
from tests.support.ledgers import opened, record, tables
from tests.support.notices import GRACE, callstatus, cdr
from tests.support.operator_histories import World, ledger_in, named, run, steps_of

DOCS = (Path(__file__).parents[3] / "docs/reference/metrics.md").read_text()
PLACES = {"asr": 4, "ner": 4, "src_asr": 4, "dest_asr": 4, "acd": 2, "src_acd": 2}


def metrics(ledger: Ledger, **wanted: Any) -> list[dict[str, Any]]:
    store = open_current(ledger)
    try:
        catch_up(ledger, store)
        with store.snapshot() as connection:
            return [each._asdict() for each in account_metrics(connection, **wanted)]
    finally:
        store.close()


def test_each_metric_follows_its_definition(store_url: str) -> None:
    def numbers(src: int, dest: int) -> dict[str, str]:
        return {"srcduration": str(src), "destduration": str(dest), "srccharge": "1.5", "destcharge": "2"}

    with opened(store_url) as ledger:
        day = 10 * GRACE
        record(
            ledger,
            *(callstatus("SRCANSWERED"), callstatus("COMPLETED", 1), cdr(2, "COMPLETED", **numbers(70, 60))),
            *(
                callstatus("SRCANSWERED", day),
                callstatus("COMPLETED", day + 1),
                cdr(day + 2, "COMPLETED", **numbers(10, 6)),
            ),
            *(
                callstatus("SRCANSWERED", 2 * day),
                callstatus("DESTBUSY", 2 * day + 1),
                cdr(2 * day + 2, **numbers(4, 0)),
            ),
            *(callstatus("SRCANSWERED", 3 * day), callstatus("DESTCONGESTED", 3 * day + 1)),
            *(callstatus("SRCNOTANSWERED", 4 * day), callstatus("SRCFAILED", 5 * day)),
            cdr(6 * day, tag="other"),
        )
        first, second = metrics(ledger)
    assert first == {
        "account": "other",
        "period": "2026-10",
        **dict.fromkeys(Metrics._fields[2:]),
        "attempts": 1,
        "answered": 0,
        "asr": "0",
        "ner": "0",
        "src_asr": "0",
        **dict.fromkeys(("short_calls", "src_answered", "src_seconds", "dest_seconds"), 0),
        **dict.fromkeys(("fees", "minimums"), "0"),
    }
    assert second == {
        "account": "sales",
        "period": "2026-10",
        "attempts": 6,
        "answered": 2,
        "asr": "0.3333",
        "ner": "0.6667",
        "acd": "33",
        "short_calls": 1,
        "cost_per_minute": "9.545455",
        "price_per_minute": "9.545455",
        "src_answered": 4,
        "src_asr": "0.6667",
        "src_seconds": 84,
        "src_acd": "21",
        "src_cost_per_minute": "3.214286",
        "dest_asr": "0.5",
        "dest_seconds": 66,
        "dest_cost_per_minute": "5.454545",
        **dict.fromkeys(("fees", "minimums"), "0"),
    }


@examples(30)
@given(st.integers(0, 1 << 30).map(steps_of))
def test_whatever_came_in_metrics_are_what_calls_and_cdrs_say(steps: list[Any]) -> None:
    world = World()
    with ledger_in(world) as ledger:
        run(ledger, world, steps)
        found = metrics(ledger)
        rows = tables(ledger)
        calls, cdrs = named(rows["calls"], CALLS), {row["call_id"]: row for row in named(rows["cdrs"], CDRS)}
        keys = sorted({(call["account"], call["period"]) for call in calls})
        assert [(each["account"], each["period"]) for each in found] == keys
        for each in found:
            own = [call for call in calls if (call["account"], call["period"]) == (each["account"], each["period"])]
            assert each == model(each["account"], each["period"], own, cdrs)
            assert metrics(ledger, account=each["account"], period=each["period"]) == [each]


def model(account: str, period: str, calls: list[dict[str, Any]], cdrs: dict[object, dict[str, Any]]) -> dict[str, Any]:
    """Return the metrics by the letter of docs/reference/metrics.md, in fractions."""
    rated = [(call, cdrs[call["call_id"]] if call["has_cdr"] else {}) for call in calls]

    def total(name: str) -> int:
        return sum(row.get(name) or 0 for _, row in rated)

    answered = [row for call, row in rated if call["disposition"] == "ANSWERED"]
    reached = sum(call["disposition"] in {"ANSWERED", "BUSY", "NO ANSWER"} for call in calls)
    src_answered = sum(call["answered_at"] is not None or bool(row.get("src_duration")) for call, row in rated)
    src, dest = total("src_duration"), total("dest_duration")
    exact: dict[str, tuple[int, int]] = {
        "asr": (len(answered), len(calls)),
        "ner": (reached, len(calls)),
        "acd": (dest, len(answered)),
        "cost_per_minute": (total("cost") * 60, dest * 1_000_000),
        "price_per_minute": (total("price") * 60, dest * 1_000_000),
        "src_asr": (src_answered, len(calls)),
        "src_acd": (src, src_answered),
        "src_cost_per_minute": (total("src_charge") * 60, src * 1_000_000),
        "dest_asr": (len(answered), src_answered),
        "dest_cost_per_minute": (total("dest_charge") * 60, dest * 1_000_000),
    }
    return {
        "account": account,
        "period": period,
        "attempts": len(calls),
        "answered": len(answered),
        "short_calls": sum(bool(row) and (row["dest_duration"] or 0) <= 6 for row in answered),
        "src_answered": src_answered,
        "src_seconds": src,
        "dest_seconds": dest,
        **dict.fromkeys(("fees", "minimums"), "0"),
        **{name: rounded(*of, PLACES.get(name, 6)) for name, of in exact.items()},
    }


def rounded(dividend: int, divisor: int, places: int) -> str | None:
    """Return a quotient, rounded by the library of decimals."""
    if not divisor:
        return None
    with localcontext(prec=60, rounding=ROUND_HALF_EVEN):
        # Half to even by whole numbers of the fraction, since a decimal would have been rounded once already.
        quotient_ = Decimal(round(Fraction(dividend, divisor) * 10**places)).scaleb(-places)
        return f"{quotient_.normalize():f}" if quotient_ else "0"


@given(st.integers(-(10**15), 10**15), st.integers(0, 10**9), st.sampled_from([2, 4, 6]))
def test_a_quotient_is_rounded_once_half_to_even(dividend: int, divisor: int, places: int) -> None:
    assert quotient(dividend, divisor, places) == rounded(dividend, divisor, places)


@pytest.mark.parametrize(
    ("dividend", "divisor", "shown"), [(1, 8, "0.12"), (3, 8, "0.38"), (-1, 8, "-0.12"), (1, 0, None)]
)
def test_halves_go_to_the_even_neighbour(dividend: int, divisor: int, shown: str | None) -> None:
    assert quotient(dividend, divisor, 2) == shown


@pytest.mark.parametrize("name", Metrics._fields[2:])
def test_the_docs_define_every_metric(name: str) -> None:
    assert f"| `{name}` | " in DOCS

"""A closed month stays the same for ever, byte for byte, whatever comes later; and all ways to the read models agree on it."""

import io

from hypothesis import given
from hypothesis import strategies as st

from domain.ledger import Ledger
from projections.building.process_pool import ProcessFolding
from projections.building.rebuild import rebuild
from projections.export import writer as export
from projections.queries import conditions
from projections.stores.generations import open_current
from tests.support.effort import examples
from tests.support.ledgers import tables
from tests.support.operator_histories import World, close, followed, ledger_in, run, steps_of, wait

FILES = (("cdrs", "csv"), ("cdrs", "parquet"), ("billing", "csv"), ("billing-days", "json"), ("entries", "ndjson"))
SEEDS = st.integers(0, 1 << 30)


def files(ledger: Ledger, period: str) -> list[bytes]:
    """Return what is exported of a month, file by file."""
    store = open_current(ledger)
    found = []
    try:
        for model, form in FILES:
            wanted = conditions.build_selection(model, period=period, timezone=ledger.timezone)
            out = io.BytesIO()
            export.write_export(ledger, store, model, wanted, form, out)
            found.append(out.getvalue())
    finally:
        store.close()
    return found


@examples(60)
@given(SEEDS, SEEDS)
def test_the_files_of_a_closed_month_stay_the_same_whatever_comes_later(before: int, after: int) -> None:
    world = World()
    with ledger_in(world) as ledger:
        run(ledger, world, [*steps_of(before), wait(40), close])
        followed(ledger)
        closed = ledger.billing_context().closings[-1].period
        months = sorted({month for row in tables(ledger)["billing"] if (month := str(row[1])) <= closed})
        as_closed = {month: files(ledger, month) for month in months}
        run(ledger, world, steps_of(after))
        followed(ledger)
        assert {month: files(ledger, month) for month in months} == as_closed
        rebuild(ledger)
        assert {month: files(ledger, month) for month in months} == as_closed


@examples(6)
@given(SEEDS)
def test_catching_up_a_rebuild_alone_and_a_parallel_one_are_the_same_with_acts_in_the_log(seed: int) -> None:
    world = World()
    with ledger_in(world) as ledger:
        run(ledger, world, [*steps_of(seed), wait(40), close, *steps_of(seed + 1)])
        followed(ledger)
        caught_up = tables(ledger)
        alone = rebuild(ledger).certificate.read_models
        assert tables(ledger) == caught_up
        assert rebuild(ledger, folding=ProcessFolding(2)).certificate.read_models == alone
        assert tables(ledger) == caught_up

"""Bundles prove bills whatever operators did, and nothing forged passes: not even with its tile and its rows made to match."""

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest
from msgspec import structs

from api.application.proofs.bundle_builder import bundle_bill, bundle_call
from api.application.proofs.bundle_check import encode_rows, fold_bundle, verify_bundle
from api.application.proofs.bundle_file import Bundle, encode_bundle_file, parse_bundle_file
from api.application.proofs.log_key import SigningSettings
from api.application.proofs.prover_settings import ProverSettings
from api.application.proofs.tree_keeper import TreeKeeper
from domain.events.log_row import LogRow
from domain.events.operator_events import AccountCharge
from domain.ledger import Ledger
from domain.proofs.entry import hash_events
from domain.proofs.keys import SigningKey, write_key_file
from domain.proofs.offline import Trust
from domain.proofs.refusals import ProofRefused
from domain.proofs.tiles import TileId
from projections.building.catch_up import catch_up
from projections.rows.folded_entries import SUMMED
from projections.schema.tables import BILLING, ENTRIES
from projections.stores.base import ReadStore
from projections.stores.generations import open_current
from tests.support.operator_histories import World, ledger_in, run, steps_of

KEY = SigningKey("ledger.example/calls", bytes(range(32)))
TRUST = Trust(KEY.verifier)


def signed(ledger: Ledger, key: Path) -> None:
    """Have the log's tree made, and signed."""
    if not key.exists():
        write_key_file(key, KEY)
    with closing(TreeKeeper(ledger, ProverSettings(SigningSettings(key)))) as keeper:
        assert keeper.catch_up().failure == ""


def test_a_bill_of_nothing_but_a_fee_is_proved_by_the_closing_that_charged_it(tmp_path: Path) -> None:
    with ledger_in(World()) as ledger, closing(open_current(ledger)) as store:
        fee = AccountCharge(account="idle", month="2026-08", tariff=1, fee=500_000_000, fee_text="Line rental")
        with ledger.operator_session("kim", "the month is over") as session:
            session.close_month("2026-08", charges=[fee, structs.replace(fee, account="another")])
        signed(ledger, tmp_path / "log.key")
        catch_up(ledger, store)
        proven = verify_bundle(bundle_bill(ledger, store, "idle", "2026-08").content, TRUST)
    assert (proven.entries, proven.sums["price"], proven.sums["margin"]) == (1, 500_000_000, 500_000_000)


@pytest.mark.parametrize("seed", range(6))
def test_each_bill_of_a_random_history_is_proved_with_the_sums_of_the_billing_table(seed: int, tmp_path: Path) -> None:
    world = World()
    with ledger_in(world) as ledger, closing(open_current(ledger)) as store:
        run(ledger, world, steps_of(seed))
        signed(ledger, tmp_path / "log.key")
        catch_up(ledger, store)
        with store.snapshot() as connection:
            bills = list(connection.execute(BILLING.select()))
            calls = [row.call_id for row in connection.execute(ENTRIES.select()) if row.call_id]
        for bill in bills:
            proven = verify_bundle(bundle_bill(ledger, store, bill.account, bill.period).content, TRUST)
            assert proven.sums == {name: getattr(bill, name) for name in SUMMED}
            assert proven.entries == bill.entries
        for call in set(calls[:5]):
            assert verify_bundle(bundle_call(ledger, UUID(call)).content, TRUST).entries == calls.count(call)


@pytest.fixture
def bundle(tmp_path: Path) -> Iterator[tuple[Ledger, ReadStore, Bundle]]:
    """Return a ledger and the bundle of its largest bill."""
    world = World()
    with ledger_in(world) as ledger, closing(open_current(ledger)) as store:
        run(ledger, world, steps_of(3))
        signed(ledger, tmp_path / "log.key")
        catch_up(ledger, store)
        with store.snapshot() as connection:
            account, period = max(
                (row.entries, row.account, row.period) for row in connection.execute(BILLING.select())
            )[1:]
        yield ledger, store, parse_bundle_file(bundle_bill(ledger, store, account, period).content)


def refusal(bundle: Bundle) -> str:
    with pytest.raises(ProofRefused) as refused:
        verify_bundle(encode_bundle_file(bundle), TRUST)
    return str(refused.value)


def refolded(bundle: Bundle, events: list[LogRow]) -> Bundle:
    """Return a bundle with other events, and the rows that they come to."""
    rows = encode_rows(bundle.description, fold_bundle(bundle.description, events))
    return bundle._replace(events=events, rows=rows)


def cheaper(event: LogRow) -> LogRow:
    """Return an event in which a figure was changed."""
    state = re.sub(rb'\["(src|dest)_?charge","', rb"\g<0>9", event.state, flags=re.IGNORECASE)
    return event._replace(state=state)


def test_an_event_that_was_forged_together_with_its_tile_and_the_rows_is_refused(
    bundle: tuple[Ledger, ReadStore, Bundle],
) -> None:
    _, _, honest = bundle
    place = next(place for place, event in enumerate(honest.events) if cheaper(event) != event)
    forged = cheaper(honest.events[place])
    events = [*honest.events[:place], forged, *honest.events[place + 1 :]]
    changed = refolded(honest, events)
    assert changed.rows != honest.rows, "the forgery changes the bill"
    assert "is not the one in the log" in refusal(changed)
    tile = next(each for each in honest.tiles if each.level == 0 and each.number == (forged.position - 1) // 256)
    hashes, start = honest.tiles[tile], (forged.position - 1) % 256 * 32
    (leaf,) = hash_events([forged])
    tiles = {**honest.tiles, tile: hashes[:start] + leaf + hashes[start + 32 :]}
    assert "make the root" in refusal(changed._replace(tiles=tiles))


def test_an_event_that_is_left_out_is_missed(bundle: tuple[Ledger, ReadStore, Bundle]) -> None:
    _, _, honest = bundle
    for place, event in enumerate(honest.events):
        later = [each for each in honest.events if each.stream == event.stream and each.version > event.version]
        if later:
            events = [*honest.events[:place], *honest.events[place + 1 :]]
            assert refusal(honest._replace(events=events))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda b: b._replace(rows=b.rows.replace(b"cdr", b"cdx", 1)), "the rows are not what the events come to"),
        (lambda b: b._replace(tiles={}), "is missing, or there for nothing"),
        (lambda b: b._replace(tiles={**b.tiles, TileId(0, 9, 1): bytes(32)}), "is missing, or there for nothing"),
        (lambda b: b._replace(events=b.events[::-1]), "not in the order of the log"),
        (lambda b: b._replace(checkpoint=b.checkpoint.replace(b"\n", b"\n ", 1)), ""),
    ],
)
def test_whatever_else_is_changed_is_named(
    bundle: tuple[Ledger, ReadStore, Bundle], change: Callable[[Bundle], Bundle], told: str
) -> None:
    assert told in refusal(change(bundle[2]))

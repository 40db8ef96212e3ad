"""Verification of a bundle: its events stand in the log, and its rows are what they come to. No store, no network.

Tiles are trusted only where they lead up to the signed root; rows only where folding the events makes the same bytes.
"""

from collections.abc import Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from api.application.proofs.bundle_file import BILL, Bundle, BundleDescription, parse_bundle_file
from domain.amounts import plain
from domain.errors import LedgerError
from domain.events.codec import decode_operator_event
from domain.events.log_row import LogRow
from domain.events.operator_events import MonthBooks, MonthClosed
from domain.notices.line_number import LINE_RULE_1
from domain.proofs.checkpoint import VerifiedCheckpoint
from domain.proofs.entry import hash_events
from domain.proofs.offline import Trust
from domain.proofs.refusals import ProofRefused
from domain.proofs.tile_set import VerifiedTiles, tiles_for
from domain.proofs.tiles import TileId
from projections.rows.entry import Entry, level_totals, statement_roundings
from projections.rows.folded_entries import encode_bill, encode_entries, fold_entries, sum_entries


class ProvenBundle(NamedTuple):
    """What a bundle proves: its entries, their sums in millionths, what rounding the statement adds, and the closed month.

    ``books`` is what the log says of the whole month, of all accounts, where it was closed with that.
    """

    description: BundleDescription
    checkpoint: VerifiedCheckpoint
    events: int
    entries: int
    sums: dict[str, int]
    rounding: int
    books: MonthBooks | None


def verify_bundle(raw: bytes, trust: Trust) -> ProvenBundle:
    """Verify a bundle's file; raises ProofRefused, naming what did not fit."""
    bundle = parse_bundle_file(raw)
    checkpoint = trust.verify(bundle.checkpoint)
    described = bundle.description
    if described.origin != checkpoint.checkpoint.origin:
        msg = f"the bundle says that it is of the log {described.origin!r}; expected {checkpoint.checkpoint.origin!r}"
        raise ProofRefused(msg)
    _verify_events(bundle, checkpoint)
    _check_streams(bundle.events)
    entries = fold_bundle(described, bundle.events)
    if encode_rows(described, entries) != bundle.rows:
        price = plain(sum_entries(entries)["price"])
        msg = f"the rows are not what the events come to; expected {len(entries)} entries with a price of {price} US cents"
        raise ProofRefused(msg)
    rounding = sum(statement_roundings(level_totals(entries)).values())
    books = _books(bundle.events, described.period)
    events = len(bundle.events)
    return ProvenBundle(described, checkpoint, events, len(entries), sum_entries(entries), rounding, books)


def _verify_events(bundle: Bundle, checkpoint: VerifiedCheckpoint) -> None:
    _, size, root = checkpoint.checkpoint
    positions = [event.position for event in bundle.events]
    if positions != sorted(set(positions)) or (positions and not 0 < positions[0] <= positions[-1] <= size):
        msg = f"the bundle's events are not in the order of the log, or not from 1 to {size}: its checkpoint's size"
        raise ProofRefused(msg)
    needed = tiles_for((position - 1 for position in positions), size)
    if needed != bundle.tiles.keys():
        wrong: list[TileId] = sorted(needed ^ bundle.tiles.keys())
        msg = f"the bundle's tiles are not those that its events need: {wrong[0].path} is missing, or there for nothing"
        raise ProofRefused(msg)
    verified = VerifiedTiles(bundle.tiles, size, root)
    for event, leaf in zip(bundle.events, hash_events(bundle.events), strict=True):
        verified.check_leaves(event.position - 1, [leaf])


def _check_streams(events: Sequence[LogRow]) -> None:
    """Check that each stream is there from its beginning: an event left out in between would change the fold."""
    for stream, rows in groupby(sorted(events, key=attrgetter("stream", "version")), key=attrgetter("stream")):
        versions = [row.version for row in rows]
        if versions != list(range(1, len(versions) + 1)):
            msg = f"the stream {stream} has the versions {versions[:20]}; expected all from 1 to {versions[-1]}"
            raise ProofRefused(msg)


def fold_bundle(described: BundleDescription, events: Sequence[LogRow]) -> list[Entry]:
    """Return the entries that a bundle is of; raises ProofRefused where its events cannot be folded."""

    def is_wanted(entry: Entry) -> bool:
        if described.kind == BILL:
            return entry.account == described.account and entry.period == described.period
        return entry.call_id == described.call

    try:
        return fold_entries(events, described.timezone, described.line_rule or LINE_RULE_1, is_wanted)
    except (LedgerError, ValueError, KeyError, IndexError) as error:
        msg = f"the events cannot be folded: {error!r}"
        raise ProofRefused(msg) from error


def encode_rows(described: BundleDescription, entries: Sequence[Entry]) -> bytes:
    """Return the rows of a bundle as its file has them."""
    if described.kind == BILL:
        return encode_bill(described.account, described.period, entries)
    return encode_entries(entries)


def _books(events: Sequence[LogRow], period: str) -> MonthBooks | None:
    for event in events:
        if event.topic == MonthClosed.TOPIC:
            closed = decode_operator_event(event.topic, event.state)
            assert isinstance(closed, MonthClosed)
            found = [books for books in closed.books if books.month == period]
            if found:
                return found[0]
    return None

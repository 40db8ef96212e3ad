"""Making of bundles: of a bill, or of a call, with each event that it comes from and the tiles that prove them."""

from collections.abc import Iterable, Iterator
from importlib.metadata import version
from typing import NamedTuple
from uuid import UUID

import msgspec
from msgspec import structs

from api.application.proofs.bundle_check import encode_rows, fold_bundle
from api.application.proofs.bundle_file import BILL, CALL, FORMAT, Bundle, BundleDescription, encode_bundle_file
from api.application.proofs.proof_files import NoProof, last_checkpoint, opened_proofs
from api.application.proofs.publication import read_tile
from domain.events.codec import decode_operator_event
from domain.events.log_row import LogRow
from domain.events.operator_events import NoticesMoved
from domain.events.streams import CLOSINGS, TARIFFS, account_stream
from domain.events.streams_of_calls import is_of_call
from domain.ledger import Ledger
from domain.notices.line_number import LINE_RULE_1
from domain.proofs.checkpoint import parse_checkpoint
from domain.proofs.notes import parse_note
from domain.proofs.tile_set import tiles_for
from projections.queries.statement import billed_calls
from projections.rows.earlier_events import PAGE_SIZE
from projections.schema.tables import SCHEMA
from projections.stores.base import ReadStore


class MadeBundle(NamedTuple):
    """A bundle's file, up to which position of the log it is, and of how many events and entries."""

    content: bytes
    size: int
    events: int
    entries: int


def bundle_bill(ledger: Ledger, store: ReadStore, account: str, period: str) -> MadeBundle:
    """Return the bill of an account for a month ``YYYY-MM`` as of the last checkpoint, as a bundle.

    ``store`` is near the log's head: each call between it and the checkpoint is looked at. Raises NoProof where nothing was signed yet, or the account has no such bill.
    """
    with store.snapshot() as connection:
        position = store.position(connection, ledger.store)
        calls = billed_calls(connection, account, period)
    description = _described(ledger, BILL, account=account, period=period)
    return _made(ledger, description, {UUID(call) for call in calls}, {account_stream(account)}, position)


def bundle_call(ledger: Ledger, call: UUID) -> MadeBundle:
    """Return the events of a call as of the last checkpoint, as a bundle; raises NoProof."""
    return _made(ledger, _described(ledger, CALL, call=str(call)), {call}, set(), ledger.head())


def _described(ledger: Ledger, kind: str, **of: str) -> BundleDescription:
    versions = {"tringledger": version("tringledger"), "read_models": str(SCHEMA)}
    line_rule: int | msgspec.UnsetType = msgspec.UNSET if ledger.line_rule == LINE_RULE_1 else ledger.line_rule
    return BundleDescription(
        format=FORMAT,
        kind=kind,
        ledger=ledger.id,
        origin="",
        timezone=ledger.timezone,
        versions=versions,
        line_rule=line_rule,
        **of,
    )


def _made(
    ledger: Ledger, described: BundleDescription, calls: set[UUID], others: set[UUID], position: int
) -> MadeBundle:
    with opened_proofs(ledger) as proofs, proofs.reading() as rows:
        checkpoint = last_checkpoint(rows)
        size = checkpoint.size
        if described.kind == BILL:
            # What came between the two may have moved a call to another account or month.
            calls = calls | set(_touched(ledger, min(size, position), max(size, position)))
        origin = parse_checkpoint(parse_note(checkpoint.note).text).origin
        described = structs.replace(described, origin=origin)
        streams = _streams(ledger, calls, size)
        common = [row for stream in (TARIFFS, CLOSINGS, *others) for row in ledger.store.stream(stream, size)]
        entries = fold_bundle(described, [*common, *(row for rows_ in streams.values() for row in rows_)])
        billed = {UUID(entry.call_id) for entry in entries if entry.call_id}
        kept = _closure(streams, billed if described.kind == BILL else calls)
        events = sorted([*common, *(row for stream in kept for row in streams[stream])])
        if not (entries if described.kind == BILL else kept):
            msg = f"the checkpoint of size {size} has nothing to prove of {described.account or described.call}"
            raise NoProof(f"{msg} {described.period}".strip())
        tiles = {tile: read_tile(rows, tile) for tile in tiles_for((row.position - 1 for row in events), size)}
    bundle = Bundle(described, checkpoint.note, tiles, events, encode_rows(described, entries))
    return MadeBundle(encode_bundle_file(bundle), size, len(events), len(entries))


def _touched(ledger: Ledger, after: int, until: int) -> Iterator[UUID]:
    """Yield the streams of calls that have events after a position."""
    while page := ledger.store.page(after, PAGE_SIZE, until):
        yield from (UUID(row.stream) for row in page if is_of_call(row))
        after = page[-1].position


def _streams(ledger: Ledger, calls: Iterable[UUID], until: int) -> dict[UUID, list[LogRow]]:
    """Return the streams of calls up to a position, and of those with which they exchanged notices."""
    found: dict[UUID, list[LogRow]] = {}
    waiting = list(calls)
    while waiting:
        stream = waiting.pop()
        if stream not in found:
            rows = ledger.store.stream(stream, until)
            if rows:
                found[stream] = rows
                waiting += _others(rows)
    return found


def _others(rows: Iterable[LogRow]) -> Iterator[UUID]:
    for row in rows:
        if row.topic == NoticesMoved.TOPIC:
            event = decode_operator_event(row.topic, row.state)
            assert isinstance(event, NoticesMoved)
            yield UUID(event.other)


def _closure(streams: dict[UUID, list[LogRow]], wanted: Iterable[UUID]) -> list[UUID]:
    """Return the wanted streams that there are, and all with which they exchanged notices."""
    kept: set[UUID] = set()
    waiting = [stream for stream in wanted if stream in streams]
    while waiting:
        stream = waiting.pop()
        if stream not in kept:
            kept.add(stream)
            waiting += [other for other in _others(streams[stream]) if other in streams]
    return sorted(kept)

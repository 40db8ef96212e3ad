"""The marks of a copy on its target: while it is in progress, and once it is complete.

Because of them a store is filled only if nothing can be lost: it is empty, or it is a copy of this same ledger that has not
been written since.
"""

from collections.abc import Mapping
from uuid import uuid4

import msgspec

from domain import times
from domain.copying.table_diff import digest_rows
from domain.errors import NotCopyTarget
from domain.ledger import Ledger
from domain.log.contract import Log
from domain.log.tables import COPYING, QUARANTINE, TABLES, LogTable

COPIED = "copied"
READ_MODELS = "read_models"
SCHEMA = "schema"
# The facts of a store rather than of its ledger: its schema, these marks, the facts of its read models, and the bulk jobs
# of its services: a copy must not go on with them.
NOT_CARRIED = frozenset((SCHEMA, COPYING, COPIED, READ_MODELS, "certificate", "bulk_jobs"))


class CopyInProgress(msgspec.Struct, frozen=True):
    """A copy in progress: of which ledger, from which store's URL (without a password), and since when."""

    ledger: str
    origin: str
    begun_at: str


class CopyComplete(msgspec.Struct, frozen=True):
    """A complete copy: ``copy`` identifies its store, ``head`` and ``quarantine`` the state in which it was left.

    ``quarantine`` is the digest of that table; all else in a log changes with its head.
    """

    copy: str
    ledger: str
    origin: str
    completed_at: str
    head: int
    quarantine: str


def mark_in_progress(source: Ledger, now: int) -> str:
    """Return the mark of a copy that begins."""
    return _encode_mark(CopyInProgress(source.id, source.shown_url, times.iso(now)))


def mark_complete(source: Ledger, now: int, head: int, quarantine: str) -> str:
    """Return the mark of a copy that is complete."""
    return _encode_mark(CopyComplete(str(uuid4()), source.id, source.shown_url, times.iso(now), head, quarantine))


def _encode_mark(mark: msgspec.Struct) -> str:
    return msgspec.json.encode(mark).decode()


def ledger_facts(facts: Mapping[str, str]) -> dict[str, str]:
    """Return those facts of a store that belong to its ledger."""
    return {name: value for name, value in facts.items() if name not in NOT_CARRIED}


def digest_table(log: Log, table: LogTable) -> str:
    """Return the digest of a table in its present state."""
    with log.snapshot() as now:
        return digest_rows(now.rows(table))


def check_target(source: Ledger, target: Log, redacted_url: str) -> dict[str, str]:
    """Return a store's facts; raise NotCopyTarget unless it may be filled from a ledger.

    ``redacted_url`` is the store's URL for messages.
    """
    facts = target.facts()
    if COPYING in facts:
        begun = msgspec.json.decode(facts[COPYING], type=CopyInProgress)
        _check_same_ledger(source, begun.ledger, f"a copy of ledger {begun.ledger} was begun in {redacted_url}")
    elif COPIED in facts:
        _check_unused(source, target, redacted_url, facts)
    elif facts.get("id") == source.id:
        msg = f"{redacted_url} has the ledger {source.id} itself, not a copy of it: expected another store"
        raise NotCopyTarget(msg)
    elif facts and not _is_empty(target):
        _check_same_ledger(source, facts["id"], f"{redacted_url} has ledger {facts['id']}")
    _check_schema(target, redacted_url, facts)
    return facts


def _check_schema(target: Log, redacted_url: str, facts: Mapping[str, str]) -> None:
    """Raise NotCopyTarget for a store with another log schema, unless an older copy under way can be brought up to date."""
    schema = int(facts.get(SCHEMA, target.schema))
    if schema > target.schema:
        msg = f"{redacted_url} has schema {schema}; expected at most {target.schema}: use the newer tringledger that made it so"
        raise NotCopyTarget(msg)
    if schema < target.schema and COPYING not in facts:
        msg = f"{redacted_url} has schema {schema}; expected {target.schema}: run `tringledger migrate` there first"
        raise NotCopyTarget(msg)


def _check_same_ledger(source: Ledger, found: str, what: str) -> None:
    if found != source.id:
        msg = f"{what}, and {source.shown_url} has ledger {source.id}: expected an empty store"
        raise NotCopyTarget(msg)


def _is_empty(target: Log) -> bool:
    with target.snapshot() as now:
        return not any(now.count(table) for table in TABLES)


def _check_unused(source: Ledger, target: Log, shown: str, facts: Mapping[str, str]) -> None:
    left = msgspec.json.decode(facts[COPIED], type=CopyComplete)
    _check_same_ledger(source, left.ledger, f"{shown} has a copy of ledger {left.ledger}")
    if source.store.facts().get(COPIED) == facts[COPIED]:
        msg = f"{shown} and {source.shown_url} are one store, with ledger {source.id}: expected another store"
        raise NotCopyTarget(msg)
    head = target.head()
    if head != left.head or digest_table(target, QUARANTINE) != left.quarantine:
        msg = (
            f"{shown} has been used since it was made a copy of ledger {source.id} at {left.completed_at} (its head was"
            f" {left.head} and is {head}): expected an empty store, or a copy that has not been written since"
        )
        raise NotCopyTarget(msg)
    if source.store.page(head - 1, 1, head) != target.page(head - 1, 1, head):
        msg = (
            f"{shown} and {source.shown_url} have different events at position {head} of ledger {source.id}: the one is no"
            " copy of the other"
        )
        raise NotCopyTarget(msg)

"""The access log: who looked at, unmasked, exported or changed what, and who signed in, or tried to.

Of what was merely viewed it keeps what is among the last million entries, of all else what is among the last ten million: no
browsing, however much, wipes out what somebody changed. Each process that adds one removes what is too old now and then. What an entry names (a
path, a query) may hold a phone number, so that it is shown masked to who may not see one.
"""

import os
from collections.abc import Iterable
from pwd import getpwuid
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from sqlalchemy import Connection, Row, delete, insert, select

from api.application.masking import ALL_HIDDEN, HIDDEN, masked_number, masked_text
from api.web.auth.roles import Did
from api.web.auth.store import AccessStore
from api.web.auth.tables import RECORDS

VIEWED_MAX = 1_000_000
RECORDS_MAX = 10_000_000
PRUNED_EVERY, PRUNED_AT_MOST = 1000, 100_000
TEXT_LENGTH_MAX = 1000
COMMAND = "command"


class AuditEntry(NamedTuple):
    """An entry: when (microseconds, UTC), who, by what (session, token, command), from where, what he did, to what."""

    at: int
    who: str
    how: str
    address: str
    did: str
    unmasked: bool
    method: str
    path: str
    query: str
    status: int
    id: int = 0

    @property
    def what(self) -> str:
        """What it was about, in one line: a request's method (unless it only looked), path and query, or a command."""
        method = f"{self.method} " if self.method not in {"", "GET"} else ""
        return f"{method}{self.path}{'?' if self.query else ''}{self.query}"


def command_entry(what: str, now: int) -> AuditEntry:
    """Return the entry of what somebody changes by a command; who, is his name on this machine."""
    number = os.getuid()
    try:
        who = getpwuid(number).pw_name
    except KeyError:  # In a container, somebody may have a number only.
        who = f"user {number}"
    return AuditEntry(now, who, COMMAND, "", Did.CHANGED, unmasked=False, method="", path=what, query="", status=0)


def add_entry(store: AccessStore, record: AuditEntry) -> None:
    """Add an entry; its number is the store's own."""
    values = record._asdict() | {
        "unmasked": int(record.unmasked),
        "who": _short(record.who),
        "path": _short(record.path),
        "query": _short(record.query),
    }
    del values["id"]
    with store.append() as connection:
        number = connection.execute(insert(RECORDS).values(values)).inserted_primary_key[0]  # type: ignore[index]
        if number % PRUNED_EVERY == 0:
            _prune(connection, number)


def _prune(connection: Connection, number: int) -> None:
    """Remove what is too old; of views only those that have become so of late are looked for, since the others are gone."""
    last = number - VIEWED_MAX
    of_late = RECORDS.c.id.between(last - PRUNED_AT_MOST, last)
    connection.execute(delete(RECORDS).where(of_late, RECORDS.c.did == Did.VIEWED))
    connection.execute(delete(RECORDS).where(RECORDS.c.id <= number - RECORDS_MAX))


def audit_page(
    store: AccessStore, *, before: int | None = None, who: str = "", did: str = "", limit: int = 100
) -> list[AuditEntry]:
    """Return the latest entries, newest first: those before a number, of a user, of a kind, where told so."""
    wanted = select(RECORDS).order_by(RECORDS.c.id.desc()).limit(limit)
    if before is not None:
        wanted = wanted.where(RECORDS.c.id < before)
    if who:
        wanted = wanted.where(RECORDS.c.who == who)
    if did:
        wanted = wanted.where(RECORDS.c.did == did)
    with store.snapshot() as connection:
        return [_record(row) for row in connection.execute(wanted)]


def mask_entries(records: Iterable[AuditEntry]) -> list[AuditEntry]:
    """Return entries as they may be shown without ``pii``."""
    return [entry._replace(path=masked_text(entry.path), query=_masked_query(entry.query)) for entry in records]


def _masked_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    masked = urlencode([(name, _masked_value(name, value)) for name, value in pairs])
    return masked.replace(quote(HIDDEN), HIDDEN)


def _masked_value(name: str, value: str) -> str:
    # Anything may have been searched for.
    if name in {"number", "src"}:
        return masked_number(value)
    return ALL_HIDDEN if name in {"q", "email", "cursor"} else masked_text(value)


def _short(text: str) -> str:
    # PostgreSQL takes no U+0000, and nothing encodes a lone surrogate.
    return text[:TEXT_LENGTH_MAX].encode(errors="backslashreplace").decode().replace("\0", "\\0")


def _record(row: Row[tuple[object, ...]]) -> AuditEntry:
    fields = row._asdict()
    return AuditEntry(**(fields | {"unmasked": bool(fields["unmasked"])}))

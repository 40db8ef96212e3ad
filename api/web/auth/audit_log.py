"""The audit log: who viewed, exported or changed what, and who signed in or tried to.

Views are kept while they are among the last million entries, everything else while it is among the last ten
million: no amount of browsing removes the record of a change. Each process that adds an entry also prunes from time
to time. A path or a query in an entry may hold a phone number, so entries are masked for users without the role
``pii``.
"""

import os
from collections.abc import Iterable
from pwd import getpwuid
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlencode

from sqlalchemy import Connection, Row, delete, insert, select

from api.application.masking import ALL_HIDDEN, HIDDEN, masked_number, masked_text
from api.web.auth.roles import AuditAction
from api.web.auth.store import AccessStore
from api.web.auth.tables import RECORDS

VIEWED_MAX = 1_000_000
RECORDS_MAX = 10_000_000
PRUNED_EVERY, PRUNED_AT_MOST = 1000, 100_000
TEXT_LENGTH_MAX = 1000
COMMAND = "command"


class AuditEntry(NamedTuple):
    """One entry: when (microseconds, UTC), who, how (session, token, command), from where, and what they did to what."""

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
        """What the entry is about, in one line: a request's method (except for a view), path and query, or a command."""
        method = f"{self.method} " if self.method not in {"", "GET"} else ""
        return f"{method}{self.path}{'?' if self.query else ''}{self.query}"


def command_entry(what: str, now: int) -> AuditEntry:
    """Return the entry for a change made by a command; ``who`` is the operating system's user name."""
    number = os.getuid()
    try:
        who = getpwuid(number).pw_name
    except KeyError:  # In a container a user may have only a number.
        who = f"user {number}"
    return AuditEntry(
        now, who, COMMAND, "", AuditAction.CHANGED, unmasked=False, method="", path=what, query="", status=0
    )


def add_entry(store: AccessStore, record: AuditEntry) -> None:
    """Add an entry; the store gives it its number."""
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
    """Remove old entries. Only views that became old recently are looked for: the earlier ones are already gone."""
    last = number - VIEWED_MAX
    of_late = RECORDS.c.id.between(last - PRUNED_AT_MOST, last)
    connection.execute(delete(RECORDS).where(of_late, RECORDS.c.did == AuditAction.VIEWED))
    connection.execute(delete(RECORDS).where(RECORDS.c.id <= number - RECORDS_MAX))


def delete_entries(store: AccessStore, before: int) -> int:
    """Delete all entries from before a moment (microseconds, UTC); return how many."""
    with store.exclusive() as connection:
        return connection.execute(delete(RECORDS).where(RECORDS.c.at < before)).rowcount


def audit_page(
    store: AccessStore, *, before: int | None = None, who: str = "", did: str = "", limit: int = 100
) -> list[AuditEntry]:
    """Return the latest entries, newest first, optionally those before a number, of one user or of one action."""
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
    """Return entries as users without the role ``pii`` see them."""
    return [entry._replace(path=masked_text(entry.path), query=_masked_query(entry.query)) for entry in records]


def _masked_query(query: str) -> str:
    pairs = parse_qsl(query, keep_blank_values=True)
    masked = urlencode([(name, _masked_value(name, value)) for name, value in pairs])
    return masked.replace(quote(HIDDEN), HIDDEN)


def _masked_value(name: str, value: str) -> str:
    # The search text may be anything, a number included.
    if name in {"number", "src"}:
        return masked_number(value)
    return ALL_HIDDEN if name in {"q", "email", "cursor"} else masked_text(value)


def _short(text: str) -> str:
    # PostgreSQL takes no U+0000, and a lone surrogate cannot be encoded.
    return text[:TEXT_LENGTH_MAX].encode(errors="backslashreplace").decode().replace("\0", "\\0")


def _record(row: Row[tuple[object, ...]]) -> AuditEntry:
    fields = row._asdict()
    return AuditEntry(**(fields | {"unmasked": bool(fields["unmasked"])}))

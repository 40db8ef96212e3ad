"""``tringledger access-log``: who looked at, unmasked, exported or changed what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from api.cli.commands.user import opened
from api.cli.console import print_json, print_table
from api.cli.options import format_option, store_option
from api.web.auth.roles import AuditAction
from domain import times

if TYPE_CHECKING:
    from api.web.auth.audit_log import AuditEntry

ENTRIES_MAX = 10_000_000
COLUMNS = ("at", "who", "did", "unmasked", "what", "status", "how", "address")


@click.command("access-log")
@click.option("--who", metavar="NAME", help="Entries of this user only.")
@click.option("--did", type=click.Choice([did.value for did in AuditAction]), help="Entries of this kind only.")
@click.option("--limit", default=100, show_default=True, type=click.IntRange(1, ENTRIES_MAX), help="How many at most.")
@format_option
@store_option
def access_log(who: str | None, did: str | None, limit: int, output: str, store: str | None) -> None:
    """Show who looked at, unmasked, exported or changed what, and who signed in: the latest entries, newest first.

    \b
    Examples:
      tringledger access-log --who ann
      tringledger access-log --did exported --limit 1000 --format json
    """
    from api.web.auth import audit_log as records

    with opened(store) as kept:
        found = [_document(entry) for entry in records.audit_page(kept, who=who or "", did=did or "", limit=limit)]
    if output == "json":
        print_json(found)
    else:
        print_table(COLUMNS, [["yes" if value is True else value or "" for value in entry.values()] for entry in found])


def _document(entry: AuditEntry) -> dict[str, object]:
    found = {column: getattr(entry, column) for column in COLUMNS}
    return found | {"at": times.iso(entry.at)}

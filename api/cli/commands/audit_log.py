"""``tringledger audit-log``: who viewed, unmasked, exported or changed what."""

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


@click.command("audit-log")
@click.option("--who", metavar="NAME", help="Only entries of this user.")
@click.option("--did", type=click.Choice([did.value for did in AuditAction]), help="Only entries of this kind.")
@click.option(
    "--limit", default=100, show_default=True, type=click.IntRange(1, ENTRIES_MAX), help="Maximum number of entries."
)
@format_option
@store_option
def audit_log(who: str | None, did: str | None, limit: int, output: str, store: str | None) -> None:
    """List who viewed, exported or changed what, newest first.

    The audit log also has sign-ins, failed sign-ins and refusals, and says where personal data was shown unmasked.

    \b
    Examples:
      tringledger audit-log --who ann
      tringledger audit-log --did exported --limit 1000 --format json
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

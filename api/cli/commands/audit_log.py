"""``tringledger audit-log``: who viewed, unmasked, exported or changed what."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from api.cli.commands.user import opened
from api.cli.console import note, print_json, print_table
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
@click.option("--delete-before", metavar="TIME", help="Delete entries from before this day, month or time instead.")
@format_option
@store_option
def audit_log(
    who: str | None, did: str | None, limit: int, delete_before: str | None, output: str, store: str | None
) -> None:
    """List who viewed, exported or changed what, newest first.

    The audit log also has sign-ins, failed sign-ins and refusals, and says where personal data was shown unmasked. That
    entries were deleted is an entry, too.

    \b
    Examples:
      tringledger audit-log --who ann
      tringledger audit-log --did exported --limit 1000 --format json
      tringledger audit-log --delete-before 2024-01
    """
    from api.web.auth import audit_log as records

    if delete_before is not None:
        if who or did:
            raise click.UsageError(
                "--delete-before deletes entries of everyone and every kind: expected no --who or --did"
            )
        _delete(delete_before, store)
        return
    with opened(store) as kept:
        found = [_document(entry) for entry in records.audit_page(kept, who=who or "", did=did or "", limit=limit)]
    if output == "json":
        print_json(found)
    else:
        print_table(COLUMNS, [["yes" if value is True else value or "" for value in entry.values()] for entry in found])


def _delete(before: str, store: str | None) -> None:
    from api.cli.ledger_access import open_ledger
    from api.web.auth import audit_log as records
    from projections.queries.time_points import read_time_point

    with open_ledger(store) as (ledger, _):
        at = read_time_point(before, ledger.timezone)
    assert at is not None
    with opened(store) as kept:
        deleted = records.delete_entries(kept, at)
        entry = records.command_entry(f"audit-log --delete-before {times.iso(at)}: {deleted} entries", times.now())
        records.add_entry(kept, entry)
    note(f"deleted {deleted} entries from before {times.iso(at)}")


def _document(entry: AuditEntry) -> dict[str, object]:
    found = {column: getattr(entry, column) for column in COLUMNS}
    return found | {"at": times.iso(entry.at)}

"""``tringledger proof fork``: a log that lost signed events continues."""

from __future__ import annotations

import click

from api.cli.console import note
from api.cli.ledger_access import open_ledger
from api.cli.options import author_options, store_option


@click.command()
@author_options
@store_option
def fork(by: str, reason: str, store: str | None) -> None:
    """Continue a log that lost signed events under a new name.

    For a log that was restored from a backup and lacks events that were signed. It is noted in the log, with the last
    checkpoint before; later checkpoints are named NAME/2, NAME/3 and so on; the old tree stays, as evidence of what was lost.
    It is refused for a log that continues its proofs, and for one in which events were changed: restore that.

    \b
    Examples:
      tringledger proof fork --by kim --reason "disk lost on 2026-11-03, restored the backup of that night"
    """
    from api.application.proofs.log_forks import fork_log

    with open_ledger(store) as (ledger, _):
        event = fork_log(ledger, by, reason)
    note(f"epoch {event.epoch} of the proofs has begun: the log is {event.origin} now, from position {event.kept} on")

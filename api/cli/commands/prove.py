"""``tringledger prove``: keep the proof tree of a ledger, and sign checkpoints of it, until told to stop."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import click

from api.cli.console import note
from api.cli.exit_codes import DONE, FINDING, SIGNALLED
from api.cli.ledger_access import open_ledger
from api.cli.options import store_option

if TYPE_CHECKING:
    from api.application.process_state import ProcessState


@click.command()
@click.option("--once", is_flag=True, help="Take in what the log has now, sign it, and end.")
@store_option
@click.pass_context
def prove(context: click.Context, once: bool, store: str | None) -> None:
    """Keep the proof tree of a ledger, and sign its checkpoints.

    Runs until Ctrl-C. A service does this by itself. Run it elsewhere, with TRINGLEDGER_LOG_KEY set there and not for the service, if the
    key must not be on the service's host: it needs to read the log only, and to write the proofs next to it. Of several
    provers one keeps the tree, and the others are its standbys.

    \b
    Examples:
      TRINGLEDGER_LOG_KEY=/etc/tringledger/log.key tringledger prove --store postgresql://prover@db.example.com/tringledger
      tringledger prove --once
    """
    from api.application.proofs.log_key import load_log_key
    from api.application.proofs.prover_settings import prover_settings, signing_settings
    from api.application.proofs.tree_keeper import TreeKeeper, keep_tree
    from api.cli.stop_signals import StopSignal

    with open_ledger(store) as (ledger, read), StopSignal() as stopping:
        load_log_key(ledger, signing_settings(read))  # Refused at once, not each second.
        settings = prover_settings(read)
        # Once is at once: whatever the interval is.
        keeper = TreeKeeper(ledger, settings._replace(checkpoint_seconds=0) if once else settings)
        if once:
            with closing(keeper):
                state = keeper.catch_up()
            _show(state)
            context.exit(FINDING if state.failure else DONE)
        keep_tree(keeper, stopping, _show)
    context.exit(SIGNALLED + stopping.signal if stopping.signal else DONE)


def _show(state: ProcessState) -> None:
    if state.stands_by:
        note(f"another prover keeps the tree, at position {state.position}: standing by")
    elif state.failure:
        note(f"the proof tree stopped at position {state.position}: {state.failure}")
    else:
        note(f"the proof tree has the log up to position {state.position}")

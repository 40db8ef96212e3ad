"""The command ``tringledger``. Data goes to stdout, everything else to stderr.

Exit codes: 0 done, 1 a finding, 2 usage, 3 the store (or the output, or another service) is unavailable.

Nothing is imported here that the help of the whole program does not need: a command imports what it uses when it is called.
"""

import errno
import signal
import sys
from typing import Any

import click

from api.cli.exit_codes import FINDING, INTERRUPTED, SIGNALLED, UNAVAILABLE, USAGE
from api.cli.lazy_group import LazyGroup
from domain.errors import LedgerError, Unavailable, WrongUsage

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
SUMMARIES = {
    "access-log": "Show who looked at, unmasked, exported or changed what, and who signed in: the latest entries, newest first.",
    "adjust": "Charge an account AMOUNT US cents, or credit it with a negative one; it is on the statement, with the reason.",
    "call": "Correct which notices are a call's, and which calls are billed.",
    "certificate": "Show the certificate that the last rebuild has left.",
    "close": "Close a month (YYYY-MM), and with it those before it: from then on it stays the same, byte for byte.",
    "copy": "Copy a ledger, as it is at this moment, from one store into another, and compare the two.",
    "diff": "Show what changed between two states of the ledger: calls, cost, SIP credits, price and margin, per account and month.",
    "exception": "See what looks odd and touches money, and say that it is settled.",
    "explain": "Explain what a call costs, or what an account's bill of a month is made of.",
    "export": "Write a read model to a file, or to stdout.",
    "forward": "Pass over what the handler at TRINGLEDGER_FORWARD_URL refuses for ever, and see what was.",
    "history": "Show every event of a call: where it stands in the log, what it said, and the call's state after it.",
    "import": "Record the notifications of files (plain or gzip, names or quoted patterns), or of stdin for -.",
    "metrics": "Show how calls went, per account and month: attempts, answered, ASR, NER, ACD, short calls, and what a minute costs.",
    "migrate": "Create the ledger where there is none, or bring the schema of an older one up to date.",
    "proof": "Prove that the log was not changed since it was signed.",
    "prove": "Keep the proof tree of a ledger and sign checkpoints of it, until Ctrl-C.",
    "quarantine": "Look at the notices that were refused and kept, and try them again.",
    "rebuild": "Build the read models anew from the log, beside the live ones, and swap.",
    "reconcile": "Compare the CDRs with a statement of TringMe: what agrees, what differs, what is missing on either side.",
    "register": "Tell TringMe to send its notifications to URL (its API's operation setnotifyurl).",
    "rehearse": "Play TringMe: place made-up calls, send their notifications to a service, and keep books of what must be charged.",
    "rerate": "Price an account's month by another version of the tariff.",
    "serve": "Take TringMe's callbacks, keep the read models up to date, and serve the pages and the API, until Ctrl-C.",
    "signature": "Find out how TringMe signs its notifications.",
    "statement": "Write the statement of an account for a month.",
    "status": "Show what the ledger holds, how far the read models are behind, and what waits for somebody.",
    "tail": "Show events as they come in, until Ctrl-C (exit code 130).",
    "tariff": "Check a tariff's file, publish it, and see what was published.",
    "trigger": "Send one signed notification to a running service, to try an integration; its answer goes to stdout.",
    "undo": "Reverse a correction, named by its position in the log: a split, merge, release, void, rerating or adjustment.",
    "user": "Add and remove users of the pages and the API, and say what each may.",
    "verify": "Verify FILE: a bundle of a bill or a call, the proof of an event, or a checkpoint.",
}


class _Program(LazyGroup):
    """Maps the ledger's refusals to a line on stderr and an exit code, for every subcommand alike."""

    def main(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super().main(*arguments, **named)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            click.echo(f"tringledger: the output cannot be written: {error.strerror}", err=True)
            sys.exit(UNAVAILABLE)

    def invoke(self, context: click.Context) -> object:
        try:
            return super().invoke(context)
        except KeyboardInterrupt:
            click.echo("tringledger: interrupted; what was recorded is kept", err=True)
            context.exit(INTERRUPTED)
        except LedgerError as error:
            click.echo(f"tringledger: {error}", err=True)
            context.exit(exit_code(error))


def exit_code(error: LedgerError) -> int:
    """Return the exit code of a refusal: 2 for wrong usage, 3 for what is unavailable, 1 for any other."""
    if isinstance(error, Unavailable):
        return UNAVAILABLE
    return USAGE if isinstance(error, WrongUsage) else FINDING


@click.group(
    cls=_Program,
    package="api.cli.commands",
    summaries=SUMMARIES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="tringledger", message="%(prog)s %(version)s")
def main() -> None:
    """Take TringMe's call notifications, never lose or double one, and tell what calls cost.

    The settings come from the environment; the documentation lists them. Data goes to stdout, everything else to stderr.
    Exit codes: 0 done, 1 a finding, 2 wrong usage, 3 the store (or the output, or another service) is unavailable,
    130 ended by Ctrl-C.
    """
    # A command that is told to end cleans up behind it, as on Ctrl-C. The service has its own way.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(SIGNALLED + number))

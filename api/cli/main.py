"""The command ``tringledger``. Data goes to stdout, everything else to stderr.

Exit codes: 0 done, 1 a finding, 2 usage, 3 the store (or the output, or another service) is unavailable.

Only what the help of the whole program needs is imported here: a command imports what it uses when it is called.
"""

import errno
import signal
import sys
from typing import Any

import click

from api.cli.exit_codes import FINDING, INTERRUPTED, SIGNALLED, UNAVAILABLE, USAGE
from api.cli.lazy_group import LazyGroup
from api.cli.stop_signals import end_quietly_when_unread
from domain.errors import LedgerError, Unavailable, WrongUsage

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
SUMMARIES = {
    "adjust": "Charge an account AMOUNT US cents, or credit it below 0.",
    "archive": "Write events of closed months to Parquet, and check them.",
    "audit-log": "List who viewed, exported or changed what, newest first.",
    "backup": "Save a ledger into a new folder, while the service runs.",
    "bill": "Close a month, and number and write customers' statements.",
    "call": "Correct which notices belong to a call, and which are billed.",
    "certificate": "Show the certificate of the last rebuild.",
    "close": "Close a month (YYYY-MM), and all months before it.",
    "copy": "Copy a ledger into another store, and compare the two.",
    "diff": "Show how billing changed between two states of the ledger.",
    "exception": "List exceptions that concern money, and resolve them.",
    "explain": "Explain the price of a call, or an account's bill of a month.",
    "export": "Write a read model to a file, or to stdout.",
    "forward": "Skip notifications that your handler keeps refusing.",
    "history": "Show every event of a call, and the call's state after it.",
    "import": "Record notifications from files, or from stdin for -.",
    "invoice": "Write a customer's statement of a month, in US dollars.",
    "metrics": "Show figures per account and month, such as ASR and ACD.",
    "migrate": "Create a ledger, or update the schema of an older one.",
    "party": "Check and publish who bills whom, and on what terms.",
    "proof": "Prove that the log was not changed since it was signed.",
    "prove": "Keep the proof tree of a ledger, and sign its checkpoints.",
    "quarantine": "List quarantined notices, reprocess them, or resolve them.",
    "rebuild": "Build the read models again from the log, and swap them in.",
    "reconcile": "Compare CDRs with a statement of TringMe, record by record.",
    "register": "Tell TringMe to send its notifications to URL.",
    "rehearse": "Simulate TringMe, and keep books of what must be charged.",
    "reissue": "Print a numbered document anew, with corrected addresses.",
    "rerate": "Price an account's month by another version of the tariff.",
    "restore": "Verify a backup, and restore it into an empty store.",
    "serve": "Record TringMe's callbacks, and serve the pages and the API.",
    "signature": "Find the formula that TringMe signs notifications with.",
    "spool": "List callbacks that wait in a spool, and replay them.",
    "statement": "Write the statement of an account for a month.",
    "status": "Show the state of the ledger, and what needs attention.",
    "tail": "Show events as they come in, until Ctrl-C (exit code 130).",
    "tariff": "Check a tariff file, publish it, and list published versions.",
    "trigger": "Send one signed sample notification to a running service.",
    "undo": "Reverse a correction, named by its position in the log.",
    "user": "Add and remove users of pages and API, and set their roles.",
    "verify": "Verify a bundle, the proof of an event, or a checkpoint.",
}
# Earlier names, which still work.
ALIASES = {"access-log": "audit-log"}


class _Program(LazyGroup):
    """Prints errors of the ledger as one line on stderr, and ends with their exit code, for all commands."""

    def main(self, *arguments: Any, **named: Any) -> Any:
        try:
            return super().main(*arguments, **named)
        except OSError as error:
            if error.errno not in NO_ROOM:
                raise
            click.echo(f"tringledger: cannot write the output: {error.strerror}", err=True)
            sys.exit(UNAVAILABLE)

    def invoke(self, context: click.Context) -> object:
        try:
            with end_quietly_when_unread():
                return super().invoke(context)
        except KeyboardInterrupt:
            click.echo("tringledger: interrupted; everything recorded until now is kept", err=True)
            context.exit(INTERRUPTED)
        except LedgerError as error:
            click.echo(f"tringledger: {error}", err=True)
            context.exit(exit_code(error))


def exit_code(error: LedgerError) -> int:
    """Return the exit code for an error: 2 for wrong usage, 3 if something is unavailable, else 1."""
    if isinstance(error, Unavailable):
        return UNAVAILABLE
    return USAGE if isinstance(error, WrongUsage) else FINDING


@click.group(
    cls=_Program,
    package="api.cli.commands",
    summaries=SUMMARIES,
    aliases=ALIASES,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="tringledger", message="%(prog)s %(version)s")
def main() -> None:
    """Record TringMe's call notifications without losing or doubling one, and bill the calls.

    The settings come from the environment; the documentation lists them. Data goes to stdout, everything else to stderr.
    Exit codes: 0 done, 1 a finding, 2 wrong usage, 3 the store (or the output, or another service) is unavailable,
    130 interrupted with Ctrl-C.
    """
    # A command that gets SIGTERM cleans up as it does after Ctrl-C. The service has its own handler.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(SIGNALLED + number))

"""The command ``tringledger``. Data goes to stdout, everything else to stderr.

Exit codes: 0 done, 1 a finding, 2 usage, 3 the store (or the output, or another service) is unavailable.
"""

import errno
import signal
import sys
from typing import Any

import click

from api.application.forwarding_position import CannotSkip
from api.application.http_get import Unanswered
from api.application.importing.files import NoSuchFile
from api.application.importing.rows import WrongTable
from api.application.rehearsal.expected_books import UnfitBooks
from api.application.rehearsal.observed_books import NotVerifiable
from api.application.rehearsal.target_url import WrongTarget
from api.cli.commands.access_log import access_log
from api.cli.commands.adjust import adjust
from api.cli.commands.call import call
from api.cli.commands.certificate import certificate
from api.cli.commands.close import close
from api.cli.commands.copy import copy
from api.cli.commands.diff import diff
from api.cli.commands.exception import exception
from api.cli.commands.explain import explain
from api.cli.commands.export import export
from api.cli.commands.forward import forward
from api.cli.commands.history import history
from api.cli.commands.import_ import import_
from api.cli.commands.metrics import metrics
from api.cli.commands.migrate import migrate
from api.cli.commands.quarantine import quarantine
from api.cli.commands.rebuild import rebuild
from api.cli.commands.reconcile import reconcile
from api.cli.commands.register import register
from api.cli.commands.rehearse import rehearse
from api.cli.commands.rerate import rerate
from api.cli.commands.serve import serve
from api.cli.commands.signature import signature
from api.cli.commands.statement import statement
from api.cli.commands.status import status
from api.cli.commands.tail import tail
from api.cli.commands.tariff import tariff
from api.cli.commands.trigger import trigger
from api.cli.commands.undo import undo
from api.cli.commands.user import user
from api.cli.exit_codes import FINDING, INTERRUPTED, SIGNALLED, UNAVAILABLE, USAGE
from api.settings import WrongSetting
from api.web.auth.users import NoSuchUser, UserExists
from domain.errors import (
    CopyRunning,
    LedgerError,
    MissingDriver,
    NoLedger,
    NotACopy,
    SettingsDiffer,
    StoreUnavailable,
    UnknownStore,
)
from projections.atomic_file import NotWritten
from projections.building.process_pool import WorkersLost, WorkersUnavailable, WorkersUnfit
from projections.queries.selection import SelectionError
from projections.stores.generations import RebuildRunning

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EIO)
EXIT_CODES: dict[type[LedgerError], int] = {
    StoreUnavailable: UNAVAILABLE,
    NoLedger: UNAVAILABLE,
    RebuildRunning: UNAVAILABLE,
    NotWritten: UNAVAILABLE,
    Unanswered: UNAVAILABLE,
    WorkersLost: UNAVAILABLE,
    WorkersUnavailable: UNAVAILABLE,
    WorkersUnfit: UNAVAILABLE,
    WrongSetting: USAGE,
    NoSuchFile: USAGE,
    WrongTable: USAGE,
    SettingsDiffer: USAGE,
    SelectionError: USAGE,
    UnknownStore: USAGE,
    WrongTarget: USAGE,
    UnfitBooks: USAGE,
    NotVerifiable: USAGE,
    CannotSkip: USAGE,
    MissingDriver: USAGE,
    NotACopy: USAGE,
    CopyRunning: UNAVAILABLE,
    NoSuchUser: USAGE,
    UserExists: USAGE,
}


class _Group(click.Group):
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
            code = next((code for kind, code in EXIT_CODES.items() if isinstance(error, kind)), FINDING)
            context.exit(code)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tringledger", message="%(prog)s %(version)s")
def main() -> None:
    """Take TringMe's call notifications, never lose or double one, and tell what calls cost.

    The settings come from the environment; the README lists them. Data goes to stdout, everything else to stderr.
    Exit codes: 0 done, 1 a finding, 2 wrong usage, 3 the store (or the output, or another service) is unavailable,
    130 ended by Ctrl-C.
    """
    # A command that is told to end cleans up behind it, as on Ctrl-C. The service has its own way.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(SIGNALLED + number))


for command in (
    serve,
    migrate,
    import_,
    export,
    diff,
    explain,
    status,
    history,
    quarantine,
    forward,
    rebuild,
    certificate,
    metrics,
    reconcile,
    close,
    call,
    adjust,
    exception,
    undo,
    copy,
    signature,
    register,
    trigger,
    tail,
    rehearse,
    user,
    access_log,
    tariff,
    rerate,
    statement,
):
    main.add_command(command)

"""``tringledger archive``: events of closed months as Parquet files, their check, and a ledger made anew from them."""

from __future__ import annotations

import click

from api.cli.lazy_group import LazyGroup

SUMMARIES = {
    "restore": "Make a ledger anew from an archive, in an empty store.",
    "verify": "Check an archive, without the ledger that it was made of.",
    "write": "Archive the events up to the last closing into DEST.",
}
DEFAULT = "write"


class _ArchiveGroup(LazyGroup):
    """Takes anything that is none of its commands for the arguments of `write`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ArchiveGroup, package="api.cli.archive_commands", summaries=SUMMARIES)
def archive() -> None:
    """Write events of closed months to Parquet, and check them.

    `tringledger archive DEST` is short for `tringledger archive write DEST`.
    """

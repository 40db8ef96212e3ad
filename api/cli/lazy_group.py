"""A group of commands that loads a command's module only when the command is called.

This is click's documented pattern of lazily loaded subcommands, with one addition: the group knows the first sentence of
each command's help, so that its own help and the shell's completion load no command at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from keyword import iskeyword
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem


class LazyGroup(click.Group):
    """Commands by name, each in a module of ``package`` that is named like it and holds it under that name.

    ``summaries`` maps the names to the first sentences of the commands' helps, ``aliases`` maps other names, which are not
    listed, to these.
    """

    def __init__(
        self,
        name: str | None,
        *,
        package: str,
        summaries: Mapping[str, str],
        aliases: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        """Make the group ``name``; ``options`` are click's."""
        # These commands have names and summaries alone: what lists, completion and suggestions show.
        listed = {each: click.Command(each, help=summary) for each, summary in summaries.items()}
        hidden = {alias: click.Command(alias, hidden=True) for alias in aliases or {}}
        super().__init__(name, commands=listed | hidden, **options)
        self._package = package
        self._aliases = aliases or {}

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a command; return None for a name that the group does not have."""
        if cmd_name not in self.commands:
            return None
        symbol = self._aliases.get(cmd_name, cmd_name).replace("-", "_")
        if iskeyword(symbol):
            symbol += "_"
        command: click.Command = getattr(import_module(f"{self._package}.{symbol}"), symbol)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the list of commands."""
        self._listing().format_commands(ctx, formatter)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands and options that begin with what was typed."""
        listing = self._listing()
        return listing.shell_complete(click.Context(listing, parent=ctx.parent, info_name=ctx.info_name), incomplete)

    def _listing(self) -> click.Group:
        return click.Group(self.name, commands=self.commands, params=self.params)

"""The commands, as their help explains them."""

from collections.abc import Iterator

import click

from api.cli.main import main

PROGRAM = "tringledger"
WIDTH = 100


def all_commands() -> Iterator[tuple[str, click.Context]]:
    """Return every command, the program itself first: its whole name, and a context to ask for its help."""
    yield from _with_subcommands(PROGRAM, main, None)


def _with_subcommands(
    name: str, command: click.Command, parent: click.Context | None
) -> Iterator[tuple[str, click.Context]]:
    context = command.context_class(
        command, parent=parent, info_name=name.rpartition(" ")[2], terminal_width=WIDTH, **command.context_settings
    )
    yield name, context
    if not isinstance(command, click.Group):
        return
    for each in command.list_commands(context):
        subcommand = command.get_command(context, each)
        if subcommand is not None and not subcommand.hidden:
            yield from _with_subcommands(f"{name} {each}", subcommand, context)


def describe() -> str:
    """Return a section for each command with its help."""
    return "\n".join(_section(name, context) for name, context in all_commands())


def _section(name: str, context: click.Context) -> str:
    level = "##" if name.count(" ") < 2 else "###"  # noqa: PLR2004 - a command of a group has two words behind the program's.
    return f"{level} {name}\n\n```text\n{context.command.get_help(context)}\n```\n"

"""The commands, as they explain themselves: their help, and a table of their options."""

import re
from collections.abc import Iterator
from inspect import cleandoc

import click

from api.cli.main import main
from generated_reference.markdown import code, table

PROGRAM = "tringledger"
# With this mark click keeps the lines of a paragraph as they are.
KEPT = "\b"


def all_commands() -> Iterator[tuple[str, click.Context]]:
    """Return every command, the program itself first: its whole name, and a context to ask for its help."""
    yield from _with_subcommands(PROGRAM, main, None)


def _with_subcommands(
    name: str, command: click.Command, parent: click.Context | None
) -> Iterator[tuple[str, click.Context]]:
    word = name.rpartition(" ")[2]
    context = command.context_class(command, parent=parent, info_name=word, **command.context_settings)
    yield name, context
    if not isinstance(command, click.Group):
        return
    for each in command.list_commands(context):
        subcommand = command.get_command(context, each)
        if subcommand is not None and not subcommand.hidden:
            yield from _with_subcommands(f"{name} {each}", subcommand, context)


def describe() -> str:
    """Return a section for each command."""
    return "\n".join(_section(name, context) for name, context in all_commands())


def _section(name: str, context: click.Context) -> str:
    command = context.command
    level = "##" if context.parent is None or context.parent.parent is None else "###"
    usage = " ".join([name, *command.collect_usage_pieces(context)])
    parts = [f"{level} {name}", f"```text\n{usage}\n```", *_prose(cleandoc(command.help or ""))]
    if isinstance(command, click.Group):
        parts.append(_subcommands(name, command, context))
    options = [each for each in command.params if isinstance(each, click.Option) and not each.hidden]
    records = [record for each in options if (record := each.get_help_record(context))]
    if records:
        parts.append(table(("option", "meaning"), [(code(flags), meaning) for flags, meaning in records]))
    return "\n\n".join(parts) + "\n"


def _prose(text: str) -> Iterator[str]:
    for paragraph in re.split(r"\n\s*\n", text):
        lines = paragraph.splitlines()
        if lines and lines[0].strip() == KEPT:
            yield "\n".join(["```text", *lines[1:], "```"])
        else:
            yield " ".join(paragraph.split())


def _subcommands(name: str, group: click.Group, context: click.Context) -> str:
    rows = [
        (f"[{code(each)}](#{name.replace(' ', '-')}-{each})", command.get_short_help_str(limit=200))
        for each in group.list_commands(context)
        if (command := group.get_command(context, each)) is not None and not command.hidden
    ]
    return table(("command", "what it does"), rows)

"""How the command speaks: data on stdout, everything else on stderr; tables for people, JSON for programs."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click
import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

UNLIMITED_COLUMNS = 10_000


def say(text: str) -> None:
    """Tell a person something beside the data."""
    click.echo(text, err=True)


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "") -> None:
    """Print a table on stdout: as wide as the terminal, or as wide as it needs where the output is piped."""
    console = Console(highlight=False, width=None if sys.stdout.isatty() else UNLIMITED_COLUMNS)
    drawn = Table(
        title=title or None,
        title_justify="left",
        box=None,
        pad_edge=False,
        padding=(0, 2, 0, 0),
        show_header=any(columns),
    )
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        drawn.add_row(*("" if value is None else _printable(str(value)) for value in row))
    with console.capture() as capture:
        console.print(drawn)
    for line in capture.get().splitlines():
        click.echo(line.rstrip())


def _printable(text: str) -> str:
    """Return text that came over the wire so that it moves no cursor and is no markup."""
    shown = "".join(character if character.isprintable() else repr(character)[1:-1] for character in text)
    return shown.replace("[", r"\[")


def as_json(content: object) -> None:
    """Print a JSON document on stdout."""
    click.echo(msgspec.json.format(msgspec.json.encode(content), indent=2).decode())


Moved = Callable[[int], None]


@contextmanager
def progress(what: str, total: int | None, unit: str = "") -> Iterator[Moved]:
    """Show a progress bar on stderr while something long runs; none where stderr is not a terminal."""
    console = Console(stderr=True)
    columns: list[Any] = [SpinnerColumn(), TextColumn("{task.description}"), BarColumn()]
    columns += [MofNCompleteColumn(), TextColumn(unit), TimeRemainingColumn()]
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)

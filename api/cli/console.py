"""What commands print: data on stdout, everything else on stderr; tables for people, JSON for programs."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import TYPE_CHECKING, Any

import click

from domain.text import printable

if TYPE_CHECKING:
    from rich.console import Console

    from api.application.http_get import HttpAnswer

UNLIMITED_COLUMNS = 10_000
# Longer tables are cut: a terminal shows no more, and programs ask for another format.
TABLE_ROWS_MAX = 50
# More than these are printed plainly, also on a terminal.
DRAWN_ROWS_MAX = 500


def note(text: str) -> None:
    """Print a message on stderr."""
    click.echo(printable(text), err=True)


def note_span(since: int | None, until: int | None, timezone: str) -> None:
    """Print on stderr from when to when (microseconds, UTC) rows are selected, if they are: days may end where you did not expect it."""
    from projections.queries.time_points import describe_span

    if span := describe_span(since, until, timezone):
        note(span)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], *, title: str = "", may_be_records: bool = False
) -> None:
    """Print a table on stdout: as wide as the terminal, or as wide as needed if the output is piped.

    With ``may_be_records``, a table that is wider than the terminal becomes records, one line a value, as psql's
    expanded display has them.
    """
    from rich.console import Console

    console = Console(highlight=False, emoji=False, width=None if sys.stdout.isatty() else UNLIMITED_COLUMNS)
    shown = [["" if value is None else printable(str(value)) for value in row] for row in rows]
    if title:
        click.echo(printable(title))
    if not console.is_terminal or len(rows) > DRAWN_ROWS_MAX:
        lines = _aligned([columns, *shown] if any(columns) else shown, console.width)
        if lines is not None:
            click.echo("".join(f"{line}\n" for line in lines), nl=False)
            return
    _draw(console, columns, shown, may_be_records=may_be_records)


def _aligned(rows: Sequence[Sequence[str]], width: int) -> list[str] | None:
    """Return a table as lines of plain text, or None where it is wider than that: a hundredth of the work of drawing it."""
    from rich.cells import cell_len

    widths = [max(map(cell_len, column)) for column in zip(*rows, strict=True)]
    if sum(widths) + 2 * len(widths) > width:
        return None
    if all(map(str.isascii, chain.from_iterable(rows))):
        form = "  ".join(f"{{:{size}}}" for size in widths)
        return [form.format(*row).rstrip() for row in rows]
    return [
        "  ".join(cell + " " * (size - cell_len(cell)) for cell, size in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def _draw(console: Console, columns: Sequence[str], rows: Sequence[Sequence[str]], *, may_be_records: bool) -> None:
    """Print a table as rich draws it: with a bold heading on a terminal, and folded where it is too wide."""
    from rich.table import Table
    from rich.text import Text

    drawn = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=any(columns))
    for column in columns:
        drawn.add_column(column, overflow="fold")
    for row in rows:
        # As Text, because markup may stand in a tag.
        drawn.add_row(*map(Text, row))
    if (
        may_be_records
        and console.measure(drawn, options=console.options.update(max_width=UNLIMITED_COLUMNS)).maximum > console.width
    ):
        _print_records(columns, rows)
        return
    with console.capture() as capture:
        console.print(drawn)
    for line in capture.get().splitlines():
        click.echo(line.rstrip())


def _print_records(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print each row as lines of a column's name and its value; the terminal wraps what is still too long."""
    width = max(map(len, columns))
    for number, row in enumerate(rows, 1):
        click.echo(f"-- {number} of {len(rows)}")
        for column, value in zip(columns, row, strict=True):
            click.echo(f"{column:{width}}  {value}".rstrip())


def print_more(count: int, form: str) -> None:
    """Print below a table that ``count`` rows are left out, and which format has them; nothing if ``count`` is 0."""
    if count > 0:
        click.echo(f"... and {count} more: --format {form} has them all")


def print_json(content: object) -> None:
    """Print a JSON document on stdout."""
    import msgspec

    click.echo(msgspec.json.format(msgspec.json.encode(content), indent=2).decode())


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print CSV on stdout, row by row, as exports write it: RFC 4180 in UTF-8, whatever the terminal's encoding."""
    for row in chain((columns,), rows):
        line = io.StringIO(newline="")
        csv.writer(line, lineterminator="\r\n").writerow(row)
        click.echo(line.getvalue().encode(), nl=False)


def show_answer(answer: HttpAnswer) -> None:
    """Print the answer of another service: its status on stderr, its body on stdout, byte for byte.

    On a terminal a line that is not ended is ended, or else the prompt would stick to it.
    """
    if answer.status:
        note(answer.line)
    click.echo(answer.body, nl=bool(answer.body) and sys.stdout.isatty() and not answer.body.endswith(b"\n"))


Moved = Callable[[int], None]


@contextmanager
def progress(what: str, total: int | None, unit: str = "") -> Iterator[Moved]:
    """Show a progress bar on stderr while something long runs; none if stderr is not a terminal."""
    if not sys.stderr.isatty():
        yield lambda _done: None
        return
    from rich import progress as bars
    from rich.console import Console

    columns: list[Any] = [bars.SpinnerColumn(), bars.TextColumn("{task.description}"), bars.BarColumn()]
    columns += [bars.MofNCompleteColumn(), bars.TextColumn(unit), bars.TimeRemainingColumn()]
    with bars.Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)

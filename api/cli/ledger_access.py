"""What the subcommands share: the store's option, opening a ledger for reading, and bringing read models up to date."""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import click

from api import settings
from api import urls as addresses
from api.application.http_get import TIMEOUT_SECONDS, Answer
from api.cli.console import progress, say
from api.settings import Settings
from domain.ledger import Ledger
from projections.building.as_of import built_as_of
from projections.building.catch_up import catch_up
from projections.building.process_pool import folding
from projections.stores.generations import ReadStore, open_current


def store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--store``."""
    return click.option(
        "--store", metavar="URL", help="Where the ledger is (default: TRINGLEDGER_STORE, or sqlite:///tringledger.db)."
    )(command)


def catch_up_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--no-catch-up``."""
    return click.option(
        "--no-catch-up", is_flag=True, help="Read what is there, without catching up to the log's head first."
    )(command)


def format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--format table|json``."""
    return click.option(
        "--format",
        "output",
        type=click.Choice(["table", "json"]),
        default="table",
        show_default=True,
        help="A table for people, or JSON for programs.",
    )(command)


def timeout_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that calls another service the option ``--timeout``."""
    return click.option(
        "--timeout",
        metavar="SECONDS",
        default=TIMEOUT_SECONDS,
        show_default=True,
        type=click.FloatRange(0, 3600, min_open=True),
        help="How long the whole answer may take.",
    )(command)


class Address(click.ParamType[str]):
    """The address of a web service, as an argument."""

    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the address, or end with wrong usage."""
        try:
            return addresses.checked(value)
        except ValueError as error:
            self.fail(f"{value!r}: expected {error}", param, ctx)


def show_answer(answer: Answer) -> None:
    """Show what another service answered: its status on stderr, its body on stdout, byte for byte.

    On a terminal a line that is not ended is ended, or else the prompt would stick to it.
    """
    if answer.status:
        say(answer.line)
    click.echo(answer.body, nl=bool(answer.body) and sys.stdout.isatty() and not answer.body.endswith(b"\n"))


@contextmanager
def reading(store: str | None) -> Iterator[tuple[Ledger, Settings]]:
    """Open an existing ledger for reading; the private key is not needed."""
    read = settings.load(store=store)
    with Ledger(read.store, terms=read.terms) as ledger:
        yield ledger, read


@contextmanager
def standing_as_of(ledger: Ledger, position: int) -> Iterator[ReadStore]:
    """Build a ledger's read models as they were at a position, aside, for as long as they are looked at."""
    with ExitStack() as looking:
        with progress("Looking back", position, "events") as moved:
            store = looking.enter_context(built_as_of(ledger, position, lambda done, _: moved(done), folding(position)))
        yield store


@contextmanager
def read_models(ledger: Ledger, *, caught_up: bool) -> Iterator[ReadStore]:
    """Open a ledger's read models, caught up to the log's head as of now unless told otherwise."""
    store = open_current(ledger)
    try:
        if caught_up:
            with progress("Catching up", ledger.head(), "events") as moved:
                catch_up(ledger, store, progress=moved)
        yield store
    finally:
        store.close()

"""The options and arguments that commands share. Nothing is imported here that a command's help does not need."""

import string
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from api import urls as addresses
from domain import times
from domain.months import Month

HTTP_TIMEOUT_SECONDS = 30.0
# Fewer hexadecimal digits would fit too many calls.
CALL_ID_DIGITS_MIN, CALL_ID_DIGITS = 4, 32
TAB = "tab"
# Of documents that are printed: statements, and those for customers.
DOCUMENT_FORMATS = ("html", "pdf", "json", "csv")
DOCUMENT_SUFFIXES = {f".{form}": form for form in DOCUMENT_FORMATS} | {".htm": "html"}


def store_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--store``."""
    return click.option(
        "--store",
        metavar="URL",
        help="The store of the ledger (default: TRINGLEDGER_STORE, or sqlite:///tringledger.db).",
    )(command)


def wait_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--wait``."""
    return click.option(
        "--wait",
        metavar="SECONDS",
        default=0.0,
        type=click.FloatRange(0, 86400),
        help="Wait up to this long for a PostgreSQL server that cannot be reached yet.",
    )(command)


def catch_up_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--no-catch-up``."""
    return click.option(
        "--no-catch-up", is_flag=True, help="Read the read models as they are, without catching up first."
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


def report_format_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--format table|json|csv``."""
    return click.option(
        "--format",
        "form",
        type=click.Choice(["table", "json", "csv"]),
        default="table",
        show_default=True,
        help="A table for people, JSON or CSV for programs.",
    )(command)


def output_options(
    formats: Sequence[str], default: str, text: str, suffixes: Mapping[str, str]
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Return a decorator that gives a command the options ``--output`` and ``--format``; the file's suffix says the format, too.

    ``suffixes`` maps suffixes to formats. A suffix that is not among them says nothing.
    """

    def find_format(context: click.Context, _option: click.Parameter, form: str) -> str:
        """Return the format that is named, else the suffix's, else the default; end with wrong usage if they differ."""
        path: Path | None = context.params.get("output")
        meant = suffixes.get(path.suffix.lower()) if path else None
        if meant is None or context.get_parameter_source("form") is ParameterSource.DEFAULT:
            return meant or form
        if form != meant:
            msg = f"got {form} for the file {path}; expected {meant}, or another suffix"
            raise click.BadParameter(msg)
        return form

    def give(command: Callable[..., Any]) -> Callable[..., Any]:
        form = click.option(
            "--format",
            "form",
            type=click.Choice(formats),
            default=default,
            show_default=f"that of the file's suffix, or {default}",
            callback=find_format,
            help=f"{text}.",
        )
        file = click.option(
            "-o",
            "--output",
            is_eager=True,  # Read first, because the format depends on it.
            type=click.Path(dir_okay=False, path_type=Path),
            help="The file (default: stdout).",
        )
        return form(file(command))

    return give


def as_of_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--as-of``."""
    return click.option(
        "--as-of", metavar="POSITION|TIME", help="The state at that position of the log, or at that time."
    )(command)


def span_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options ``--from``, ``--to``, ``--through`` and ``--period``, which select rows by their time."""
    for option in (
        click.option("--period", metavar="YYYY-MM", help="Only this month, in the billing time zone."),
        click.option(
            "--through",
            metavar="TIME",
            help="Only rows up to this day, month or time, which is taken in; instead of --to.",
        ),
        click.option("--to", "until", metavar="TIME", help="Only rows before this day, month or time."),
        click.option(
            "--from",
            "since",
            metavar="TIME",
            help="Only rows from this day, month or time on; 24h or 7d: since then.",
        ),
    ):
        command = option(command)
    return command


def timeout_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command that calls another service the option ``--timeout``."""
    return click.option(
        "--timeout",
        metavar="SECONDS",
        default=HTTP_TIMEOUT_SECONDS,
        show_default=True,
        type=click.FloatRange(0, 3600, min_open=True),
        help="Maximum time for the whole answer.",
    )(command)


class CallIdParameter(click.ParamType[str]):
    """The id of a call or its beginning, as an argument: hexadecimal digits in lower case, without dashes."""

    name = "call_id"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the id or the beginning, or end with wrong usage."""
        digits = value.replace("-", "").lower()
        if not (
            CALL_ID_DIGITS_MIN <= len(digits) <= CALL_ID_DIGITS and all(each in string.hexdigits for each in digits)
        ):
            expected = f"the id of a call, or at least its first {CALL_ID_DIGITS_MIN} digits"
            self.fail(f"{value!r}: expected {expected}", param, ctx)
        return digits


class Address(click.ParamType[str]):
    """The URL of a web service, as an argument."""

    name = "url"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the URL, or end with wrong usage."""
        try:
            return addresses.check_url(value)
        except ValueError as error:
            self.fail(f"{value!r}: expected {error}", param, ctx)


def author_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options ``--by`` and ``--reason``, which the log keeps permanently with the operator event."""
    command = click.option("--reason", required=True, metavar="TEXT", help="The reason; kept permanently.")(command)
    return click.option("--by", required=True, metavar="NAME", help="Your name; kept permanently.")(command)


def dry_run_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a correction the option ``--dry-run``."""
    return click.option(
        "--dry-run", is_flag=True, help="Preview the events and the money that would move; append nothing."
    )(command)


def period_argument(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Return a month, or end with wrong usage."""
    try:
        return str(Month.parse(value))
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def optional_period(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return a month or None, or end with wrong usage."""
    return value and period_argument(context, parameter, value)


def assignments(*names: str) -> Callable[[click.Context, click.Parameter, Sequence[str]], dict[str, str]]:
    """Return the callback of a repeatable option NAME=VALUE that takes these names."""

    def read(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> dict[str, str]:
        for value in values:
            name, mark, _ = value.partition("=")
            if not mark or name not in names:
                msg = f"{value!r}: expected NAME=VALUE with a NAME of {', '.join(names)}"
                raise click.BadParameter(msg)
        return {name: text for name, _, text in (value.partition("=") for value in values)}

    return read


def printable_text(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """Return a text without surrounding blanks, or end with wrong usage."""
    if text is not None and not (text.strip() and text.isprintable()):
        msg = f"{text!r}: expected a text of printable characters"
        raise click.BadParameter(msg)
    return text and text.strip()


def time_zone(_context: click.Context, _option: click.Parameter, name: str | None) -> str | None:
    """Return the IANA name of a time zone, or end with wrong usage."""
    try:
        return name and times.zone(name).key
    except ValueError as error:
        raise click.BadParameter(str(error)) from None


def delimiter_character(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """Return the character that separates values, or end with wrong usage."""
    character = "\t" if text == TAB else text
    if character is not None and (len(character) != 1 or character in '"\r\n'):
        msg = f"{text!r}: expected one character, or {TAB}"
        raise click.BadParameter(msg)
    return character

"""What the commands of operators share: who acts and why, and how a month is named."""

import re
from collections.abc import Callable, Sequence
from typing import Any

import click

from domain import times

_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")


def author_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options ``--by`` and ``--reason``, which the log keeps with the act for ever."""
    command = click.option("--reason", required=True, metavar="TEXT", help="Why it is done.")(command)
    return click.option("--by", required=True, metavar="NAME", help="Who does it.")(command)


def period_argument(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    """Return a month, or end with wrong usage."""
    if not _MONTH.fullmatch(value):
        msg = f"{value!r} is not a month: expected YYYY-MM, such as 2026-10"
        raise click.BadParameter(msg)
    return value


def optional_period(context: click.Context, parameter: click.Parameter, value: str | None) -> str | None:
    """Return a month, if one is given, or end with wrong usage."""
    return value and period_argument(context, parameter, value)


TAB = "tab"


def assignments(*names: str) -> Callable[[click.Context, click.Parameter, Sequence[str]], dict[str, str]]:
    """Return what reads a repeatable option of the form NAME=VALUE, of these names."""

    def read(_context: click.Context, _option: click.Parameter, values: Sequence[str]) -> dict[str, str]:
        for value in values:
            name, mark, _ = value.partition("=")
            if not mark or name not in names:
                msg = f"{value!r}: expected NAME=VALUE with a NAME of {', '.join(names)}"
                raise click.BadParameter(msg)
        return {name: text for name, _, text in (value.partition("=") for value in values)}

    return read


def printable_text(_context: click.Context, _option: click.Parameter, text: str | None) -> str | None:
    """Return a text without the blanks around it, or end with wrong usage."""
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

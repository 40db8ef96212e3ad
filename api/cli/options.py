"""What the commands of operators share: who acts and why, and how a month is named."""

import re
from collections.abc import Callable
from typing import Any

import click

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

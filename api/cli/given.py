"""How options are read whose values have a form of their own; what does not have it is wrong usage."""

from collections.abc import Callable, Sequence

import click

from domain import times

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

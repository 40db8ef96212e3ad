"""``tringledger signature``: find the formula that TringMe signs with, from captured notifications (SPEC 3)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

import click

from api.cli.console import note
from api.cli.exit_codes import DONE, FINDING

if TYPE_CHECKING:
    from api.application.captured_notices import Capture
    from domain.notices.signature_search import FormulaGroup

LINES_SHOWN_MAX = 10


@click.group()
def signature() -> None:
    """Find the formula that TringMe signs notifications with."""


@signature.command()
@click.option("--query", metavar="QUERY", help="A captured query string or URL.")
@click.option(
    "--file",
    type=click.File("rb"),
    help="Captured notifications, one per line: query strings, URLs, or the NDJSON that import reads (default: stdin).",
)
@click.pass_context
def identify(context: click.Context, query: str | None, file: BinaryIO | None) -> None:
    """Find the formula that captured notifications are signed with. The private key is never printed.

    Tries the formulas of TRINGLEDGER_SIGNATURE, and all combinations of order, separators, place of the key, coverage,
    letter case, encoding and digest, with the keys in TRINGME_PRIVATE_KEY. Several notifications give a clearer result
    than one; at most 1000 are read. The exit code is 1 if no setting fits all of them.

    \b
    Examples:
      TRINGME_PRIVATE_KEY=… tringledger signature identify --query 'f=tm&tag=…&r=…&sig=…'
      tringledger signature identify --file captured.txt
    """
    from api import settings
    from domain.notices import signature_search as identifying

    keys = [key.encode(errors="surrogateescape") for key in settings.load_settings().needed_keys()]
    read = _read(query, file)
    if not read:
        raise click.UsageError("no notification: expected a captured query string, such as f=tm&tag=…&r=…&sig=…")
    usable = [each for each in read if each.notice]
    for each in read:
        if each.problem:
            note(f"line {each.line} is not a signed notification: {each.problem}")
    groups = identifying.search_formulas([each.notice for each in usable if each.notice], keys)
    if groups and len(groups[0].fits) == len(read):
        context.exit(_tell(groups[0]))
    if groups:
        _tell_partial(groups, usable, len(read))
    elif usable:
        _tell_none(len(keys))
    context.exit(FINDING)


def _read(query: str | None, file: BinaryIO | None) -> list[Capture]:
    from api.application import captured_notices as captures
    from api.application.captured_notices import CAPTURES_MAX

    if query is not None:
        if file:
            raise click.UsageError("expected either --query or --file")
        return [captures.read_capture(query.encode(errors="surrogateescape"))]
    read = list(islice(captures.read_captures(file or sys.stdin.buffer), CAPTURES_MAX + 1))
    if len(read) > CAPTURES_MAX:
        note(f"only the first {CAPTURES_MAX} notifications are read")
    return read[:CAPTURES_MAX]


def _tell(group: FormulaGroup) -> int:
    """Print the formula that fits all notifications; return the exit code."""
    for name in group.names:
        click.echo(f"TRINGLEDGER_SIGNATURE={name}")
    if not group.names:
        note(f"they are signed with {group.variants[0]}, for which there is no setting yet")
    for words in group.ambiguous_dimensions().values():
        note(f"these notifications do not decide between {' and '.join(words)}")
    return DONE if group.names else FINDING


def _tell_partial(groups: Sequence[FormulaGroup], usable: Sequence[Capture], total: int) -> None:
    left = set(range(len(usable)))
    for group in groups:
        what = " and ".join(f"TRINGLEDGER_SIGNATURE={name}" for name in group.names)
        note(f"{what or group.variants[0]}: fits {len(group.fits)} of {total}: {_lines(group.fits, usable)}")
        left -= group.fits
    if left:
        note(f"no formula fits {len(left)} of {total}: {_lines(left, usable)}")


def _lines(indexes: set[int] | frozenset[int], usable: Sequence[Capture]) -> str:
    lines = [str(usable[index].line) for index in sorted(indexes)]
    more = f" and {len(lines) - LINES_SHOWN_MAX} more" if len(lines) > LINES_SHOWN_MAX else ""
    return f"line {', '.join(lines[:LINES_SHOWN_MAX])}{more}"


def _tell_none(keys: int) -> None:
    from domain.notices import signature_variants
    from domain.notices.signature_variants import DIMENSIONS, NAMED

    tried = f"neither {', '.join(NAMED)} nor any other of {signature_variants.size()} combinations"
    note(f"no formula fits, {tried}, with {keys} key(s):")
    for name, choices in DIMENSIONS.items():
        note(f"  {name}: {'; '.join(choices.values())}")

"""Where the commands of ``tringledger proof`` write what they make: to a file, whole or not at all, or to stdout."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from api.cli.console import note


def output_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--output``."""
    return click.option(
        "-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file (default: stdout)."
    )(command)


def write_proof(content: bytes, output: Path | None, what: str) -> None:
    """Write to a file, or to stdout where none is given; raises NotWritten."""
    from projections.atomic_file import map_write_errors

    if output is None:
        sys.stdout.buffer.write(content)
        return
    with map_write_errors(output, what) as file:
        file.write(content)
    note(f"{what} is in {output}")

"""The sample logs, and what each of them must yield."""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

SAMPLES = Path(__file__).parents[1] / "samples"
SAMPLE_NAMES = ("traffic", "adverse", "edges", "busy-lines")


class Sample(NamedTuple):
    """A sample log: its lines as (received_at, query), and what they must yield."""

    lines: list[tuple[str, str]]
    counts: dict[str, int]
    cdrs: list[dict[str, str]]
    billing: list[dict[str, str]]


def sample(name: str, folder: Path = SAMPLES) -> Sample:
    """Read a sample log and what stands beside it."""
    read = [msgspec.json.decode(row) for row in (folder / f"{name}.ndjson").read_bytes().splitlines()]
    counts: dict[str, int] = msgspec.json.decode((folder / f"{name}-counts.json").read_bytes())
    tables = [rows_of_csv((folder / f"{name}-{table}.csv").read_bytes()) for table in ("cdrs", "billing")]
    return Sample([(row["received_at"], row["query"]) for row in read], counts, *tables)


def rows_of_csv(content: bytes) -> list[dict[str, str]]:
    """Read a CSV file with its header."""
    return list(csv.DictReader(content.decode().splitlines(keepends=True)))


def columns_of(rows: Sequence[dict[str, Any]], wanted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with only the columns that the wanted rows have."""
    return [{name: row[name] for name in wanted[0]} for row in rows]

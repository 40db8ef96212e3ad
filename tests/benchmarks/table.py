"""The table: what was measured, as Markdown for people or as JSON for programs, and on what machine."""

import os
import platform
import sqlite3
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import msgspec

from tests.benchmarks.measure import Row, Sizes

SYNCS = 50
HEADINGS = ("what", "ours", "against", "its", "ratio (least to most)", "must reach", "aim", "reached")


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a table that reads well as it is, too."""
    lines = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    padded = [[cell.ljust(width) for cell, width in zip(line, widths, strict=True)] for line in lines]
    padded.insert(1, ["-" * width for width in widths])
    return "\n".join(f"| {' | '.join(line)} |" for line in padded)


def _cells(row: Row) -> tuple[str, ...]:
    most = "at most " if row.at_most else ""
    return (
        row.what,
        _figure(row.ours, row.unit),
        row.against,
        _figure(row.yardstick, row.unit),
        f"{row.ratio:.2f} ({row.ratios[0]:.2f} to {row.ratios[-1]:.2f})",
        *(f"{most}{mark:g}" if mark is not None else "" for mark in (row.must_reach, row.aim)),
        row.reached,
    )


def _figure(figure: float, unit: str) -> str:
    return f"{figure:,.0f}{unit}" if figure >= 100 else f"{figure:.2f}{unit}"


def notes(rows: Sequence[Row], sizes: Sizes) -> list[str]:
    """Return what one must know to read the table."""
    machine = (
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()},"
        f" SQLite {sqlite3.sqlite_version}; a write synced to disk takes {_sync_milliseconds(sizes.directory):.2f} ms."
    )
    return [
        f"Median of {sizes.runs} pairs, yardstick and ours in turns; {sizes.events:,} events.",
        *(note for row in rows for note in row.notes),
        machine,
    ]


def as_json(rows: Sequence[Row], sizes: Sizes) -> str:
    """Return rows and notes as JSON, with every pair."""
    found = [
        {
            "what": row.what,
            "ours": row.ours,
            "against": row.against,
            "its": row.yardstick,
            "unit": row.unit.strip(),
            "ratio": row.ratio,
            "ratios": row.ratios,
            "must_reach": row.must_reach,
            "aim": row.aim,
            "at_most": row.at_most,
            "reached": row.reached,
        }
        for row in rows
    ]
    return msgspec.json.encode({"rows": found, "notes": notes(rows, sizes)}).decode()


def _sync_milliseconds(directory: Path) -> float:
    """Return what durability costs here: on a disk in memory nothing, and then the callbacks' figure says little."""
    taken = []
    with (directory / "sync").open("wb") as file:
        for _ in range(SYNCS):
            begun = time.perf_counter()
            file.write(b"x" * 4096)
            file.flush()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return median(taken) * 1000

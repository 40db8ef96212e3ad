"""Findings in a tariff file: each with its line, key, value, and what was expected."""

from collections.abc import Iterable
from datetime import date, time
from typing import Any, NamedTuple

from domain.billing.toml_lines import Path
from domain.errors import LedgerError
from domain.notices.notification import shorten


class TariffFinding(NamedTuple):
    """A problem of a tariff: its line, its key, its value, and what was expected."""

    line: int
    key: str
    value: str
    expected: str

    def __str__(self) -> str:
        """Return the finding as a sentence, without its line."""
        return f"{self.key}{f' = {self.value}' if self.value else ''}: expected {self.expected}"


class InvalidTariff(LedgerError):
    """The text is not a valid tariff: ``findings``, and ``lines`` with the file's name before each.

    The message holds them all, with file, line, key, value and what was expected.
    """

    def __init__(self, name: str, findings: Iterable[TariffFinding]) -> None:
        """Keep the findings in the order of their lines; ``name`` is the file's."""
        self.findings = tuple(sorted(findings))
        self.lines = [f"{name}:{finding.line}: {finding}" for finding in self.findings]
        super().__init__("\n".join([f"{name} cannot be used as a tariff:", *self.lines]))


def format_key(path: Path) -> str:
    """Return a key for messages: ``rule 2: per_minute`` or ``rule 2: band 1: days``, counted from 1."""
    if path[0] == "rules" and len(path) > 1:
        assert isinstance(path[1], int)
        inner = path[2:]
        if len(inner) > 1 and inner[0] == "bands":
            assert isinstance(inner[1], int)
            inner = (f"band {inner[1] + 1}", *inner[2:])
        return ": ".join([f"rule {path[1] + 1}", *map(str, inner)])
    return ".".join(map(str, path))


def format_value(value: Any) -> str:
    """Return a value as it would be written in the file, cut if it is long; an empty text for a missing key."""
    return "" if value is None else shorten(_toml(value))


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {_toml(item)}' for key, item in value.items())} }}"
    return value.isoformat() if isinstance(value, date | time) else str(value)

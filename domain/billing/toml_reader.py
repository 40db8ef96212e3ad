"""What readers of our TOML files share: each value is checked by its key, and what does not fit becomes a finding."""

import re
from collections.abc import Callable, Mapping
from typing import Any

from domain.billing.tariff_findings import TariffFinding, format_value
from domain.billing.tariff_values import Check
from domain.billing.toml_lines import Path, TomlLines

_SYNTAX_LINE = re.compile(r"\(at line (\d+), column \d+\)")


def syntax_finding(message: str, text: str) -> TariffFinding:
    """Return the finding for a text that is no TOML."""
    where = _SYNTAX_LINE.search(message)
    line = int(where[1]) if where else text.count("\n") + 1
    return TariffFinding(line, "the file", "", f"TOML ({message})")


class TomlReader:
    """Checks the tables of a file, and collects the findings."""

    def __init__(self, text: str, name_key: Callable[[Path], str]) -> None:
        """Read the keys' lines from the file's text; ``name_key`` returns a key as findings name it."""
        self.findings: list[TariffFinding] = []
        self._lines = TomlLines(text)
        self._name_key = name_key

    def _checked(self, table: Mapping[str, Any], path: Path, checks: Mapping[str, Check]) -> dict[str, Any]:
        """Return the values of a table that fit; each other one, and each unknown key, is a finding."""
        found = {}
        for key, value in table.items():
            if key not in checks:
                self._find((*path, key), value, f"one of the keys {', '.join(checks)}")
                continue
            try:
                found[key] = checks[key](value)
            except ValueError as error:
                self._find((*path, key), value, str(error))
        return found

    def _find(self, path: Path, value: Any, expected: str) -> None:
        self.findings.append(
            TariffFinding(self._lines.line_of(path), self._name_key(path), format_value(value), expected)
        )

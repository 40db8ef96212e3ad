"""How the benchmarks call the program: the service as the command that a user types, the import as the command's core."""

import sys
from pathlib import Path

from api.importing import import_lines
from domain.ledger import Ledger
from tests.benchmarks.traffic import FORMULA, KEY

SERVE_ENVIRONMENT = {"TRINGME_PRIVATE_KEY": KEY, "TRINGLEDGER_SIGNATURE": FORMULA}


def serve_command(port: int, store: Path) -> list[str]:
    """Return the command that runs the service on a port of this machine, with a store."""
    return [
        *(sys.executable, "-m", "api.cli", "serve"),
        *("--host", "127.0.0.1", "--port", str(port), "--store", f"sqlite:///{store}"),
    ]


def import_file(ledger: Ledger, path: Path) -> None:
    """Import a file of notifications, one a line."""
    with path.open("rb") as lines:
        import_lines(ledger, lines, path.name, unreadable=_refuse)


def _refuse(number: int, reason: str) -> None:
    msg = f"line {number} of our own traffic cannot be read: {reason}"
    raise ValueError(msg)

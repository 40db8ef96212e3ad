"""How the benchmarks call the program: the service as the command that a user types, the import as the command's core."""

import sys
from pathlib import Path

from api.application.importing import ndjson
from api.application.importing.files import find_files
from api.application.importing.run import ImportRun, run_import
from api.application.importing.throttle import ImportThrottle
from domain.ledger import Ledger
from domain.notices.signature import Keyring
from tests.benchmarks.traffic import FORMULA, KEY

SERVE_ENVIRONMENT = {"TRINGME_PRIVATE_KEY": KEY, "TRINGLEDGER_SIGNATURE": FORMULA}


WORKER_READY = "takes callbacks"


def serve_command(port: int, store: str, workers: int = 1) -> list[str]:
    """Return the command that runs the service on a port of this machine, with the store at an address."""
    return [
        *(sys.executable, "-m", "api", "serve", "--workers", str(workers)),
        *("--host", "127.0.0.1", "--port", str(port), "--store", store),
    ]


def import_file(ledger: Ledger, path: Path) -> None:
    """Import a file of notifications, one a line."""
    run_import(
        ImportRun(ndjson.ndjson_rows, Keyring(FORMULA, [KEY]), ImportThrottle(ledger), _refuse),
        find_files([str(path)]),
    )


def _refuse(report: str) -> None:
    msg = f"our own traffic cannot be read: {report}"
    raise ValueError(msg)

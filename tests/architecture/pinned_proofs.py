"""What proofs and backups are called: origins, files, tables and JSON names that auditors, witnesses and scripts rely on."""

import json
import re
import zipfile
from pathlib import Path
from typing import Any

from domain.events.operator_events import LogForked
from domain.events.streams import FORKS
from projections.proofs import proof_store
from tests.support.command import Said, run

ACCOUNT, PERIOD = "acme", "2026-03"


def collect_proofs(url: str, ledger: str) -> dict[str, Any]:
    """Prove, publish and back up the ledger of a URL, whose id is given; return what there is then, by its names."""
    environment = {"TRINGLEDGER_LOG_KEY": "log.key", "TRINGLEDGER_STORE": url}

    def done(*words: str) -> Said:
        said = run(*words, **environment)
        assert said.code == 0, said.err
        return said

    vkey = done("proof", "key", "--generate", "log.key").out
    done("prove", "--once")
    done("proof", "publish", "published")
    for words in (("checkpoint",), ("event", "1", "--event-file", "event.json"), ("consistency", "checkpoint.out")):
        done("proof", *words, "-o", f"{words[0]}.out")
    done("proof", "bill", "--account", ACCOUNT, "--period", PERIOD, "-o", "bill.zip")
    backup = Path(done("backup", "backups").out.strip())
    with zipfile.ZipFile("bill.zip") as bundle:
        texts = {name: bundle.read(name).decode() for name in bundle.namelist() if not name.startswith("tiles/")}
        names = {_without_widths(name): None for name in bundle.namelist()}
    status = run("status", "--format", "json", **environment).json()
    return {
        "origin": vkey.partition("+")[0].replace(ledger, "LEDGER"),
        "first_lines": {
            name: Path(f"{name}.out").read_text().splitlines()[0].replace(ledger, "LEDGER")
            for name in ("checkpoint", "event")
        },
        "published": dict.fromkeys(_files(Path("published"))),
        "bundle": {
            "files": names,
            **{name: _names(text.splitlines()[0]) for name, text in texts.items() if name.endswith("ndjson")},
            "bundle.json": _names(texts["bundle.json"]),
        },
        "event_file": _names(Path("event.json").read_text()),
        "backup": {
            "folder": backup.name.replace(ledger, "LEDGER").rpartition("-")[0],
            "files": dict.fromkeys(_files(backup)),
            "manifest": _names((backup / "manifest.json").read_text()),
        },
        "verify": _names(done("proof", "verify", "--format", "json").out),
        "status": dict.fromkeys(status["proofs"]),
        "fork": {"topic": LogForked.TOPIC, "fields": dict.fromkeys(LogForked.__struct_fields__), "stream": str(FORKS)},
        "store": {"schema": proof_store.PG_SCHEMA, "lock": proof_store.PROOFS},
    }


def _files(folder: Path) -> list[str]:
    found = (str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
    return sorted({_without_widths(name) for name in found})


def _without_widths(name: str) -> str:
    """Return a tile's name without the width of a partial one, which is how many events there happen to be."""
    return re.sub(r"\.p/[0-9]+$", ".p/WIDTH", name)


def _names(text: str) -> Any:
    found = json.loads(text)
    return dict.fromkeys(found) if isinstance(found, dict) else None

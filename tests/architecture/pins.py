"""What other programs, stored ledgers and users rely on, collected from the present code: pins.json holds it as it was.

Nearly all of it is seen from outside, as a user's scripts and files see it: by commands, by SQL, by HTTP. So renames in
the code touch nothing here but the imports. ``python -m tests.architecture.pins`` prints the present state: add to
pins.json what is new, and never change or remove what stands there, unless the specification was amended.
"""

import contextlib
import inspect
import json
import re
import sqlite3
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from sqlalchemy import Dialect, MetaData
from sqlalchemy.dialects import postgresql
from starlette.routing import BaseRoute, Mount, Route
from starlette.testclient import TestClient

from api import settings
from api.application import forwarding_position
from api.application.backup import manifest
from api.application.process_state import ProcessState
from api.application.proofs import tree_keeper
from api.cli import exit_codes
from api.cli.main import main
from api.processes import forwarder, jobs
from api.service import Service
from api.setting_table import SETTINGS
from api.web.auth import store as access_store
from api.web.auth import tables as access_tables
from api.web.json_api.named_schemas import resolved
from domain.copying import copy as copying
from domain.events import streams
from domain.log import advisory_lock
from domain.log import tables as log_tables
from domain.log.postgres import schema as postgres_schema
from projections import frames
from projections.proofs import proof_tables
from projections.schema import tables as read_model_tables
from projections.stores import postgres_engine, postgres_slots
from tests.architecture.pinned_ledger import exports, fill
from tests.architecture.pinned_proofs import collect_proofs
from tests.support.command import run

PROSE = frozenset({"description", "summary", "title", "example", "examples", "info"})
_NUMBER_AT_END = re.compile(r":[0-9]+$")
_STATUS = re.compile(r"[1-5][0-9]{2}")
_LINE_LENGTH = 120


def collect() -> dict[str, Any]:
    """Return everything that is pinned: what is a set has its members as keys, and what has an order is a list."""
    with tempfile.TemporaryDirectory() as name, contextlib.chdir(name):
        url = f"sqlite:///{name}/ledger.db"
        fill(url)
        exported = exports(url)
        pinned = {
            "stored_events": _stored_events(Path("ledger.db")),
            "streams": _streams(Path("ledger.db")),
            "delivery_keys": _delivery_keys(Path("ledger.db")),
            "facts": _facts(Path("ledger.db"), Path("copied.db")),
            "sqlite": {file: _sqlite(Path(file)) for file in _DATABASES},
            "postgresql": _postgresql(),
            "files": dict.fromkeys(sorted(file.name for file in Path().iterdir())),
            "locks": _locks(),
            "commands": _command(main),
            "settings": {setting.name: setting.default for setting in SETTINGS},
            "exit_codes": _exit_codes(url),
            "csv_headers": {
                name: text.splitlines()[0].split(",") for name, text in exported.items() if name != "journal"
            },
            "journal": _journal(exported["journal"]),
            "frames": _frames(url),
            **_web(url),
        }
        # Last: it adds files.
        proofs = collect_proofs(url, _ledger_id(Path("ledger.db")))
        pinned["sqlite"]["ledger.db.proofs.db"] = _sqlite(Path("ledger.db.proofs.db"))
        return {**pinned, "proofs": proofs}


_DATABASES = ("ledger.db", "ledger.db.read-2.db", "ledger.db.access.db")


def _ledger_id(file: Path) -> str:
    (found,) = _rows(file, "SELECT value FROM ledger WHERE name = 'id'")
    return str(found[0])


def _stored_events(file: Path) -> dict[str, Any]:
    """Return the topics, and the keys of what is stored under each, those within a voucher too."""
    found: dict[str, Any] = {}
    for topic, state in _rows(file, "SELECT topic, state FROM stored_events"):
        keys = found.setdefault(topic, {})
        for name, value in json.loads(state).items():
            keys[name] = dict.fromkeys(value) if isinstance(value, dict) else keys.get(name)
    return found


def _streams(file: Path) -> dict[str, list[str]]:
    """Return the ids of the streams by topic, and those that are nobody's own: all are UUIDs of names."""
    query = "SELECT DISTINCT topic, originator_id FROM stored_events ORDER BY 1, 2"
    found: dict[str, list[str]] = {"namespace": [str(streams.NAMESPACE)]}
    for topic, stream in _rows(file, query):
        found.setdefault(topic, []).append(stream)
    return found


def _delivery_keys(file: Path) -> list[str]:
    return [key.hex() for (key,) in _rows(file, "SELECT delivery_key FROM delivery_keys ORDER BY position")]


def _facts(*files: Path) -> dict[str, Any]:
    """Return the names of the ledger's own facts, and the keys of those that are JSON."""
    found: dict[str, Any] = dict.fromkeys((log_tables.COPYING, log_tables.LAST_NUMBER))
    for name, of in (
        (jobs.FACT, jobs.BackgroundJob),
        (manifest.BACKUP_FACT, manifest.LastBackup),
        (forwarding_position.FORWARDED, ProcessState),
        (f"{forwarding_position.SKIPPED}N", forwarding_position.SkippedRange),
    ):
        found[name] = dict.fromkeys(of.__struct_fields__)
    for file in files:
        for name, value in _rows(file, "SELECT name, value FROM ledger"):
            found[_NUMBER_AT_END.sub(":N", name)] = dict.fromkeys(json.loads(value)) if value.startswith("{") else None
    return found


def _sqlite(file: Path) -> dict[str, Any]:
    """Return the tables, views and indexes of a file, with the columns of each: type, whether it may be NULL, and key."""
    found: dict[str, Any] = {}
    for kind, name in _rows(file, "SELECT type, name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%' ORDER BY 1, 2"):
        pragma = "index_info" if kind == "index" else "table_info"
        columns = _rows(file, f"PRAGMA {pragma}({name})")
        found[f"{kind} {name}"] = (
            [column[2] for column in columns]
            if kind == "index"
            else {column[1]: [column[2], "NOT NULL" if column[3] else "", column[5]] for column in columns}
        )
    return found


def _rows(file: Path, query: str) -> list[Any]:
    with contextlib.closing(sqlite3.connect(file)) as connection:
        return connection.execute(query).fetchall()


def _postgresql() -> dict[str, Any]:
    """Return the schemas, the log's tables as they are made, and the other tables' columns with their types."""
    return {
        "schemas": [postgres_schema.SCHEMA, postgres_slots.PREFIX, access_store.PG_SCHEMA],
        "log": dict.fromkeys(" ".join(statement.split()) for statement in postgres_schema.STATEMENTS),
        "read_models": _columns(read_model_tables.METADATA),
        "access": _columns(access_tables.METADATA),
        "proofs": _columns(proof_tables.METADATA),
    }


def _columns(metadata: MetaData) -> dict[str, Any]:
    dialect: Dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
    return {
        table.name: {column.name: column.type.compile(dialect) for column in table.columns}
        for table in metadata.sorted_tables
    }


def _locks() -> dict[str, Any]:
    """Return the numbers of the advisory locks, what locks are for, and the channel: programs of two versions share them."""
    engine = postgres_engine
    return {
        "migrating": postgres_schema.MIGRATING,
        "alone": advisory_lock.LOCK_QUERY,
        "read models": [engine.OPEN, engine.WRITING, engine.ONLY_ONE],
        "only one": [engine.CREATING, engine.REBUILDING, engine.FOLLOWING, access_store.ACCESS],
        "purposes": [forwarder.PURPOSE, copying.PURPOSE],
        "proving": tree_keeper.PURPOSE,
        "channels": [advisory_lock.CHANNEL],
    }


def _command(command: click.Command) -> dict[str, Any]:
    """Return a command's words: its options with their choices, its arguments in order, and its own commands."""
    context = click.Context(command)
    options = {name: _option(each) for each in command.params for name in each.opts if isinstance(each, click.Option)}
    found: dict[str, Any] = {
        "options": options,
        "arguments": [[each.name, each.nargs] for each in command.params if isinstance(each, click.Argument)],
    }
    if isinstance(command, click.Group):
        found["commands"] = {
            name: _command(each)
            for name in command.list_commands(context)
            if (each := command.get_command(context, name))
        }
    return found


def _option(option: click.Option) -> dict[str, Any]:
    choices = option.type.choices if isinstance(option.type, click.Choice) else ()
    return {
        "required": option.required,
        "multiple": option.multiple,
        "flag": option.is_flag,
        "off": dict.fromkeys(option.secondary_opts),
        "choices": dict.fromkeys(str(getattr(choice, "value", choice)) for choice in choices),
        "default": option.default if isinstance(option.default, str | int | bool) else None,
    }


def _exit_codes(url: str) -> dict[str, Any]:
    """Return the codes as commands give them, and those by which a signal shows."""
    return {
        "done": run("export", "calls", "--store", url).code,
        "finding": run("diff", "--as-of", "1", "--store", url).code,
        "usage": run("export", "nothing", "--store", url).code,
        "unavailable": run("export", "calls", "--store", "sqlite:////nowhere/ledger.db").code,
        "signals": [exit_codes.SIGNALLED, exit_codes.INTERRUPTED],
    }


def _journal(text: str) -> dict[str, Any]:
    """Return the beginnings of the journal's accounts, and its commodities."""
    postings = re.findall(r"^ +([A-Z][A-Za-z]+:[A-Za-z-]+)(?::\S+)? +-?[0-9.]+ ([A-Z]+)", text, re.MULTILINE)
    return {
        "accounts": dict.fromkeys(sorted({account for account, _ in postings})),
        "commodities": dict.fromkeys(sorted({commodity for _, commodity in postings})),
    }


def _frames(url: str) -> dict[str, Any]:
    """Return what ``projections.frames`` offers: the parameters of each, and the types of its columns."""
    public = {
        name: parameters
        for name, value in vars(frames).items()
        if callable(value) and not name.startswith("_") and not inspect.isclass(value)
        if "store_url" in (parameters := inspect.signature(value).parameters)
    }
    return {
        name: {
            "parameters": {parameter.name: _default(parameter) for parameter in parameters.values()},
            "columns": {column: str(of) for column, of in getattr(frames, name)(url).dtypes.items()},
        }
        for name, parameters in public.items()
    }


def _default(parameter: inspect.Parameter) -> str:
    return "required" if parameter.default is inspect.Parameter.empty else repr(parameter.default)


def _web(url: str) -> dict[str, Any]:
    """Return all URLs with their methods, the API's document without its prose, and the names in ``/health``."""
    token = run("user", "add", "auditor", "--role", "read", "--store", url).out.strip()
    service = Service(settings.load_settings({"TRINGLEDGER_STORE": url, "TRINGLEDGER_SIGNATURE": "off"}))
    with TestClient(service.app) as client:
        document = client.get("/openapi.json", headers={"Authorization": f"Bearer {token}"}).json()
        health = client.get("/health").json()
        answers = {query: client.get(f"/notify?{query}") for query in ("f=tm&type=fax", "f=tm&srccharge=1,5", "f=x")}
    return {
        "urls": {path: dict.fromkeys(methods) for path, methods in _routes(service.app.routes)},
        "json_api": _without_prose(resolved(document, document)),
        "health": _names(health),
        "answers": {query: {str(got.status_code): _names(got.json())} for query, got in answers.items()},
    }


def _routes(routes: list[BaseRoute], prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    methods: dict[str, set[str]] = {}
    for route in routes:
        if isinstance(route, Route):
            methods.setdefault(prefix + route.path, set()).update(route.methods or ())
        elif isinstance(route, Mount):
            yield from _routes(list(route.routes), prefix + route.path)
    yield from ((path, sorted(found)) for path, found in methods.items())


def _without_prose(part: Any) -> Any:
    """Return a part of the document: names, types and required names; parameters and choices as sets."""
    if isinstance(part, Mapping):
        found = {name: _without_prose(value) for name, value in part.items() if not _is_prose(name, value)}
        # What is refused is the same problem document everywhere.
        return {name: value if name == "200" or not _STATUS.fullmatch(name) else None for name, value in found.items()}
    if isinstance(part, list):
        named = all(isinstance(item, Mapping) and "name" in item for item in part)
        if named:
            return {f"{item['name']} in {item.get('in')}": _without_prose(item) for item in part}
        return {json.dumps(_without_prose(item), ensure_ascii=False): None for item in part}
    return part


def _is_prose(name: str, value: object) -> bool:
    return name in PROSE and (name in {"info", "example"} or not isinstance(value, Mapping))


def _names(part: Any) -> Any:
    return {name: _names(value) for name, value in part.items()} if isinstance(part, Mapping) else None


def text(part: Any, indent: str = "") -> str:
    """Return what is pinned as JSON, with all on one line that fits on one."""
    line = json.dumps(part, ensure_ascii=False, sort_keys=True)
    if not isinstance(part, dict) or len(indent + line) <= _LINE_LENGTH:
        return line
    inner = indent + " "
    items = [f"{inner}{json.dumps(name, ensure_ascii=False)}: {text(part[name], inner)}" for name in sorted(part)]
    return "{\n" + ",\n".join(items) + f"\n{indent}}}"


if __name__ == "__main__":
    click.echo(text(collect()))

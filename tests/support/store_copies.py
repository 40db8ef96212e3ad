"""Ledgers with something in every table, and what is in them: read by the databases' own drivers, past the program's code."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import psycopg

from api.application import forwarding_position as forwarder
from api.application.process_state import ProcessState
from domain.ledger import Ledger
from domain.log.urls import sqlite_path
from tests.support.command import run
from tests.support.database_roles import superusers
from tests.support.notices import KEY, OTHER_KEY, callstatus, line, priced_cdr, signed
from tests.support.operator_events import act_in_every_way
from tests.support.samples import SAMPLE_NAMES, SAMPLES

TABLES = {
    "stored_events": "position",
    "delivery_keys": "delivery_key",
    "nonces": "nonce, content",
    "signatures": "sig",
    "line_calls": "line, ordinal",
    "quarantine": "id",
}
ITS_OWN = {"schema", "read_models", "copying", "copied", "quarantine_last"}

Dump = dict[str, list[tuple[Any, ...]]]


def fill(store: str) -> None:
    """Fill a new ledger with all samples, vouched rows, nonces, and a quarantine of which part is mended and part dropped."""
    keys = {"TRINGME_PRIVATE_KEY": KEY, "TRINGLEDGER_STORE": store}
    for name in SAMPLE_NAMES:
        assert run("import", str(SAMPLES / f"{name}.ndjson"), **keys).code in (0, 1)
    table = "id,received_at,type,tag,src,srcduration\n1,2026-10-15 12:00:00,cdr,Zürich,1858,60\n"
    vouching = ("--unsigned", "--by", "Ada", "--reason", "the past")
    assert run("import", "--format", "csv", "--source", "old", *vouching, "-", stdin=table, **keys).code == 0
    nonces = "".join(line(signed(callstatus(r=7, tag=tag), formula="md5-r-key")) for tag in ("a", "b", "☎ 😀"))
    assert run("import", "-", stdin=nonces, **keys | {"TRINGLEDGER_SIGNATURE": "md5-r-key"}).code == 0
    _fill_quarantine(keys)
    with Ledger(store) as ledger:
        act_in_every_way(ledger)
        forwarder.save_position(ledger, ProcessState(12))
        forwarder.skip_through(ledger, 14, "a reason", 0)


def _fill_quarantine(keys: dict[str, str]) -> None:
    later = "".join(line(signed(callstatus(r=number, tag="later"), OTHER_KEY)) for number in range(5))
    run("import", "-", stdin=later, **keys)
    run("quarantine", "reprocess", "--all", **keys | {"TRINGME_PRIVATE_KEY": OTHER_KEY})
    broken = line(signed(priced_cdr(r=1, tag="broken", srccharge="free", note="caf\udce9")))
    wrong = "".join(line(signed(callstatus(r=number, tag="wrong"), "a wrong key")) for number in range(4))
    run("import", "-", stdin=broken + wrong, **keys)
    # The last one leaves a number that must not be given again.
    with Ledger(keys["TRINGLEDGER_STORE"]) as ledger, ledger.store.transaction() as log:
        log.drop_unauthentic(log.unauthentic_totals().notices - 1, 0)


@contextmanager
def rows(store: str) -> Iterator[Any]:
    """Return a function that runs a query on a store and returns its rows."""
    if store.startswith("postgresql:"):
        # With triggers off, as somebody would set it who changes events on purpose.
        options = "-c search_path=tringledger -c session_replication_role=replica"
        with psycopg.connect(superusers(store), autocommit=True, options=options) as connection:
            yield lambda query: connection.execute(query).fetchall()
    else:
        with closing(sqlite3.connect(sqlite_path(store), isolation_level=None)) as file:
            yield lambda query: file.execute(query).fetchall()


def dump(store: str) -> Dump:
    """Return all that a store has of its ledger, whichever kind of store it is."""
    with rows(store) as query:
        found = {table: query(f"SELECT * FROM {table} ORDER BY {key}") for table, key in TABLES.items()}
        facts = [fact for fact in query("SELECT name, value FROM ledger ORDER BY name") if fact[0] not in ITS_OWN]
    return {**found, "ledger": sorted(facts)}


def facts(store: str) -> dict[str, str]:
    """Return a store's facts, its own among them."""
    with rows(store) as query:
        return dict(query("SELECT name, value FROM ledger"))

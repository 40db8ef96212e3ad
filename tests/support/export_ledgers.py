"""Ledgers for the tests of frames and exports: from samples, from single notices, or rows put straight into tables."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from sqlalchemy import BigInteger, func, insert, select

from domain import times
from domain.errors import NotANotification
from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from domain.notices.signature import Keyring, digest
from projections.building.catch_up import catch_up
from projections.schema.column_kinds import ColumnKind, column_kind
from projections.schema.read_models import STORED_TABLES
from projections.schema.tables import CDRS
from projections.stores.generations import ReadStore, open_current

KEY = "s3cr3t-private-key"
SAMPLES = Path(__file__).parent.parent / "samples"
START = times.parse("2026-10-01T00:00:00Z")
BATCH = 500


class Case(NamedTuple):
    """A ledger, its read models, and its address."""

    ledger: Ledger
    store: ReadStore
    url: str


@contextmanager
def a_ledger(url: str, timezone: str = "UTC") -> Iterator[Case]:
    """Make a ledger at a store's address, and open its read models."""
    keyring = Keyring("md5-params", [KEY])
    with (
        closing(Ledger(url, keyring, LedgerOptions(timezone=timezone), create=True)) as ledger,
        closing(open_current(ledger)) as store,
    ):
        yield Case(ledger, store, url)


def record_sample(case: Case, name: str) -> None:
    deliveries = []
    for line in (SAMPLES / f"{name}.ndjson").read_text().splitlines():
        notice = json.loads(line)
        with suppress(NotANotification):
            deliveries.append(case.ledger.verify_delivery(notice["query"].encode(), times.parse(notice["received_at"])))
    for start in range(0, len(deliveries), BATCH):
        case.ledger.record(deliveries[start : start + BATCH])
    catch_up(case.ledger, case.store)


def operate(case: Case) -> None:
    """Have a tariff published, a month closed, an account adjusted, and the ledger's last CDR settled as a suspect."""
    catch_up(case.ledger, case.store)
    with case.store.snapshot() as connection:
        position = connection.execute(select(func.max(CDRS.c.position))).scalar_one()
    with case.ledger.operator_session("kim", "so that there is a row") as session:
        session.publish_tariff('[[rules]]\ntag = "*"\nmarkup_percent = 10')
        session.close_month("2026-01")
        session.adjust_account("acme", 5_000_000)
        session.resolve_exception("suspect", position)
    catch_up(case.ledger, case.store)


def notify(case: Case, received_at: str, **params: str) -> None:
    """Record one signed notification; its read models follow only when somebody catches up."""
    pairs = list({"f": "tm", **params}.items())
    signed = [*pairs, ("sig", digest("md5-params", pairs, KEY) or "")]
    case.ledger.record([case.ledger.verify_delivery(urlencode(signed).encode(), times.parse(received_at))])


def a_row(model: str, number: int, **values: object) -> dict[str, object]:
    """Return a row as the table keeps it, made up but for the values given."""
    made_up: dict[ColumnKind, Any] = {
        ColumnKind.TEXT: f"text {number}",
        ColumnKind.INTERNAL: "2026-10-01",
        ColumnKind.TIME: START + number,
        ColumnKind.BOOLEAN: number % 2,
    }
    row = {
        column.name: number
        if isinstance(column.type, BigInteger) and column_kind(column) is ColumnKind.INTERNAL
        else made_up.get(column_kind(column), number)
        for column in STORED_TABLES[model].columns
    }
    return {**row, **values}


def put(case: Case, model: str, rows: list[dict[str, object]]) -> None:
    """Put rows straight into a read model."""
    with case.store.transaction() as connection:
        connection.execute(insert(STORED_TABLES[model]), rows)


def fill_channels(case: Case, count: int) -> None:
    """Fill the narrowest read model with rows at the positions 1 to ``count``."""
    for start in range(1, count + 1, 10_000):
        numbers = range(start, min(start + 10_000, count + 1))
        put(case, "channels", [a_row("channels", number, src=f"1858{number:07d}") for number in numbers])

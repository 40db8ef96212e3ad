"""Both stores offer all of what a store must offer: a method that one lacks would be missed only where it is first asked."""

import inspect
from concurrent.futures import ThreadPoolExecutor, wait

import pytest

from domain.errors import StoreUnavailable
from domain.log.contract import Log, LogTransaction
from domain.log.postgres import connections as postgres_connections
from domain.log.postgres.log import PostgresLog
from domain.log.postgres.transaction import PostgresTransaction
from domain.log.sqlite.log import SQLiteLog
from domain.log.sqlite.transaction import SQLiteTransaction
from tests.support.database_edits import execute
from tests.support.ledgers import opened
from tests.support.notices import cdr, signed

WRONG_KEY, RIGHT_KEY = "wrong", "right"
MOMENT = 0.2


def methods(protocol: type) -> dict[str, inspect.Signature]:
    """Return the methods that a protocol asks for, and how each is called."""
    found = inspect.getmembers(protocol, inspect.isfunction)
    return {name: inspect.signature(each) for name, each in found if not name.startswith("_")}


@pytest.mark.parametrize(
    ("store_class", "protocol"),
    [(SQLiteLog, Log), (PostgresLog, Log), (SQLiteTransaction, LogTransaction), (PostgresTransaction, LogTransaction)],
)
def test_a_store_has_every_method_of_the_protocol_called_alike(store_class: type, protocol: type) -> None:
    wanted = methods(protocol)
    assert len(wanted) > 10
    found = {name: inspect.signature(getattr(store_class, name)) for name in wanted if hasattr(store_class, name)}
    parameters = {name: list(each.parameters) for name, each in found.items()}
    assert parameters == {name: list(each.parameters) for name, each in wanted.items()}


def test_a_notice_that_was_mended_is_found_by_the_position_of_its_event(store_url: str) -> None:
    notice = cdr()
    with opened(store_url, key=WRONG_KEY) as ledger:
        ledger.record([ledger.verify_delivery(signed(notice.pairs, RIGHT_KEY).encode(), notice.at)])
        assert ledger.store.quarantined_at(1) is None
    with opened(store_url, key=RIGHT_KEY) as ledger:
        (waiting,) = ledger.store.quarantined(settled=False)
        ledger.reprocess(waiting)
        found = ledger.store.quarantined_at(1)
        assert found == waiting._replace(position=1)
        assert ledger.store.quarantined_at(2) is None


def test_a_look_at_a_whole_store_may_wait_for_its_first_row_longer_than_a_callback(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connections, "ANSWER_SECONDS_MAX", 1)
    with opened(database) as ledger:
        with ledger.store.snapshot() as snapshot:
            connection = snapshot._connection  # type: ignore[attr-defined]
            assert connection.execute("SELECT pg_sleep(1.5)").fetchone()
        with pytest.raises(StoreUnavailable, match="has not answered for 1 s"), ledger.store.transaction() as writing:
            writing._ask("SELECT pg_sleep(1.5)", ())  # type: ignore[attr-defined]


def test_a_ledger_from_before_an_index_is_upgraded_once_another_process_has_written(store_url: str) -> None:
    def found_schema() -> int:
        with opened(store_url) as upgraded:
            return upgraded.found_schema

    with opened(store_url) as ledger, ThreadPoolExecutor(1) as pool:
        execute(store_url, "DROP INDEX quarantine_waiting", "UPDATE ledger SET value = '2' WHERE name = 'schema'")
        with ledger.store.transaction() as writing:
            writing.set_fact("noted", "meanwhile")
            upgrade = pool.submit(found_schema)
            assert not wait([upgrade], MOMENT).done
        assert upgrade.result() == 2
        assert (ledger.store.facts()["schema"], ledger.store.facts()["noted"]) == ("3", "meanwhile")

"""A connection of read models that was lost is refused in one sentence, and another one takes its place."""

from contextlib import closing

import pytest

from domain.errors import StoreUnavailable
from projections.stores import postgres_slot
from projections.stores.generations import open_current
from tests.support.ledgers import opened


def test_no_traceback_is_printed_and_the_next_one_is_new(
    migrated: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(migrated) as ledger, closing(open_current(ledger)) as store:
        with monkeypatch.context() as cut:
            cut.setattr(postgres_slot, "_BEGIN_READING", "SELECT pg_terminate_backend(pg_backend_pid())")
            with pytest.raises(StoreUnavailable), store.snapshot():
                pass
        with store.snapshot() as connection:
            assert store.position(connection, ledger.store) == 0
    assert [record.getMessage() for record in caplog.records if record.name.startswith("sqlalchemy")] == []

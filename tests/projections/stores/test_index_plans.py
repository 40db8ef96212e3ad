"""Which indexes of PostgreSQL pages are cut from."""

from contextlib import closing
from typing import Any

import pytest
from sqlalchemy import Connection, event

from projections.queries.pagination import fetch_page
from projections.queries.selection import Selection
from projections.schema.tables import CALLS, CDRS
from projections.stores.generations import open_current
from projections.stores.upsert import put_rows
from tests.support.ledgers import opened

ROWS = 3000


def call(number: int, disposition: str) -> tuple[object, ...]:
    at = number * 1000
    texts = ("tag", "18585550001", 1, "ended", disposition, "STATUS", "STATUS")
    return (f"call{number}", *texts, at, at, at, at, 3, "", "", 1, number, "acme", "2026-10")


def cdr(number: int, disposition: str) -> tuple[object, ...]:
    at = number * 1000
    charges = (1, 1, 1, 1, None, None, 2, 0)
    books = ("acme", "", 1, 2, 0, "2026-10", number, "", "2026-10-01", "2026-10", 0, 0, "")
    return (f"call{number}", "tag", "18585550001", number, disposition, "STATUS", at, at, at, *charges, *books)


def plans_of_page(connection: Connection, model: str, disposition: str) -> tuple[list[int], str]:
    """Return the positions on the first page of a disposition, and how the database finds them."""
    statements: list[tuple[str, Any]] = []
    event.listen(connection, "before_cursor_execute", lambda *given: statements.append((given[2], given[3])))
    page = fetch_page(connection, model, Selection(disposition=disposition), "UTC", limit=10)
    text, parameters = statements[0]
    plan = connection.exec_driver_sql(f"EXPLAIN {text}", parameters).all()
    return [row.position for row in page.rows], str(plan)


@pytest.mark.only_on("postgres")
@pytest.mark.parametrize("model", ["calls", "cdrs"])
def test_calls_that_were_not_answered_have_an_index_and_the_others_are_found_by_their_time(
    store_url: str, model: str
) -> None:
    dispositions = ["BUSY" if number % 500 == 0 else "ANSWERED" for number in range(1, ROWS + 1)]
    with opened(store_url) as ledger, closing(open_current(ledger)) as store:
        with store.transaction() as connection:
            put_rows(connection, CALLS, [call(number, each) for number, each in enumerate(dispositions, 1)])
            put_rows(connection, CDRS, [cdr(number, each) for number, each in enumerate(dispositions, 1)])
        store.finish_build()
        with store.snapshot() as connection:
            found, plan = plans_of_page(connection, model, "BUSY")
            assert found == [3000, 2500, 2000, 1500, 1000, 500]
            assert f"{model}_by_disposition" in plan
        with store.snapshot() as connection:
            found, plan = plans_of_page(connection, model, "ANSWERED")
            assert found == [*range(2999, 2989, -1)]
            assert f"{model}_by_time" in plan

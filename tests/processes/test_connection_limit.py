"""A database that lets few connections in: pages that are asked hard get errors, and each callback is recorded and answered with 200."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from threading import Event

import pytest

from api.web.auth import users
from api.web.auth.roles import Role
from api.web.auth.store import open_access_store
from domain.ledger import Ledger
from tests.support.command import SECONDS_MAX, Server, run, serving
from tests.support.database_roles import SERVICE, three_roles
from tests.support.notices import KEY, cdr, signed
from tests.support.postgres_server import Postgres

DATABASE_LIMIT = 8
READERS = 12
CALLBACKS = 100
PAGES = ("/calls", "/cdrs?whole=1", "/billing", "/exceptions", "/api/v1/calls", "/fragments/cdrs/sums")


@pytest.fixture
def store_with_limit(postgres: Postgres, database: str) -> Iterator[str]:
    """Return the address of a ledger for a service, in a database that lets few connections in."""
    with three_roles(postgres, database) as roles:
        assert run("migrate", "--service-role", SERVICE, "--store", roles.owner).code == 0
        postgres.execute(f"ALTER DATABASE {postgres.name_of(database)} CONNECTION LIMIT {DATABASE_LIMIT}")
        yield roles.service


class AskedPages:
    """Readers who ask for one page after the other, without a pause."""

    def __init__(self, server: Server, token: str) -> None:
        self._server = server
        self._headers = {"Authorization": f"Bearer {token}"}
        self.stopping = Event()

    def ask(self, reader: int) -> list[int]:
        """Ask until told to stop; return the status codes."""
        found: list[int] = []
        while not self.stopping.is_set():
            path = PAGES[(reader + len(found)) % len(PAGES)]
            found.append(status_of(self._server.port, path, self._headers))
        return found


def status_of(port: int, path: str, headers: dict[str, str]) -> int:
    with closing(HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)) as connection:
        connection.request("GET", path, headers=headers)
        reply = connection.getresponse()
        reply.read()
        return reply.status


@pytest.mark.thorough
def test_callbacks_are_answered_with_200_while_pages_are_asked_hard_for_the_connections_left(
    store_with_limit: str, postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRINGLEDGER_STORE", store_with_limit)
    monkeypatch.setenv("TRINGME_PRIVATE_KEY", KEY)
    with closing(open_access_store(store_with_limit, durable=True)) as access:
        token = users.add_user(access, "ann", [Role.READ, Role.PII], 1)
    with serving(tmp_path) as server, ThreadPoolExecutor(READERS) as readers:
        pages = AskedPages(server, token)
        asked = [readers.submit(pages.ask, number) for number in range(READERS)]
        try:
            queries = [signed(cdr(0, tag=f"t{number}")) for number in range(CALLBACKS)]
            answers = [status_of(server.port, f"/notify?{query}", {}) for query in queries]
        finally:
            pages.stopping.set()
        shown = [status for each in asked for status in each.result()]
        said = server.said
    assert answers == [200] * CALLBACKS
    assert {200, 503} >= set(shown), "a page is shown, or the server's limit is"
    assert shown.count(503) > 0, "the limit was reached"
    assert "Traceback" not in said, "helpers that get no connection say so in a line, and try again"
    # As a superuser, who is let in beyond the limit.
    with closing(Ledger(postgres.url(postgres.name_of(store_with_limit)))) as ledger:
        assert ledger.head() == CALLBACKS

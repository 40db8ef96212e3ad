"""On a hot standby everything can be read and nothing written; whoever is there at its promotion goes on without help."""

import logging
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from api.web.auth import users
from api.web.auth.roles import Role
from api.web.auth.store import open_access_store
from domain.errors import StoreReadOnly
from domain.ledger import Ledger
from domain.log.advisory_lock import STANDBY
from domain.notices.signature import Keyring
from projections import frames
from projections.building.catch_up import catch_up
from projections.stores.generations import open_current
from tests.support import asgi_service as asgi
from tests.support.callback_requests import get
from tests.support.command import run
from tests.support.ledgers import opened, record
from tests.support.notices import FORMULA, KEY, cdr, line, signed
from tests.support.postgres_server import Postgres
from tests.support.postgres_standby import Standby, standby_of

DONE, UNAVAILABLE = 0, 3
LAG = '<dd data-lag><data class="count" value="1">1</data> events</dd>'
# Every page of the service; CALL and MONTH stand for those of the ledger's first call.
PAGES = (
    "/",
    "/calls?whole=1",
    "/calls/CALL",
    "/cdrs?whole=1",
    "/voicemails",
    "/channels",
    "/fragments/cdrs/sums",
    "/fragments/cdrs/facets",
    "/billing",
    "/accounts/one",
    "/fragments/metrics/one",
    "/fragments/largest?account=one",
    "/statements/one/MONTH",
    "/tariffs",
    "/exceptions",
    "/quarantine",
    "/events/1",
    "/search?q=one",
    "/operations",
    "/access-log",
)
SECONDS_MAX = 30


@pytest.fixture(scope="module")
def primary() -> Iterator[tuple[Postgres, str]]:
    """Return a server of the module's own, with a ledger whose read models are one event behind."""
    server = Postgres(durable=False)
    try:
        with server.database() as url:
            assert run("migrate", "--store", url).code == DONE
            with opened(url) as ledger:
                record(ledger, cdr(0, tag="one"))
                with closing(open_current(ledger)) as store:
                    catch_up(ledger, store)
                record(ledger, cdr(0, tag="two"))
            yield server, url
    finally:
        server.end()


@pytest.fixture(scope="module")
def standby(primary: tuple[Postgres, str]) -> Iterator[tuple[Standby, str]]:
    """Return a standby, and the address of the ledger on it; the last test promotes it."""
    server, url = primary
    with standby_of(server) as found:
        yield found, found.url(server.name_of(url))


def test_a_standby_is_read_as_it_is_and_what_reads_says_how_far_behind_that_is(standby: tuple[Standby, str]) -> None:
    _, url = standby
    said = run("export", "cdrs", "--store", url)
    assert (said.code, said.out.count("\n")) == (DONE, 2)
    assert "cannot be written here (a standby, or a role that only reads): they are 1 events behind the log" in said.err
    assert len(frames.cdrs(url)) == 1
    assert len(frames.cdrs(url, as_of=2)) == 2
    assert run("status", "--store", url).code == DONE


def test_a_command_that_writes_is_refused_in_one_line(standby: tuple[Standby, str]) -> None:
    with (
        closing(Ledger(standby[1], Keyring(FORMULA, [KEY]))) as ledger,
        pytest.raises(StoreReadOnly, match="its server is a standby; expected the primary"),
    ):
        record(ledger, cdr(1))
    said = run("import", "-", "--store", standby[1], stdin=line(signed(cdr(1))), TRINGME_PRIVATE_KEY=KEY)
    assert (said.code, "its server is a standby" in said.err, "Traceback" in said.err) == (UNAVAILABLE, True, False)


def added_user(url: str, name: str, *roles: Role) -> dict[str, str]:
    """Add a user on the primary; return the headers of a program that has these roles."""
    with closing(open_access_store(url, durable=True)) as store:
        return {"Authorization": f"Bearer {users.add_user(store, name, roles, 1)}"}


def test_every_page_is_shown_with_how_far_the_read_models_are_behind(
    standby: tuple[Standby, str], primary: tuple[Postgres, str]
) -> None:
    server, url = standby
    headers = added_user(primary[1], "kim", Role.READ, Role.EXPORT, Role.OPERATE)
    with asgi.running(asgi.service_at(server.directory, follows=True, TRINGLEDGER_STORE=url)) as client:
        asgi.eventually(lambda: client.get("/tariffs", headers=headers).status_code == 200, SECONDS_MAX)
        asgi.eventually(lambda: client.get("/health").json()["read_models"]["lag"] == 1, SECONDS_MAX)
        (call,) = client.get("/api/v1/cdrs", headers=headers).json()["items"]
        for page in PAGES:
            path = page.replace("CALL", call["call_id"]).replace("MONTH", call["period"])
            shown = client.get(path, headers=headers)
            assert shown.status_code == 200, f"{path}: {shown.text[:500]}"
            assert path.startswith("/fragments/") or LAG in shown.text, path


def test_a_service_refuses_callbacks_with_one_line_shows_its_pages_and_records_after_the_promotion(
    standby: tuple[Standby, str], primary: tuple[Postgres, str], caplog: pytest.LogCaptureFixture
) -> None:
    server, url = standby
    headers = added_user(primary[1], "ann", Role.READ)
    time.sleep(1)
    caplog.set_level(logging.INFO)
    service = asgi.service_at(server.directory, follows=True, TRINGLEDGER_STORE=url)
    with asgi.running(service) as client:
        answers = [get(client, signed(cdr(9, tag=f"t{number}"))) for number in range(5)]
        assert [answer.status_code for answer in answers] == [503] * 5
        lines = [entry for entry in caplog.records if "callbacks are answered with 503" in entry.message]
        assert len(lines) == 1
        assert "its server is a standby" in lines[0].message
        assert not [entry for entry in caplog.records if entry.exc_info]
        shown = client.get("/api/v1/calls", headers=headers)
        assert shown.status_code == 200
        assert "audit log, on a standby: ann token viewed 200" in caplog.text
        asgi.eventually(lambda: client.get("/health").json()["read_models"].get("held_by") == STANDBY, SECONDS_MAX)
        server.promote()
        asgi.eventually(lambda: get(client, signed(cdr(9, tag="after"))).status_code == 200, SECONDS_MAX)
        asgi.eventually(
            lambda: (
                client.get("/health").json()["read_models"]
                == {"position": 3, "lag": 0, "failure": None, "standing_by": False}
            ),
            SECONDS_MAX,
        )

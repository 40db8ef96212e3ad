"""What pages say when something is wrong, and that they are the same over PostgreSQL."""

from contextlib import closing
from pathlib import Path

from sqlalchemy import update

from api.application.process_state import ProcessState
from api.processes.jobs import RUNNING
from domain.ledger import Ledger
from projections.schema.tables import PROGRESS
from projections.stores.generations import open_current
from tests.support import web_users as users
from tests.support.asgi_service import eventually
from tests.support.page_ledger import open_shop
from tests.web.pages.test_pages import PAGES, cells, sums

JOB_SECONDS_MAX = 60


def test_read_models_of_another_version_are_told_and_mended_from_the_page(tmp_path: Path) -> None:
    with open_shop(tmp_path) as (client, service):
        users.sign_in(client, service, "operate")
        with (
            closing(Ledger(service.settings.store)) as ledger,
            closing(open_current(ledger)) as store,
            store.transaction() as connection,
        ):
            connection.execute(update(PROGRESS).values(schema=99))
        for path in ("/cdrs", "/billing", "/fragments/cdrs/sums", "/search?q=1"):
            answer = client.get(path)
            assert answer.status_code == 503, path
            assert "have schema 99" in answer.text
        page = client.get("/operations")
        assert page.status_code == 200
        assert "The read models have stopped" in page.text
        client.post("/operations/jobs", data={"csrf_token": users.csrf_token(client), "kind": "rebuild"})
        eventually(lambda: service.jobs.known()[0].state != RUNNING, JOB_SECONDS_MAX)
        assert client.get("/cdrs").status_code == 200
        assert "there was nothing to compare with" in client.get("/operations").text


def test_what_stops_the_read_models_is_told_everywhere_with_the_event_that_caused_it(tmp_path: Path) -> None:
    with open_shop(tmp_path) as (client, service):
        users.sign_in(client, service, "read")
        service.follower.stop()
        service.follower.state = ProcessState(4, "the event at position 5 (a topic) cannot be projected: no such thing")
        for path in ("/cdrs", "/operations"):
            assert "the event at position 5 (a topic) cannot be projected" in client.get(path).text
        assert 'href="/events/5"' in client.get("/operations").text


def test_that_signatures_are_off_is_said_loudly_on_every_page_but_to_strangers(tmp_path: Path) -> None:
    with open_shop(tmp_path, TRINGLEDGER_SIGNATURE="off") as (client, service):
        assert "Signatures are not checked" not in client.get("/sign-in").text
        users.sign_in(client, service, "read")
        for path in PAGES:
            if not path.startswith("/fragments"):
                assert "Signatures are not checked" in client.get(path).text, path


def test_pages_are_the_same_over_postgresql(tmp_path: Path, database: str) -> None:
    with open_shop(tmp_path, TRINGLEDGER_STORE=database) as (client, service):
        users.sign_in(client, service, "operate", "export")
        for path in PAGES:
            answer = client.get(path)
            assert answer.status_code == 200, (path, answer.text[:300])
        for address, value in cells(client.get("/billing?period=2026-10").text):
            query = address.partition("?")[2]
            assert str(sums(client.get(f"/fragments/cdrs/sums?{query}").text)) == value, address

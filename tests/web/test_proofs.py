"""Proofs over HTTP: checkpoint and tiles for auditors, bundles for those who may have whole numbers, and what pages show."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.application.proofs.log_key import SigningSettings
from api.application.proofs.offline_verification import OfflineFiles, read_trust, verify_files
from api.application.proofs.prover_settings import ProverSettings
from api.application.proofs.tree_keeper import TreeKeeper
from api.processes import bundle_worker
from api.service import Service
from domain.proofs.keys import SigningKey, write_key_file
from domain.proofs.tiles import decode_bundle
from tests.support import asgi_service
from tests.support.asgi_service import eventually
from tests.support.page_ledger import fill
from tests.support.web_users import bearer, sign_in

KEY = SigningKey("ledger.example/calls", bytes(range(32)))


@pytest.fixture
def proven(tmp_path: Path, service: Service) -> Service:
    """A service whose ledger has calls and a signed tree."""
    fill(service.ledger.url)
    key = tmp_path / "log.key"
    write_key_file(key, KEY)
    keeper = TreeKeeper(service.ledger, ProverSettings(SigningSettings(key)))
    assert keeper.catch_up().failure == ""
    keeper.close()
    return service


@pytest.fixture
def client(proven: Service) -> Iterator[TestClient]:
    with asgi_service.running(proven) as running:
        yield running


def first_bill(service: Service) -> tuple[str, str]:
    """Return the month and the account of the first CDR."""
    with service.read_models.session() as room:
        month, account = room.connection.exec_driver_sql(
            "SELECT period, account FROM entries WHERE kind = 'cdr' ORDER BY position LIMIT 1"
        ).one()
    return month, account


def proves(content: bytes) -> dict[str, str]:
    return dict(verify_files(OfflineFiles(content), read_trust(KEY.verifier.text, [], None)))


class TestAnAuditor:
    def test_gets_the_checkpoint_and_the_tiles_of_its_size(self, client: TestClient, proven: Service) -> None:
        who = bearer(proven, "auditor")
        checkpoint = client.get("/proofs/checkpoint", headers=who)
        size = int(proves(checkpoint.content)["events"])
        assert checkpoint.headers["content-type"] == "text/plain; charset=utf-8"
        tile = client.get(f"/proofs/tile/0/000.p/{size}", headers=who)
        assert (tile.headers["content-type"], len(tile.content)) == ("application/octet-stream", size * 32)
        entries = client.get(f"/proofs/tile/entries/000.p/{size}", headers=who)
        assert len(decode_bundle(entries.content, size)) == size

    @pytest.mark.parametrize(
        "path", ["0/000", "0/001", "9/000", "0/000.p/0", "entries/000.p/255", "..%2f..%2fetc", "x"]
    )
    def test_gets_404_for_what_the_tree_does_not_have(self, client: TestClient, proven: Service, path: str) -> None:
        assert client.get(f"/proofs/tile/{path}", headers=bearer(proven, "auditor")).status_code == 404

    def test_alone_gets_them(self, client: TestClient, proven: Service) -> None:
        who = bearer(proven, "read", "export", "pii", "operate")
        for path in ("/proofs/checkpoint", "/proofs/tile/0/000.p/1"):
            assert client.get(path, headers=who).status_code == 403
            assert client.get(path, follow_redirects=False).status_code in (303, 401)


class TestDownloads:
    def test_prove_a_call_and_a_bill_to_whom_the_key_is_given(self, client: TestClient, proven: Service) -> None:
        who = bearer(proven, "export", "pii")
        with proven.read_models.session() as room:
            call, account, period = room.connection.exec_driver_sql(
                "SELECT call_id, account, period FROM entries WHERE kind = 'cdr' ORDER BY position LIMIT 1"
            ).one()
        assert proves(client.get(f"/proofs/calls/{call}", headers=who).content)["call"] == call
        bill = client.get(f"/proofs/bills/{period}/{account}", headers=who)
        assert (proves(bill.content)["account"], bill.headers["content-type"]) == (account, "application/zip")

    def test_of_many_calls_are_made_by_a_process_of_their_own_one_at_a_time(
        self, client: TestClient, proven: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        who, path = bearer(proven, "export", "pii"), f"/proofs/bills/{'/'.join(first_bill(proven))}"
        made_here = client.get(path, headers=who)
        monkeypatch.setattr(bundle_worker, "CALLS_PROVEN_HERE_MAX", -1)
        assert client.get(path, headers=who).content == made_here.content
        assert client.get("/proofs/bills/1999-01/nobody", headers=who).status_code == 404
        sign_in(client, proven, "export", "pii")
        told = client.get("/proofs/bills/1999-01/nobody", headers={"Accept": "text/html"})
        assert (told.status_code, told.headers["content-type"]) == (404, "text/html; charset=utf-8")
        with proven.bundle_worker._busy:  # As while another one is made.
            refused = client.get(path, headers=who)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
        monkeypatch.setattr(bundle_worker, "MODULE", "abc")
        ended = client.get(path, headers=who)
        assert (ended.status_code, "the process that makes the bundle" in ended.json()["detail"]) == (503, True)
        proven.bundle_worker.close()
        assert "the service is stopping" in client.get(path, headers=who).json()["detail"]

    def test_need_whole_numbers_to_be_allowed(self, client: TestClient, proven: Service) -> None:
        for roles in (("export",), ("pii",), ("auditor",)):
            found = client.get("/proofs/bills/2026-10/acme", headers=bearer(proven, *roles))
            assert found.status_code == 403

    def test_of_nothing_are_not_found(self, client: TestClient, proven: Service) -> None:
        who = bearer(proven, "export", "pii")
        for path in ("bills/1999-01/nobody", "calls/x", "calls/00000000-0000-0000-0000-000000000000"):
            assert client.get(f"/proofs/{path}", headers=who).status_code == 404


class TestOperations:
    def test_shows_checkpoint_and_since_when_something_is_proved(self, client: TestClient, proven: Service) -> None:
        sign_in(client, proven, "read")
        page = client.get("/operations").text
        assert "nothing is proved of the time before" in page
        assert KEY.name in page
        assert "none has cosigned it" in page

    def test_shows_a_divergence(self, client: TestClient, proven: Service) -> None:
        sign_in(client, proven, "read")
        with closing(sqlite3.connect(proven.ledger.path)) as connection, connection:
            connection.execute("DELETE FROM stored_events WHERE position = (SELECT max(position) FROM stored_events)")
        proven.prover.start()
        eventually(lambda: "The log has diverged from its proofs" in client.get("/operations").text)
        proven.prover.stop()

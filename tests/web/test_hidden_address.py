"""What a failure says of the store to users of the web: what happened, and not where the store is."""

import pytest
from starlette.testclient import TestClient

from api.application.process_state import ProcessState
from api.service import Service
from api.web.hidden_address import hide_address, hide_addresses
from tests.support.web_users import sign_in

FILE, SERVER = "sqlite:////srv/books/calls.db", "postgresql://u:p@db.example:5432/calls"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("the ledger at sqlite:////srv/books/calls.db has no proofs yet", "the store has no proofs yet"),
        (
            "the read models in /srv/books/calls.db.read-1.db have schema 9",
            "the read models in the store have schema 9",
        ),
        ("it holds /srv/books/calls.db.rebuild.lock)", "it holds the store)"),
        ("calls.db cannot be used now: disk I/O error.", "the store cannot be used now: disk I/O error."),
        ("the calls of calls.dbx, /srv/books/other.db", "the calls of calls.dbx, /srv/books/other.db"),
    ],
)
def test_the_path_of_a_file_and_of_those_beside_it_is_left_out(said: str, shown: str) -> None:
    assert hide_address(said, FILE) == shown


def test_a_file_named_as_a_word_is_left_out_only_with_its_folder() -> None:
    said = "the calls in sqlite:////srv/calls and /srv/calls.read-1.db are damaged"
    assert hide_address(said, "sqlite:////srv/calls") == "the calls in the store and the store are damaged"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            'the store postgresql://u:***@db.example:5432/calls is away: connection to server at "10.0.0.7", port 5432 failed',
            "the store is away: connection to the server failed",
        ),
        ("failed to resolve host 'db.example': unknown", "failed to resolve the host: unknown"),
        ("schema tringledger_read_1 cannot be used now", "schema tringledger_read_1 cannot be used now"),
    ],
)
def test_the_host_of_a_server_is_left_out(said: str, shown: str) -> None:
    assert hide_address(said, SERVER) == shown


def test_documents_are_read_through() -> None:
    document = {"head": 1, "found": ["calls.db is full", None], "at": {"where": FILE}}
    assert hide_addresses(document, FILE) == {
        "head": 1,
        "found": ["the store is full", None],
        "at": {"where": "the store"},
    }


@pytest.mark.only_on("sqlite")
def test_no_answer_names_the_file_while_something_of_it_is_missing_or_damaged(
    client: TestClient, service: Service
) -> None:
    sign_in(client, service, "export", "operate", "pii", "auditor")
    path = service.ledger.path
    asked = ["/proofs/bills/2026-10/sales", "/proofs/checkpoint", "/api/v1/status", "/health"]
    answers = [client.get(each) for each in asked]
    assert [answer.status_code for answer in answers] == [404, 404, 200, 200]
    assert answers[2].json()["store"] == "sqlite"
    with service.read_models.session() as room:
        models = f"{room.store.name}"
    assert models.startswith(path)
    service.follower.state = ProcessState(0, f"the read models in {models} are damaged")
    answers += [client.get(each) for each in ("/calls", "/operations", "/health")]
    for answer in answers:
        assert path not in answer.text, answer.url
    assert all("the read models in the store are damaged" in answer.text for answer in answers[-3:])

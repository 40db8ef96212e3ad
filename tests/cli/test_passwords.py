"""The password of a SIP address is never shown, whoever looks; the log keeps the notice as delivered (SPEC 9.2)."""

from pathlib import Path

import pytest
from starlette.testclient import TestClient

from tests.support import asgi_service as asgi
from tests.support.command import run
from tests.support.database_edits import as_made_before
from tests.support.ledgers import opened
from tests.support.notices import OTHER_KEY, callstatus, line, notice, priced_cdr, signed
from tests.support.web_users import sign_in

SENT = "sip:bob:s3cr,et@pbx.example.com"
SHOWN = "sip:bob:***@pbx.example.com"
HIDDEN = "s3cr"


@pytest.fixture(params=[1, 2])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """Return the folder of a ledger of each line rule: a call with a password, a channel, and three refused notices."""
    store = f"sqlite:///{tmp_path}/ledger.db"
    with opened(store):
        pass
    if request.param == 1:
        as_made_before(store)
    said = [callstatus(r=1, src=SENT), priced_cdr(r=2, src=SENT), notice(type="deletechannel", src=SENT)]
    wrong = signed(callstatus(r=3, src=SENT), OTHER_KEY)
    broken = [signed(priced_cdr(r=4, src=SENT, srccharge=SENT)), signed(priced_cdr(r=5, src=SENT + "x" * 300))]
    text = "".join(line(query) for query in [*map(signed, said), wrong, *broken])
    run("import", "-", "--store", store, stdin=text, TRINGME_PRIVATE_KEY="s3cr3t-private-key")
    return tmp_path


@pytest.mark.parametrize(
    "command",
    [
        "history --tag sales --src SENT",
        "history --tag sales --src SENT --format json",
        "tail --from 1 --no-follow",
        "tail --from 1 --no-follow --format ndjson",
        "quarantine list",
        "quarantine list --format json",
        "quarantine show 1",
        "quarantine show 1 --format json",
        "quarantine show 2",
        "quarantine show 3 --format json",
    ],
)
def test_no_command_shows_it(files: Path, command: str) -> None:
    arguments = [SENT if each == "SENT" else each for each in command.split(" ")]
    said = run(*arguments, "--store", f"sqlite:///{files}/ledger.db")
    assert said.code == 0, said.err
    assert HIDDEN not in said.out
    if "list" not in command and "show 2" not in command:
        assert "sip:bob:" in said.out


def test_no_page_shows_it(files: Path) -> None:
    assert run("rebuild", "--store", f"sqlite:///{files}/ledger.db", "--jobs", "1").code == 0
    service = asgi.service_at(files)
    with TestClient(service.app, base_url="http://ledger.test") as client:
        sign_in(client, service, "read", "pii")
        call = service.ledger.events_at([1])[0].stream_id
        pages = ("/calls", f"/calls/{call}", "/channels", "/quarantine", "/quarantine/1", "/quarantine/3", "/events/3")
        for path in pages:
            page = client.get(path)
            assert page.status_code == 200, path
            assert HIDDEN not in page.text, path

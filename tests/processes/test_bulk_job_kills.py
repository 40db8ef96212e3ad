"""A service that is killed in the middle of a bulk job: the next one goes on by itself, and no notice becomes two events."""

import json
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from domain.ledger import Ledger
from domain.notices.signature import Keyring
from tests.support.asgi_service import eventually
from tests.support.command import SECONDS_MAX, Server, run, serving
from tests.support.notices import FORMULA, KEY, OTHER_KEY, SECOND, START, priced_cdr, signed

NOTICES = 2_000


@pytest.fixture
def token(store: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Fill a quarantine with notices of a key that is known from now on; return an operator's token."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRINGLEDGER_STORE", store)
    monkeypatch.setenv("TRINGME_PRIVATE_KEY", f"{KEY},{OTHER_KEY}")
    with Ledger(store, Keyring(FORMULA, [KEY]), create=True) as ledger:
        sent = (signed(priced_cdr(r=each, src=f"1858555{each:04}"), OTHER_KEY) for each in range(NOTICES))
        verified = [ledger.verify_delivery(each.encode(), START + at * SECOND) for at, each in enumerate(sent)]
        ledger.record(verified)
    run("migrate")
    return run("user", "add", "ann", "--role", "operate").out.strip()


def asked(server: Server, token: str, path: str, **fields: str) -> Any:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    body = json.dumps(fields).encode() if fields else None
    request = Request(f"http://127.0.0.1:{server.port}/api/v1/{path}", body, headers)
    with urlopen(request, timeout=SECONDS_MAX) as answer:
        return json.load(answer)


@pytest.mark.thorough
def test_the_next_service_goes_on_and_each_notice_is_one_event(store: str, token: str, tmp_path: Path) -> None:
    with serving(tmp_path) as server:
        job = asked(server, token, "bulk-jobs", kind="reprocess-quarantine")
        path = f"bulk-jobs/{job['id']}"
        eventually(lambda: asked(server, token, path)["done"] > 0, SECONDS_MAX)
        server.kill()
    with Ledger(store) as ledger:
        done = ledger.head()
    assert 0 < done < NOTICES
    with serving(tmp_path) as server:
        eventually(lambda: asked(server, token, path)["state"] == "done", SECONDS_MAX)
        ended = asked(server, token, path)
    assert (ended["outcomes"], ended["refused"]) == ({"recorded": NOTICES}, {})
    with Ledger(store) as ledger:
        rows = ledger.store.page(0, NOTICES + 1, ledger.head())
        assert len({bytes(row.state) for row in rows}) == len(rows) == NOTICES
        assert ledger.store.count_quarantined() == (0, 0)

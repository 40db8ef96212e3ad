"""Requests as the tests send them to the service in process, and a look at what came back."""

from typing import Any

from starlette.testclient import TestClient

from api.service import Service
from domain.notices.notification import FORM
from tests.support.notices import KEY, callstatus, signed

PROBLEM = "application/problem+json"
SIZE_MAX_BYTES = 16 * 1024


def get(client: TestClient, query: str, path: str = "/notify") -> Any:
    """Call back with GET."""
    return client.get(f"{path}?{query}")


def post(client: TestClient, body: str | bytes, content_type: str = FORM, query: str = "") -> Any:
    """Call back with POST."""
    return client.post(f"/notify?{query}" if query else "/notify", content=body, headers={"content-type": content_type})


def quarantined(service: Service) -> list[Any]:
    """Return all that is or was in quarantine, oldest first."""
    return list(service.ledger.store.quarantined(settled=True))


def filled(size: int, key: str = KEY) -> str:
    """Return a signed query of just so many bytes."""
    rest = len(signed(callstatus(filler=""), key))
    return signed(callstatus(filler="x" * (size - rest)), key)


def is_problem(answer: Any, status: int, *told: str) -> bool:
    """Whether an answer is a problem document of this status whose detail tells all of these."""
    content = answer.json()
    assert (answer.status_code, content["status"]) == (status, status), content
    assert answer.headers["content-type"] == PROBLEM
    assert content["title"]
    return all(text in content["detail"] for text in told)

"""No route without a guard, and each role's limits on every route there is, whoever added it."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import compile_path
from starlette.testclient import TestClient

from api import routes as table
from api.web.auth import audit_log as records
from api.web.auth import guard, users
from api.web.auth.authenticator import Authenticator
from api.web.auth.guard import SAFE, GuardedEndpoint, GuardedRoute, Role
from api.web.auth.roles import AuditAction
from api.web.pages import refusal
from tests.support import asgi_service as asgi

# What anybody may see: how to get in, and what a page of refusal is drawn with.
OPEN = {"/sign-in", "/static/{digest}/{name:path}", "/display"}
# What tells nothing of calls, so that nobody needs to know who looked at it.
UNRECORDED = {
    "/fragments/operations",
    "/fragments/bulk-jobs/{job_id}/progress",
    "/openapi.json",
    "/reference",
    "/proofs/tile/{path:path}",
}
# They are posted, and only show what would be done.
PREVIEWS = {"/corrections", "/reratings", "/tariffs/new"}
CHANGING, LOOKING = {AuditAction.CHANGED, AuditAction.SIGNED_OUT}, {AuditAction.VIEWED, AuditAction.EXPORTED}
VALUES = {
    "string": "x",
    "path": "x/y",
    "boundednumber": "1",
    "monthinpath": "2026-10",
    "float": "1.5",
    "uuid": "317c4008-664b-5b39-a554-0d2515e0247a",
}
TABLE = table.guarded()
CASES = [
    pytest.param(guarded, method, id=f"{method} {guarded.path}")
    for guarded in TABLE
    for method in guarded.methods
    if guarded.required_role is not None
]


def address(guarded: GuardedRoute) -> str:
    """Return an address that a route answers to."""
    _, form, convertors = compile_path(guarded.path)
    kinds = {name: type(convertor).__name__.removesuffix("Convertor").lower() for name, convertor in convertors.items()}
    return form.format(**{name: VALUES[kind] for name, kind in kinds.items()})


class Door:
    """Every route of the table, its endpoint exchanged for one that only counts; and users with tokens for it."""

    def __init__(self, path: Path) -> None:
        self.clock = asgi.Clock()
        self.keeper = Authenticator(f"sqlite:///{path}/ledger.db", self.clock)
        self.calls = 0
        self._tokens: dict[frozenset[Role], str] = {}

    def client(self, guarded: GuardedRoute) -> TestClient:
        app = Starlette(
            routes=guard.guard_routes([guarded._replace(endpoint=self._answer)], self.keeper, refusal.answer_refusal)
        )
        app.state.authenticator = self.keeper
        return TestClient(app, follow_redirects=False, raise_server_exceptions=False)

    def _answer(self, _request: Request) -> Response:
        self.calls += 1
        return PlainTextResponse("seen")

    def token(self, roles: frozenset[Role]) -> dict[str, str]:
        if roles not in self._tokens:
            self._tokens[roles] = users.add_user(self.keeper.store, f"has {sorted(roles)}", roles, 0)
        return {"Authorization": f"Bearer {self._tokens[roles]}"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Door]:
    made = Door(tmp_path_factory.mktemp("door"))
    yield made
    made.keeper.close()


def test_every_route_of_the_service_is_behind_the_guard_but_health(tmp_path: Path) -> None:
    service = asgi.service_at(tmp_path)
    with asgi.running(service):
        routes: list[Any] = service.app.router.routes
    guards = [getattr(getattr(route, "endpoint", None), "__self__", None) for route in routes]
    without = [route.path for route, by in zip(routes, guards, strict=True) if not isinstance(by, GuardedEndpoint)]
    assert without == ["/health", "/ready"]
    composed = [by.guarded[:1] + by.guarded[2:] for by in guards if isinstance(by, GuardedEndpoint)]
    assert composed == [guarded[:1] + guarded[2:] for guarded in TABLE]  # Endpoints are made anew each time.


def test_what_anybody_may_see_is_listed() -> None:
    assert {guarded.path for guarded in TABLE if guarded.required_role is None} <= OPEN


def test_what_is_not_recorded_is_listed() -> None:
    assert {guarded.path for guarded in TABLE if guarded.required_role and guarded.audit_action is None} <= UNRECORDED


def test_what_changes_something_needs_more_than_to_read() -> None:
    changing = [
        guarded for guarded in TABLE if not SAFE.issuperset(guarded.methods) and guarded.required_role is not None
    ]
    assert {guarded.path for guarded in changing if guarded.required_role is Role.READ} <= {"/sign-out"}


@pytest.mark.parametrize(("guarded", "method"), CASES)
class TestEveryRoute:
    def test_answers_nobody_who_is_not_known(self, door: Door, guarded: GuardedRoute, method: str) -> None:
        calls, client = door.calls, door.client(guarded)
        answer = client.request(method, address(guarded))
        assert answer.status_code == 401 or answer.headers["location"].startswith("/sign-in"), answer.text
        for given in ("Bearer wrong", "Basic eDp5", "Bearer ", ""):
            assert client.request(method, address(guarded), headers={"Authorization": given}).status_code in {401, 429}
        assert door.calls == calls

    @pytest.mark.parametrize("role", list(Role))
    def test_answers_who_has_the_role_that_it_needs(
        self, door: Door, guarded: GuardedRoute, method: str, role: Role
    ) -> None:
        calls = door.calls
        answer = door.client(guarded).request(method, address(guarded), headers=door.token(frozenset({role})))
        may = guarded.required_role in {role, Role.READ}
        assert (answer.status_code, door.calls - calls) == ((200, 1) if may else (403, 0))

    def test_refuses_who_has_every_other_role(self, door: Door, guarded: GuardedRoute, method: str) -> None:
        assert guarded.required_role
        others = frozenset(Role) - {guarded.required_role}
        calls = door.calls
        answer = door.client(guarded).request(method, address(guarded), headers=door.token(others))
        may = guarded.required_role is Role.READ
        assert (answer.status_code, door.calls - calls) == ((200, 1) if may else (403, 0))

    def test_tells_browsers_and_proxies_to_keep_nothing(self, door: Door, guarded: GuardedRoute, method: str) -> None:
        answer = door.client(guarded).request(method, address(guarded), headers=door.token(frozenset(Role)))
        assert answer.headers["cache-control"] == "no-store"

    def test_records_who_was_answered(self, door: Door, guarded: GuardedRoute, method: str) -> None:
        door.clock.at += 61_000_000  # A fragment of a page that was just viewed is no view of its own.
        before = records.audit_page(door.keeper.store, limit=1)
        door.client(guarded).request(method, address(guarded), headers=door.token(frozenset(Role)))
        last = records.audit_page(door.keeper.store, limit=1)
        if guarded.path in UNRECORDED:
            assert last == before
            return
        assert (last[0].path, last[0].method, last[0].unmasked) == (address(guarded), method, True)
        looks = method in SAFE or guarded.path in PREVIEWS
        assert last[0].did in (LOOKING if looks else CHANGING)

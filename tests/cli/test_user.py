"""``tringledger user`` and ``tringledger access-log``, beside a service that runs."""

import os
import pwd
from collections.abc import Iterator
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.service import Service
from tests.support import asgi_service as asgi
from tests.support.callback_requests import get
from tests.support.command import Said, run
from tests.support.notices import callstatus, signed
from tests.support.web_users import bearer, sign_in

DONE, USAGE = 0, 2
GUARDED = "/access-log"


@pytest.fixture
def command(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let commands use the service's store; list it where they are run."""
    monkeypatch.setenv("TRINGLEDGER_STORE", service.ledger.url)
    with asgi.running(service):
        yield


def user(*arguments: str) -> Said:
    return run("user", *arguments)


def with_token(service: Service, token: str) -> int:
    answer = TestClient(service.app).get(GUARDED, headers={"Authorization": f"Bearer {token}"}, follow_redirects=False)
    return answer.status_code


@pytest.mark.usefixtures("command")
class TestUser:
    def test_add_prints_the_token_alone_and_once(self, service: Service) -> None:
        said = user("add", "ann", "--role", "operate", "--role", "pii")
        assert said.code == DONE
        assert said.err == "added ann with the roles operate, pii, read; the token above is not shown again\n"
        token = said.out.strip()
        assert (token[:3], len(token)) == ("tl_", 46)
        assert token not in user("list").out + user("list", "--format", "json").out
        assert with_token(service, token) == 200

    def test_what_commands_change_holds_from_the_next_request_on(self, service: Service) -> None:
        first = user("add", "ann", "--role", "operate").out.strip()
        assert with_token(service, first) == 200
        assert user("roles", "ann", "--role", "export").code == DONE
        assert with_token(service, first) == 403
        assert user("roles", "ann", "--role", "operate").code == DONE
        second = user("new-token", "ann").out.strip()
        assert (with_token(service, first), with_token(service, second)) == (401, 200)
        assert user("remove", "ann").code == DONE
        assert with_token(service, second) == 401

    def test_list_tells_names_and_roles(self) -> None:
        user("add", "zoë", "--role", "read")
        user("add", "ann", "--role", "pii", "--role", "export")
        listed = user("list", "--format", "json").json()
        assert [(each["name"], each["roles"]) for each in listed] == [("ann", ["export", "pii"]), ("zoë", ["read"])]
        assert user("list").out.splitlines()[1].startswith("ann   export pii  2")

    def test_link_prints_what_signs_in_at_an_address(self, service: Service) -> None:
        user("add", "ann", "--role", "operate")
        link = user("link", "ann", "--at", "https://calls.example.com/").out.strip()
        assert link.startswith("https://calls.example.com/sign-in?link=")
        client = TestClient(service.app, follow_redirects=False)
        assert client.get(link.removeprefix("https://calls.example.com")).headers["location"] == "/"
        assert client.get(GUARDED).status_code == 200

    @pytest.mark.parametrize("name", ["", " ann", "a\nb", "x" * 65, "\u202eann"])
    def test_a_name_that_cannot_be_told_is_refused(self, name: str) -> None:
        assert user("add", name, "--role", "read").code == USAGE

    def test_a_name_twice_or_of_nobody_is_wrong_usage(self) -> None:
        user("add", "ann", "--role", "read")
        assert user("add", "ann", "--role", "read").code == USAGE
        assert [user(*given).code for given in (("remove", "bob"), ("new-token", "bob"), ("link", "bob"))] == [
            USAGE
        ] * 3
        assert user("add", "bob").code == USAGE
        assert user("add", "bob", "--role", "admin").code == USAGE


@pytest.mark.usefixtures("command")
class TestAccessLog:
    def test_tells_what_was_done_by_pages_programs_and_commands(self, service: Service) -> None:
        client = TestClient(service.app)
        name = sign_in(client, service, "operate", "pii")
        client.get(f"{GUARDED}?who=nobody")
        user("add", "ann", "--role", "read")
        said = run("access-log", "--format", "json").json()
        me = pwd.getpwuid(os.getuid()).pw_name
        assert [(each["who"], each["did"], each["unmasked"], each["what"], each["how"]) for each in said] == [
            (me, "changed", False, "user add ann read", "command"),
            (name, "viewed", True, "/access-log?who=nobody", "session"),
            (name, "signed in", False, "/sign-in", "link"),
        ]

    def test_selects(self) -> None:
        user("add", "ann", "--role", "read")
        user("remove", "ann")
        assert len(run("access-log", "--limit", "1").out.splitlines()) == 2
        assert run("access-log", "--did", "exported").out.splitlines()[1:] == []
        assert run("access-log", "--who", "ann", "--format", "json").json() == []

    def test_the_page_shows_it_masked_to_who_sees_no_numbers(self, service: Service) -> None:
        whole, masked = bearer(service, "operate", "pii"), bearer(service, "operate")
        client = TestClient(service.app)
        client.get(f"{GUARDED}?number=18585550001", headers=whole)
        assert "number=185••••••01" in client.get(GUARDED, headers=masked).text
        assert "18585550001" not in client.get(GUARDED, headers=masked).text
        assert "number=18585550001" in client.get(GUARDED, headers=whole).text

    def test_the_page_shows_text_as_text(self, service: Service) -> None:
        client = TestClient(service.app)
        seer = bearer(service, "operate", "pii")
        client.get(f"{GUARDED}?who=%3Cscript%3Ealert(1)%3C/script%3E", headers=seer)
        shown = client.get(f"{GUARDED}?who=<script>", headers=seer).text + client.get(GUARDED, headers=seer).text
        assert "<script>" not in shown

    def test_the_page_goes_back_a_hundred_at_a_time(self, service: Service) -> None:
        client, seer = TestClient(service.app), bearer(service, "operate")
        for _ in range(102):
            client.get(GUARDED, headers=seer)
        page = client.get(GUARDED, headers=seer).text
        following = page.partition('rel="next"')[0].rpartition('href="')[2].partition('"')[0]
        assert page.count("<tr><td ") == 100
        assert client.get(following, headers=seer).text.count("<tr><td ") == 2
        assert client.get(f"{GUARDED}?before=x", headers=seer).status_code == 400


def test_callbacks_are_taken_while_nobody_can_be_known(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    service = asgi.service_at(tmp_path)
    (tmp_path / "ledger.db.access.db").mkdir()
    with asgi.running(service) as client:
        assert get(client, signed(callstatus())).status_code == 200
        assert client.get("/health").status_code == 200
        refused = client.get("/sign-in")
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert str(tmp_path) not in refused.text
    assert str(tmp_path) in caplog.text

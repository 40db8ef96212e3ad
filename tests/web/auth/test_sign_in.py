"""Signing in and out: by a name and a token, by a link, and not by guessing; where one comes out, and what the cookie says."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.service import Service
from api.web.auth import audit_log as records
from api.web.auth import sessions, users
from api.web.auth import sign_in_throttle as attempts
from api.web.auth.roles import AuditAction, Role
from api.web.pages.sign_in import own_address
from domain import times
from tests.support import asgi_service as asgi
from tests.support.web_users import added, bearer, csrf_token, sign_in

MINUTE = 60 * times.SECOND
GUARDED = "/access-log"


@pytest.fixture
def client(client: TestClient) -> TestClient:
    client.follow_redirects = False
    return client


def tried(client: TestClient, name: str, token: str, **fields: str) -> Any:
    return client.post("/sign-in", data={"name": name, "token": token, **fields})


def did(service: Service) -> list[tuple[str, str]]:
    return [(entry.who, entry.did) for entry in reversed(records.audit_page(service.authenticator.store))]


class TestWithANameAndAToken:
    def test_somebody_comes_to_where_he_wanted(self, client: TestClient, service: Service) -> None:
        name, token = added(service, "operate")
        sent = client.get(f"{GUARDED}?who=ann")
        assert (sent.status_code, sent.headers["location"]) == (303, "/sign-in?next=%2Faccess-log%3Fwho%3Dann")
        assert 'name="next" value="/access-log?who=ann"' in client.get(sent.headers["location"]).text
        let_in = tried(client, name, token, next="/access-log?who=ann")
        assert (let_in.status_code, let_in.headers["location"]) == (303, "/access-log?who=ann")
        assert client.get(let_in.headers["location"]).status_code == 200

    @pytest.mark.parametrize("given", ["name", "token", "both"])
    def test_what_does_not_belong_together_is_refused_alike(
        self, client: TestClient, service: Service, given: str
    ) -> None:
        name, token = added(service, "read")
        answer = tried(client, name if given == "name" else "nobody", token if given == "token" else "wrong")
        assert answer.status_code == 401
        assert "That name and that token do not belong together." in answer.text
        assert "set-cookie" not in answer.headers

    def test_the_cookie_is_kept_from_scripts_and_from_other_sites(self, client: TestClient, service: Service) -> None:
        cookie = tried(client, *added(service, "read")).headers["set-cookie"]
        assert re.fullmatch(r"tringledger=[\w-]{43}\.[0-9a-f]{64}; HttpOnly; Path=/; SameSite=lax", cookie)

    def test_behind_a_proxy_that_speaks_https_the_cookie_is_for_https_only(self, tmp_path: Path) -> None:
        service = asgi.service_at(tmp_path, TRINGLEDGER_TRUSTED_PROXIES="127.0.0.1")
        with TestClient(service.app, client=("127.0.0.1", 1), follow_redirects=False) as client:
            client.headers["X-Forwarded-Proto"] = "https"
            cookie = tried(client, *added(service, "read")).headers["set-cookie"]
        assert cookie.startswith("__Host-tringledger=")
        assert cookie.endswith("; HttpOnly; Path=/; SameSite=lax; Secure")

    def test_a_page_from_another_site_signs_nobody_in(self, client: TestClient, service: Service) -> None:
        name, token = added(service, "read")
        client.headers["Sec-Fetch-Site"] = "cross-site"
        assert tried(client, name, token).status_code == 403

    def test_without_any_user_the_page_says_how_to_add_one(self, client: TestClient, service: Service) -> None:
        assert "tringledger user add NAME" in client.get("/sign-in").text
        added(service, "read")
        assert "tringledger user add NAME" not in client.get("/sign-in").text

    def test_strangers_learn_nothing_of_the_ledger(self, client: TestClient, service: Service) -> None:
        page = client.get("/sign-in").text
        assert service.ledger.id not in page
        assert service.ledger.path not in page


class TestTheSession:
    def test_ends_when_its_user_signs_out_whoever_kept_the_cookie(self, client: TestClient, service: Service) -> None:
        sign_in(client, service, "operate")
        cookie = dict(client.cookies)
        answer = client.post("/sign-out", data={"csrf_token": csrf_token(client)})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in")
        assert not client.cookies
        client.cookies.update(cookie)
        assert client.get(GUARDED).status_code == 303

    def test_ends_after_twelve_hours(self, client: TestClient, service: Service, clock: asgi.Clock) -> None:
        sign_in(client, service, "operate")
        clock.at += sessions.SESSION_SECONDS * times.SECOND - 1
        assert client.get(GUARDED).status_code == 200
        clock.at += 1
        assert client.get(GUARDED).status_code == 303

    def test_ends_at_once_when_its_user_is_removed_or_gets_another_token(
        self, client: TestClient, service: Service
    ) -> None:
        name = sign_in(client, service, "operate")
        users.remove_user(service.authenticator.store, name)
        assert client.get(GUARDED).status_code == 303
        name = sign_in(client, service, "operate")
        users.renew_token(service.authenticator.store, name, 0)
        assert client.get(GUARDED).status_code == 303

    def test_has_the_roles_that_its_user_has_now(self, client: TestClient, service: Service) -> None:
        name = sign_in(client, service, "operate")
        users.set_roles(service.authenticator.store, name, [Role.EXPORT])
        assert client.get(GUARDED).status_code == 403
        users.set_roles(service.authenticator.store, name, [Role.OPERATE])
        assert client.get(GUARDED).status_code == 200

    @pytest.mark.parametrize("change", [lambda it: it[:-1] + "g", lambda it: "x" + it, lambda it: it.partition(".")[0]])
    def test_is_nobodys_whose_cookie_was_altered(
        self, client: TestClient, service: Service, change: Callable[[str], str]
    ) -> None:
        sign_in(client, service, "operate")
        cookie = client.cookies["tringledger"]
        client.cookies.clear()
        for altered in (change(cookie), "", "."):
            client.cookies.set("tringledger", altered)
            assert client.get(GUARDED).status_code == 303

    def test_is_a_new_one_after_each_sign_in_and_the_one_before_is_over(
        self, client: TestClient, service: Service
    ) -> None:
        sign_in(client, service, "operate")
        before = client.cookies["tringledger"]
        sign_in(client, service, "operate")
        assert client.cookies["tringledger"] != before
        assert sessions.find_session(service.authenticator.store, before, service.authenticator.clock()) is None

    def test_changes_nothing_without_its_own_token(self, client: TestClient, service: Service) -> None:
        sign_in(client, service, "operate")
        mine = csrf_token(client)
        other = TestClient(service.app)
        sign_in(other, service, "operate")
        for data in ({}, {"csrf_token": ""}, {"csrf_token": csrf_token(other)}, {"csrf_token": mine[:-1]}):
            assert client.post("/sign-out", data=data).status_code == 403
        assert client.post(f"/sign-out?csrf_token={mine}").status_code == 403
        assert client.get(GUARDED).status_code == 200
        assert client.post("/sign-out", headers={"X-CSRF-Token": mine}).status_code == 303


class TestALink:
    def test_signs_in_once(self, client: TestClient, service: Service, clock: asgi.Clock) -> None:
        name, _ = added(service, "operate")
        link = f"/sign-in?link={sessions.new_link(service.authenticator.store, name, clock())}"
        assert client.head(link).status_code == 200
        assert client.get(f"{link}&next=/access-log").headers["location"] == "/access-log"
        assert client.get(GUARDED).status_code == 200
        client.cookies.clear()
        again = client.get(link)
        assert (again.status_code, "used before" in again.text) == (401, True)

    def test_is_void_after_an_hour_and_when_its_user_is_gone(
        self, client: TestClient, service: Service, clock: asgi.Clock
    ) -> None:
        name, _ = added(service, "read")
        old, lost = (sessions.new_link(service.authenticator.store, name, clock()) for _ in range(2))
        clock.at += sessions.LINK_SECONDS * times.SECOND
        assert client.get(f"/sign-in?link={old}").status_code == 401
        clock.at -= sessions.LINK_SECONDS * times.SECOND
        users.remove_user(service.authenticator.store, name)
        assert client.get(f"/sign-in?link={lost}").status_code == 401

    def test_is_not_in_the_access_log(self, client: TestClient, service: Service) -> None:
        sign_in(client, service, "read")
        assert "link=" not in str(records.audit_page(service.authenticator.store))


class TestGuessing:
    def test_after_five_failures_one_waits_twice_as_long_each_time_up_to_a_minute(
        self, client: TestClient, service: Service, clock: asgi.Clock
    ) -> None:
        name, _ = added(service, "read")
        assert [tried(client, name, "wrong").status_code for _ in range(5)] == [401] * 5
        waits = []
        for _ in range(7):
            refused = tried(client, name, "wrong")
            assert refused.status_code == 429
            waits.append(int(refused.headers["retry-after"]))
            clock.at += waits[-1] * times.SECOND - 1
            assert tried(client, name, "wrong").status_code == 429
            clock.at += 1
            assert tried(client, name, "wrong").status_code == 401
        assert waits == [4, 8, 16, 32, 60, 60, 60]

    def test_the_right_token_is_taken_while_its_name_is_being_guessed_at_and_wipes_out_the_guesses(
        self, client: TestClient, service: Service
    ) -> None:
        name, token = added(service, "read")
        for _ in range(5):
            tried(client, name, "wrong")
        assert tried(client, name, "wrong").status_code == 429
        assert tried(client, name, token).status_code == 303
        other = TestClient(service.app, client=("198.51.100.9", 1))
        assert tried(other, name, "wrong").status_code == 401

    def test_after_a_quarter_of_an_hour_all_is_forgotten(
        self, client: TestClient, service: Service, clock: asgi.Clock
    ) -> None:
        name, _ = added(service, "read")
        for _ in range(5):
            tried(client, name, "wrong")
        clock.at += attempts.WINDOW_SECONDS * times.SECOND
        assert [tried(client, name, "wrong").status_code for _ in range(5)] == [401] * 5

    def test_one_name_is_counted_from_wherever_the_guesses_come(self, tmp_path: Path, clock: asgi.Clock) -> None:
        service = asgi.service_at(tmp_path, clock)
        with TestClient(service.app, follow_redirects=False) as client:
            for number in range(5):
                host = TestClient(service.app, client=(f"198.51.100.{number}", 1))
                assert tried(host, "ann", "wrong").status_code == 401
            assert tried(client, "ann", "wrong").status_code == 429
            assert tried(client, "bob", "wrong").status_code == 401

    def test_one_address_is_counted_whatever_it_names(self, client: TestClient) -> None:
        for number in range(5):
            assert tried(client, f"user {number}", "wrong").status_code == 401
        assert tried(client, "another", "wrong").status_code == 429

    def test_a_token_of_ones_own_does_not_wipe_out_guesses_at_others(
        self, client: TestClient, service: Service
    ) -> None:
        mine = added(service, "read")
        answers = []
        for number in range(5):
            answers.append(tried(client, f"user {number}", "wrong").status_code)
            if number < 4:
                answers.append(tried(client, *mine).status_code)
        assert answers == [401, 303] * 4 + [401]
        assert tried(client, "another", "wrong").status_code == 429

    def test_who_never_fails_never_waits_though_the_clock_goes_on(self, tmp_path: Path) -> None:
        with asgi.running(service := asgi.service_at(tmp_path, times.now)) as client:
            client.follow_redirects = False
            name, token = added(service, "read")
            assert [tried(client, name, token).status_code for _ in range(attempts.FREE_ATTEMPTS + 2)] == [303] * 7

    def test_many_guesses_at_once_count_as_many(self, client: TestClient, service: Service) -> None:
        del client
        seen = [
            attempts.begin_attempt(service.authenticator.store, ["name ann"], service.authenticator.clock())
            for _ in range(8)
        ]
        assert seen == [0] * 5 + [4] * 3

    def test_wrong_tokens_of_programs_count_and_right_ones_are_taken_all_the_same(
        self, client: TestClient, service: Service
    ) -> None:
        right = bearer(service, "operate")
        wrong = {"Authorization": "Bearer wrong"}
        assert [client.get(GUARDED, headers=wrong).status_code for _ in range(7)] == [401] * 5 + [429] * 2
        refused = client.get(GUARDED, headers=wrong)
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["retry-after"]) == 4
        assert client.get(GUARDED, headers=right).status_code == 200
        assert tried(client, "ann", "wrong").status_code == 429

    def test_a_forwarded_address_is_believed_of_a_trusted_proxy_only(self, tmp_path: Path) -> None:
        service = asgi.service_at(tmp_path, TRINGLEDGER_TRUSTED_PROXIES="10.0.0.0/24")
        with TestClient(service.app, client=("10.0.0.7", 1)) as behind:
            for number in range(6):
                behind.headers["X-Forwarded-For"] = f"203.0.113.{number}"
                assert tried(behind, f"a{number}", "wrong").status_code == 401
            stranger = TestClient(service.app, client=("192.0.2.1", 1))
            codes = []
            for number in range(6):
                stranger.headers["X-Forwarded-For"] = f"203.0.113.{number}"
                codes.append(tried(stranger, f"b{number}", "wrong").status_code)
            assert codes == [401] * 5 + [429]

    def test_what_was_typed_is_kept_nowhere(self, client: TestClient, service: Service, tmp_path: Path) -> None:
        name, token = added(service, "read")
        tried(client, token, name)
        tried(client, name, "tl_wrong-token")
        tried(client, name, token)
        service.authenticator.close()
        files = b"".join(path.read_bytes() for path in tmp_path.glob("*.access.db*"))
        assert name.encode() in files
        assert token.encode() not in files
        assert b"tl_wrong-token" not in files


class TestWhatIsRecorded:
    def test_signing_in_failing_to_and_signing_out(self, client: TestClient, service: Service) -> None:
        name, token = added(service, "operate")
        tried(client, name, "wrong")
        tried(client, "stranger", "wrong")
        tried(client, name, token)
        client.post("/sign-out", data={"csrf_token": csrf_token(client)})
        assert did(service) == [
            (name, AuditAction.FAILED),
            ("", AuditAction.FAILED),
            (name, AuditAction.SIGNED_IN),
            (name, AuditAction.VIEWED),
            (name, AuditAction.SIGNED_OUT),
        ]

    def test_who_was_refused_for_want_of_a_role(self, client: TestClient, service: Service) -> None:
        name = sign_in(client, service, "read", "export", "pii")
        assert client.get(GUARDED).status_code == 403
        last = records.audit_page(service.authenticator.store, limit=1)[0]
        assert (last.who, last.did, last.path, last.status) == (name, AuditAction.REFUSED, GUARDED, 403)


@given(
    st.text(max_size=30) | st.lists(st.sampled_from([*"/\\\t\n:@.?#%ah ", "//", "evil.example", "https:"])).map("".join)
)
def test_nobody_is_sent_to_another_site_after_signing_in(text: str) -> None:
    then = own_address(text)
    stripped = re.sub(r"[\x00-\x20]", "", then).replace("\\", "/")  # As browsers read it.
    assert stripped.startswith("/")
    assert not stripped.startswith("//")


@pytest.mark.parametrize(
    "path", ["/", "/cdrs?tag=a%20b&from=24h", "/calls/1?at=5", "/accounts/Z%C3%BCrich%20B%C3%BCro"]
)
def test_addresses_of_this_service_are_kept(path: str) -> None:
    assert own_address(path) == path


def test_a_hostile_next_is_not_followed(tmp_path: Path) -> None:
    service = asgi.service_at(tmp_path)
    with TestClient(service.app, follow_redirects=False) as client:
        for then in (
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "javascript:alert(1)",
        ):
            assert tried(client, *added(service, "read"), next=then).headers["location"] == "/"


def test_a_password_manager_finds_its_fields(client: TestClient) -> None:
    page = client.get("/sign-in").text
    assert 'autocomplete="username"' in page
    assert 'autocomplete="current-password"' in page


def test_every_answer_lets_nothing_in_but_what_comes_from_here(client: TestClient) -> None:
    for path in ("/sign-in", "/health", "/nowhere", GUARDED, "/notify?f=xx", "/notify?f=tm"):
        answer = client.get(path)
        assert "default-src 'none'" in answer.headers["content-security-policy"], path
        assert "unsafe" not in answer.headers["content-security-policy"]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_a_body_without_end_is_refused(client: TestClient, service: Service) -> None:
    headers = bearer(service, "read") | {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post("/sign-out", content=b"x" * (1024 * 1024 + 1), headers=headers).status_code == 413
    assert client.post("/sign-out", content=b"\xff=1", headers=headers).status_code == 400

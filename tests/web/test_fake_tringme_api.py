"""The stand-in of ``api.php`` takes a URL that is signed, refuses what TringMe would refuse, and says why."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from api.application.rehearsal.sender import TargetUnreachable
from api.web.fake_tringme_api import FakeTringMeApi, serve_fake_api
from domain.notices.signature import UNCHECKED
from tests.support.notices import KEY, OTHER_KEY, Pairs, encoded, signed
from tests.support.ports import free_port

URL = "http://127.0.0.1:8000/notify"


def request(**changed: str) -> list[tuple[str, str]]:
    usual = {"apikey": "public", "op": "setnotifyurl", "url": URL, "flag": "", "r": "1"}
    return [(name, value) for name, value in (usual | changed).items() if value]


@pytest.fixture
def stand_in() -> FakeTringMeApi:
    return FakeTringMeApi([OTHER_KEY, KEY], formula="md5-params", anywhere=False)


@pytest.fixture
def client(stand_in: FakeTringMeApi) -> Iterator[TestClient]:
    with TestClient(stand_in.app) as running:
        yield running


def ask(client: TestClient, query: str) -> tuple[int, str]:
    answer = client.get(f"/api.php?{query}")
    return answer.status_code, answer.text


class TestAUrl:
    def test_is_set_with_a_signature_of_its_content(self, client: TestClient, stand_in: FakeTringMeApi) -> None:
        assert ask(client, signed(request())) == (200, "OK\n")
        assert stand_in.wait() == URL

    @pytest.mark.parametrize("formula", ["md5-r-key", "md5-key-r", "hmac-sha256-params"])
    def test_is_not_set_with_a_signature_of_less_or_of_another_form(self, client: TestClient, formula: str) -> None:
        assert ask(client, signed([*request(), ("r", "7")], formula=formula))[0] == 403

    def test_is_not_set_with_a_signature_in_capitals(self, client: TestClient) -> None:
        query, _, sig = signed(request()).rpartition("sig=")
        status, said = ask(client, f"{query}sig={sig.upper()}")
        assert (status, "32 lower-case hexadecimal digits" in said) == (403, True)

    def test_is_set_twice_but_no_other_one_beside_it(self, client: TestClient) -> None:
        assert [ask(client, signed(request()))[0] for _ in range(2)] == [200, 200]
        status, said = ask(client, signed(request(url="http://127.0.0.1:8001/notify")))
        assert (status, said) == (409, f"ERROR the rehearsal calls {URL} already\n")

    def test_is_taken_unsigned_where_signatures_are_off(self) -> None:
        with TestClient(FakeTringMeApi([], formula=UNCHECKED, anywhere=False).app) as client:
            assert ask(client, encoded(request())) == (200, "OK\n")


class TestARefusal:
    @pytest.mark.parametrize(
        ("pairs", "key", "status", "why"),
        [
            (request(op="makecall"), KEY, 400, "op is 'makecall': expected setnotifyurl"),
            (request(op=""), KEY, 400, "op is ''"),
            (request(apikey=""), KEY, 403, "apikey is missing"),
            (request(), "a wrong key", 403, "sig is wrong"),
            (request(url=""), KEY, 400, "expected http:// or https://"),
            (request(url="http://192.0.2.1/notify"), KEY, 400, "is not this machine"),
        ],
    )
    def test_says_why(self, client: TestClient, pairs: Pairs, key: str, status: int, why: str) -> None:
        code, said = ask(client, signed(pairs, key))
        assert code == status
        assert said.startswith("ERROR ")
        assert why in said

    def test_is_given_to_a_request_without_a_signature(self, client: TestClient) -> None:
        assert ask(client, encoded(request()))[0] == 403

    def test_never_names_the_key(self, client: TestClient) -> None:
        assert KEY not in ask(client, signed(request(), "a wrong key"))[1]


class TestItsPort:
    def test_that_is_taken_is_named(self, stand_in: FakeTringMeApi) -> None:
        port = free_port()
        with (
            serve_fake_api(stand_in.app, port),
            pytest.raises(TargetUnreachable, match=f"cannot listen on port {port}"),
            serve_fake_api(stand_in.app, port),
        ):
            pass

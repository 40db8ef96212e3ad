"""What is no notification: the limits of SPEC 2, to the byte, and the order in which they are looked at."""

from typing import Any

import pytest
from starlette.testclient import TestClient

from api.service import Service
from domain.notices.notification import FORM
from tests.support.callback_requests import SIZE_MAX_BYTES, filled, get, is_problem, post, quarantined
from tests.support.notices import callstatus, encoded, signed


def with_parameters(count: int, **changed: str | None) -> list[tuple[str, str]]:
    """Return so many parameters, the signature to come among them."""
    pairs = callstatus(**changed)
    return pairs + [(f"x{number}", "") for number in range(count - 1 - len(pairs))]


class TestWhatIsNoNotification:
    @pytest.mark.parametrize(
        ("query", "told"),
        [
            ("", "no parameters"),
            ("&&", "no parameters"),
            (encoded(callstatus(f=None)), "no f"),
            (signed(callstatus(f="TM")), "f='TM': expected tm"),
            (signed(callstatus(f="")), "expected tm"),
            (signed(callstatus(f=None, F="tm")), "expected f=tm"),
        ],
        ids=["none", "separators", "no f", "capitals", "empty f", "capital F"],
    )
    @pytest.mark.parametrize("way", [get, post])
    def test_it_is_refused_and_only_counted(
        self, client: TestClient, service: Service, way: Any, query: str, told: str
    ) -> None:
        assert is_problem(way(client, query), 400, told)
        assert (quarantined(service), service.ledger.head()) == ([], 0)
        assert service.notify.counts == {"refused with 400": 1}

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "OPTIONS"])
    def test_other_methods_are_told_which_there_are(self, client: TestClient, service: Service, method: str) -> None:
        answer = client.request(method, f"/notify?{signed(callstatus())}")
        assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")
        assert (service.notify.counts, service.ledger.head()) == ({"refused with 405": 1}, 0)

    @pytest.mark.parametrize("content_type", ["", "application/json", "text/plain", f"{FORM}x"])
    def test_other_content_types_are_refused(self, client: TestClient, service: Service, content_type: str) -> None:
        assert is_problem(post(client, signed(callstatus()), content_type), 415, FORM)
        assert service.notify.counts == {"refused with 415": 1}

    @pytest.mark.parametrize("content_type", [f"{FORM}; charset=UTF-8", f"{FORM} ;x=y", FORM.upper()])
    def test_parameters_and_capitals_of_the_content_type_do_not_matter(
        self, client: TestClient, content_type: str
    ) -> None:
        assert post(client, signed(callstatus()), content_type).status_code == 200

    def test_a_post_without_any_content_type_is_refused(self, client: TestClient) -> None:
        assert is_problem(client.post("/notify", content=signed(callstatus())), 415, FORM)


class TestTheLimits:
    def test_64_parameters_are_taken(self, client: TestClient) -> None:
        assert get(client, signed(with_parameters(64))).status_code == 200

    def test_65_are_not(self, client: TestClient, service: Service) -> None:
        assert is_problem(get(client, signed(with_parameters(65))), 400, "65 parameters", "64")
        assert service.notify.counts == {"refused with 400": 1}

    def test_the_querys_and_the_bodys_parameters_count_together(self, client: TestClient) -> None:
        query, _, body = signed(with_parameters(65)).partition("&x")
        assert is_problem(post(client, "x" + body, query=query), 400, "65 parameters")

    @pytest.mark.parametrize("way", [get, post])
    def test_16384_bytes_are_taken(self, client: TestClient, way: Any) -> None:
        assert way(client, filled(SIZE_MAX_BYTES)).status_code == 200

    def test_a_body_of_16385_is_not(self, client: TestClient, service: Service) -> None:
        assert is_problem(post(client, filled(SIZE_MAX_BYTES + 1)), 413, "16384")
        assert service.notify.counts == {"refused with 413": 1}

    @pytest.mark.parametrize("way", [get, lambda client, query: post(client, "a=b", query=query)])
    def test_nor_is_a_query_of_16385(self, client: TestClient, service: Service, way: Any) -> None:
        assert is_problem(way(client, filled(SIZE_MAX_BYTES + 1)), 414, "16385", "16384")
        assert service.notify.counts == {"refused with 414": 1}

    def test_a_body_that_never_ends_is_cut_off(self, client: TestClient) -> None:
        endless = (b"x" * 1000 for _ in range(10_000))
        answer = client.post("/notify", content=endless, headers={"content-type": FORM})
        assert is_problem(answer, 413)


class TestTheOrderOfTheChecks:
    """Each request has every fault that comes later, too."""

    NO_F = with_parameters(65, f="xx", srcduration="x")
    HUGE = encoded([*NO_F, ("filler", "x" * SIZE_MAX_BYTES)])

    def test_the_method_first(self, client: TestClient) -> None:
        answer = client.request(
            "PUT", f"/notify?{self.HUGE}", content=self.HUGE, headers={"content-type": "text/plain"}
        )
        assert is_problem(answer, 405, "PUT")

    def test_then_the_content_type(self, client: TestClient) -> None:
        assert is_problem(post(client, self.HUGE, "text/plain"), 415)
        assert is_problem(post(client, self.HUGE, "text/plain", query=self.HUGE), 415)

    def test_then_the_size(self, client: TestClient) -> None:
        assert is_problem(post(client, self.HUGE), 413)
        assert is_problem(get(client, self.HUGE), 414)

    def test_then_the_count(self, client: TestClient) -> None:
        assert is_problem(get(client, encoded([*self.NO_F, ("x", "")])), 400, "65 parameters")

    def test_then_f(self, client: TestClient) -> None:
        assert is_problem(get(client, encoded(callstatus(f="xx", srcduration="x"))), 400, "f='xx'")

    def test_then_the_signature(self, client: TestClient) -> None:
        assert is_problem(get(client, encoded([*callstatus(srcduration="x"), ("tag", "twice")])), 403)

    def test_then_the_values(self, client: TestClient) -> None:
        assert is_problem(get(client, signed(callstatus(srcduration="x"))), 202)

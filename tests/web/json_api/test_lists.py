"""Read models by the page: filters, cursors, sums and facets, and the headers by which programs find their way."""

import csv
import io
import time
from decimal import Decimal
from typing import Any

import pytest
from starlette.testclient import TestClient

from api.service import Service
from api.web.json_api import endpoint as serving
from projections.schema.read_models import BY_NAME, TABLES
from tests.web.json_api.conftest import Asking

EMPTY = {"voicemails", "channels", "postings", "closings", "tariffs", "resolutions", "operator-events"}


def walked(client: TestClient, path: str) -> list[dict[str, Any]]:
    """Follow ``rel=next`` from page to page."""
    rows = []
    url = path
    while url:
        answer = client.get(url)
        assert answer.status_code == 200, answer.text
        rows += answer.json()["items"]
        url = answer.links.get("next", {}).get("url", "")
    return rows


@pytest.mark.parametrize("model", TABLES)
def test_the_pages_of_a_read_model_have_what_its_export_has(client: TestClient, model: str) -> None:
    rows = walked(client, f"/api/v1/{model}?limit=7&sort={BY_NAME[model].sorts[-1]}")
    exported = client.get(f"/api/v1/{model}.json").json()
    assert sorted(map(str, rows)) == sorted(map(str, exported))
    assert model in EMPTY or len(rows) > 7


def test_a_link_leads_back_too(client: TestClient) -> None:
    first = client.get("/api/v1/cdrs?limit=5&disposition=ANSWERED")
    second = client.get(first.links["next"]["url"])
    assert client.get(second.links["prev"]["url"]).json()["items"] == first.json()["items"]
    assert "prev" not in first.links


def test_amounts_are_texts_and_times_are_iso_and_truths_are_truths(client: TestClient) -> None:
    cdr = client.get("/api/v1/cdrs?sort=-price&limit=1").json()["items"][0]
    assert isinstance(cdr["cost"], str)
    assert Decimal(cdr["cost"]) > 0
    assert cdr["cdr_at"].endswith("Z")
    assert client.get("/api/v1/calls?limit=1").json()["items"][0]["has_cdr"] in (True, False)


def test_filters_select_as_they_do_for_the_export(client: TestClient) -> None:
    for query in (
        "tag=dept-2",
        "number=%2B1+858+555+7612",
        "disposition=BUSY",
        "flag=missing-opening",
        "period=2026-10",
        "from=2026-10-01&through=2026-10-01",
    ):
        rows = walked(client, f"/api/v1/cdrs?limit=3&{query}")
        exported = list(csv.DictReader(io.StringIO(client.get(f"/api/v1/cdrs.csv?{query}").text, newline="")))
        assert {row["call_id"] for row in rows} == {row["call_id"] for row in exported}, query
        assert client.get(f"/api/v1/cdrs/sums?{query}").json()["rows"] == len(exported)


def test_sums_are_exact_and_billing_says_the_same(client: TestClient) -> None:
    rows = client.get("/api/v1/cdrs.json").json()
    sums = client.get("/api/v1/cdrs/sums").json()
    assert Decimal(sums["cost"]) == sum(Decimal(row["cost"]) for row in rows)
    billed = client.get("/api/v1/billing/sums").json()
    assert (billed["calls"], billed["cost"]) == (sums["rows"], sums["cost"])


def test_facets_count_values(client: TestClient) -> None:
    facets = client.get("/api/v1/cdrs/facets?columns=disposition,flags").json()
    assert set(facets) == {"disposition", "flags"}
    assert sum(each["rows"] for each in facets["disposition"]) == client.get("/api/v1/cdrs/sums").json()["rows"]


def test_accounts_are_billing_without_its_months(client: TestClient) -> None:
    accounts = walked(client, "/api/v1/accounts?limit=4")
    billing = client.get("/api/v1/billing.json").json()
    assert [each["account"] for each in accounts] == sorted({row["account"] for row in billing})
    for each in accounts[:5]:
        months = [row for row in billing if row["account"] == each["account"]]
        assert Decimal(each["cost"]) == sum(Decimal(row["cost"]) for row in months)
        assert each["calls"] == sum(row["calls"] for row in months)
        assert client.get(f"/api/v1/accounts/{each['account']}").json() == each or "/" in each["account"]


def test_metrics_come_page_by_page_too(client: TestClient) -> None:
    found = walked(client, "/api/v1/metrics?limit=2")
    assert found == client.get("/api/v1/metrics?limit=1000").json()["items"]
    assert len(found) > 3


class TestHeaders:
    def test_what_has_not_changed_is_not_sent_again(self, client: TestClient) -> None:
        first = client.get("/api/v1/cdrs?limit=2")
        again = client.get("/api/v1/cdrs?limit=2", headers={"If-None-Match": f'"x", {first.headers["etag"]}'})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", first.headers["etag"])
        assert again.headers["ledger-position"] == first.headers["ledger-position"]
        assert again.links == first.links
        assert client.get("/api/v1/cdrs?limit=2", headers={"If-None-Match": '"x"'}).status_code == 200

    @pytest.mark.parametrize("path", ["status", "cdrs", "cdrs.csv", "calls/sums", "cdrs?limit=x", "accounts/nobody"])
    def test_every_answer_says_how_far_the_ledger_was(self, client: TestClient, service: Service, path: str) -> None:
        assert client.get(f"/api/v1/{path}").headers["ledger-position"] == str(service.ledger.head())

    def test_a_position_that_does_not_come_is_waited_for_and_not_for_ever(
        self, client: TestClient, service: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(serving, "WAIT_SECONDS_MAX", 0.3)
        begun = time.monotonic()
        answer = client.get(f"/api/v1/cdrs?min_position={service.ledger.head() + 1}")
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert 0.3 <= time.monotonic() - begun < 3
        assert answer.headers["content-type"] == "application/problem+json"


class TestWrongParameters:
    def test_each_is_named(self, client: TestClient) -> None:
        answer = client.get(
            "/api/v1/cdrs?limit=0&from=soon&disposition=GONE&colour=red&sort=flags&tag=%00&account=a&account=b"
        )
        assert (answer.status_code, answer.headers["content-type"]) == (400, "application/problem+json")
        bad = {each["parameter"]: each["detail"] for each in answer.json()["errors"]}
        assert set(bad) == {"limit", "from", "disposition", "colour", "sort", "tag", "account"}
        assert bad["limit"] == "expected a whole number from 1 to 1000"
        assert "expected a day" in bad["from"]

    @pytest.mark.parametrize("cursor", ["x", "W10", "é", "WyJjZHJzIiwiLWNkcl9hdCIsZmFsc2UsWzFlOTksMV1d"])
    def test_a_made_up_cursor_too(self, client: TestClient, cursor: str) -> None:
        answer = client.get("/api/v1/cdrs", params={"cursor": cursor})
        assert answer.status_code == 400
        assert [each["parameter"] for each in answer.json()["errors"]] == ["cursor"]

    def test_a_filter_that_the_read_model_does_not_have_is_not_passed_over(self, client: TestClient) -> None:
        assert client.get("/api/v1/voicemails?account=x").status_code == 400


class TestWithoutThePii:
    def test_numbers_are_masked_in_rows_and_files(self, asking: Asking, client: TestClient) -> None:
        masked = asking("read", "export")
        plain = client.get("/api/v1/cdrs?limit=5").json()["items"]
        hidden = masked.get("/api/v1/cdrs?limit=5").json()["items"]
        assert [row["call_id"] for row in hidden] == [row["call_id"] for row in plain]
        for row, open_row in zip(hidden, plain, strict=True):
            assert row["src"] != open_row["src"] or not open_row["src"]
        for form in ("csv", "json", "ndjson"):
            assert "18585557612" in client.get(f"/api/v1/cdrs.{form}").text
            assert "18585557612" not in masked.get(f"/api/v1/cdrs.{form}").text

    def test_files_need_the_role(self, asking: Asking) -> None:
        assert asking("read").get("/api/v1/cdrs.csv").status_code == 403
        assert asking("read").get("/api/v1/cdrs").status_code == 200

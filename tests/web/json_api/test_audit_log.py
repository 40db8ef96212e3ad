"""The access log over the API: its pages, its filters, and what of it who may see."""

from starlette.testclient import TestClient

from tests.web.json_api.conftest import Asking

PATH = "/api/v1/access-log"


def test_the_audit_log_tells_the_latest_first_and_goes_back_by_cursors(client: TestClient) -> None:
    for number in range(5):
        client.get(f"/api/v1/cdrs?limit={number + 1}")
    first = client.get(f"{PATH}?limit=2&did=viewed")
    seen = first.json()["items"]
    assert [entry["what"] for entry in seen] == ["/api/v1/cdrs?limit=5", "/api/v1/cdrs?limit=4"]
    assert {entry["how"] for entry in seen} == {"token"}
    assert 'rel="next"' in first.headers["link"]
    second = client.get(PATH, params={"limit": 2, "did": "viewed", "cursor": first.json()["next"]}).json()["items"]
    assert [entry["what"] for entry in second] == ["/api/v1/cdrs?limit=3", "/api/v1/cdrs?limit=2"]


def test_exports_are_told_from_looks_and_unmasked_from_masked(asking: Asking) -> None:
    asking("export").get("/api/v1/cdrs.csv?number=18585557612")
    seen = asking("operate", "pii").get(f"{PATH}?did=exported&limit=1").json()["items"][0]
    assert (seen["what"], seen["unmasked"]) == ("/api/v1/cdrs.csv?number=18585557612", False)
    masked = asking("operate").get(f"{PATH}?did=exported&limit=1").json()["items"][0]
    assert masked["what"] == "/api/v1/cdrs.csv?number=185••••••12"


def test_the_audit_log_is_for_operators_and_says_what_is_wrong(asking: Asking) -> None:
    assert asking("read", "export", "pii").get(PATH).status_code == 403
    refused = asking("operate").get(f"{PATH}?did=everything&cursor=x")
    assert (refused.status_code, refused.json()["errors"][0]["parameter"]) == (400, "did")
    assert asking("operate").get(f"{PATH}?cursor=x").json()["errors"][0]["parameter"] == "cursor"

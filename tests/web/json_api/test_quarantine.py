"""The quarantine by the API: filtered, in either order, and counted by cause."""

import pytest
from starlette.testclient import TestClient


@pytest.mark.parametrize("sort", ["id", "-id"])
def test_the_pages_of_a_filter_have_each_notice_once_in_order(client: TestClient, sort: str) -> None:
    every = [each["id"] for each in client.get("/api/v1/quarantine?limit=1000").json()["items"]]
    found: list[int] = []
    cursor = ""
    while cursor is not None:
        page = client.get(f"/api/v1/quarantine?sort={sort}&limit=3&from=2020-01&cursor={cursor}").json()
        found += [each["id"] for each in page["items"]]
        cursor = page["next"]
    assert found == (every if sort == "id" else every[::-1])


def test_notices_are_counted_by_what_causes_them(client: TestClient) -> None:
    counts = client.get("/api/v1/quarantine/facets").json()
    assert sum(each["notices"] for each in counts["cause"]) == len(
        client.get("/api/v1/quarantine?limit=1000").json()["items"]
    )
    for each in counts["cause"]:
        listed = client.get("/api/v1/quarantine", params={"cause": each["value"], "limit": 1000}).json()["items"]
        assert len(listed) == each["notices"]
    assert client.get("/api/v1/quarantine?from=soon").json()["errors"][0]["parameter"] == "from"

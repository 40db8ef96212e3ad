"""One shop for all tests of pages that only look."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from api.service import Service
from tests.support.page_ledger import open_shop

Shop = tuple[TestClient, Service]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with open_shop(tmp_path_factory.mktemp("shop")) as opened:
        yield opened

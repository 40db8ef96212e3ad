"""An event as programs get it, whole or masked."""

import pytest

from api.application.event_feed import read_event
from tests.support.ledgers import opened, record
from tests.support.notices import callstatus

NUMBER, EMAIL = "18585550199", "ann@example.com"


@pytest.mark.only_on("sqlite")
def test_an_unknown_status_is_masked_like_its_parameter(store_url: str) -> None:
    with opened(store_url) as ledger:
        record(ledger, callstatus(f"CALLED {NUMBER} FOR {EMAIL}", src=NUMBER))
        (row,) = ledger.store.page(0, 1, 1)
    whole, masked = read_event(row), read_event(row, whole=False)
    assert (whole.status, whole.src) == (f"CALLED {NUMBER} FOR {EMAIL}", NUMBER)
    assert masked.status == dict(masked.parameters)["status"] == "CALLED 185••••••99 FOR a••••@example.com"
    assert masked.type == "callstatus"

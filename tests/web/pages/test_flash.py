"""What a page says was done: told to the session that did it, and to nobody whom a link was sent."""

from starlette.testclient import TestClient

from api.service import Service
from tests.support.web_users import csrf_token, sign_in


def test_what_failed_is_told_on_the_page_and_a_link_of_somebody_else_puts_no_words_there(
    client: TestClient, service: Service
) -> None:
    sign_in(client, service, "operate")
    token = csrf_token(client)
    answer = client.post("/exceptions/resolve", data={"csrf_token": token, "reason": "x"}, follow_redirects=False)
    told = answer.headers["location"]
    assert "none is chosen" in client.get(told).text
    assert "none is chosen" not in client.get(told.partition("&mark=")[0]).text
    for forged in (
        "failed=call+us&mark=",
        "failed=call+us&mark=none",
        "done=call+us",
        "failed=" + told.partition("mark=")[2],
    ):
        assert "call us" not in client.get(f"/exceptions?{forged}").text
    sign_in(client, service, "operate")
    assert "none is chosen" not in client.get(told).text

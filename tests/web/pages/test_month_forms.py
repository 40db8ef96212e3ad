"""What changes whole months, from pages: a tariff is written and published, an account rerated, a month closed."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from api.application import rerating
from api.service import Service
from api.web.pages import closings
from domain import times
from tests.support import asgi_service as asgi
from tests.support import web_users as users
from tests.support.ledgers import opened, record
from tests.support.notices import callstatus, priced_cdr
from tests.support.page_ledger import catch_up_with

TARIFF = '[[rules]]\ntag = "*"\nmarkup_percent = 20\n'
MONTH = "2026-09"


class Desk:
    """An operator's browser, over a ledger with two calls in September, one of which lacks its CDR."""

    def __init__(self, client: TestClient, service: Service) -> None:
        self.client, self.service = client, service
        users.sign_in(client, service, "operate", "pii")
        self.token = users.csrf_token(client)

    @property
    def head(self) -> int:
        return self.service.ledger.head()

    def post(self, path: str, status: int = 200, **fields: str) -> str:
        form = {"csrf_token": self.token, "reason": "as agreed"} | fields
        answer = self.client.post(path, data=form, follow_redirects=False)
        assert answer.status_code == status, answer.text
        return answer.text if status != 303 else answer.headers["location"]

    def confirm(self, page: str, path: str, status: int = 303, **instead: str) -> str:
        """Send the form of a preview as it stands; return what the next page is told to say, or that page."""
        form = page[page.index(f'action="{path}"') :]
        hidden = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', form)
        fields = {name: unescape(value) for name, value in hidden if name != "csrf_token"}
        answer = self.post(path, status, **fields | instead)
        return parse_qs(urlsplit(answer).query).get("done", [answer])[0] if status == 303 else answer


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with opened(f"sqlite:///{tmp_path}/ledger.db", clock=asgi.Clock()) as ledger:
        at = -5 * times.DAY
        lost = {"tag": "lost", "src": "18585550077"}
        record(ledger, callstatus("SRCANSWERED", at), callstatus("COMPLETED", at + 1), priced_cdr(at + 2))
        record(ledger, callstatus("SRCANSWERED", at, **lost), callstatus("COMPLETED", at + 1, **lost))
        catch_up_with(ledger)
    service = asgi.service_at(tmp_path, follows=True)
    with asgi.running(service) as client:
        yield Desk(client, service)


def test_a_tariff_is_written_previewed_and_published_and_an_account_rerated_by_it(desk: Desk) -> None:
    assert "/tariffs/new" in desk.client.get("/tariffs").text
    page = desk.post("/tariffs/new", text=TARIFF.replace("\n", "\r\n"))
    assert "Publish version 1" in page
    assert desk.head == 5
    assert desk.confirm(page, "/tariffs/new/do") == "version 1 is published, at position 6"
    (published,) = desk.service.ledger.billing_context().tariffs
    assert published.tariff.version == 1
    assert unescape(desk.client.get("/tariffs/new").text).count(TARIFF) == 1
    assert '<select id="version" name="tariff"><option>1</option>' in desk.client.get("/accounts/sales").text
    page = desk.post("/reratings", account="sales", period=MONTH, tariff="1")
    assert 'value="0.7">+0.7</data>' in page
    assert "1</data> of <data" in page
    assert desk.head == 6
    assert desk.confirm(page, "/reratings/do") == "1 of 1 calls rerated by version 1"
    assert desk.head == 7
    assert "No money moves" in desk.confirm(page, "/reratings/do", 409)


def test_more_calls_than_a_request_can_rate_are_rerated_in_a_job(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    with desk.service.ledger.operator_session("ann", "agreed") as session:
        session.publish_tariff("effective_from = 2026-09-01\n" + TARIFF)
    monkeypatch.setattr(rerating, "CALLS_OF_REQUEST_MAX", 0)
    page = desk.post("/reratings", account="sales", period=MONTH, tariff="1")
    assert "A job rates all of them" in page
    assert "Rerate all 1 calls in a job" in page
    where = desk.confirm(page, "/reratings/do")
    asgi.eventually(lambda: 'data-bulk-job="done"' in desk.client.get(where).text)
    assert "<dt>Rerated</dt>" in desk.client.get(where).text
    assert desk.head == 7


def test_a_text_with_mistakes_comes_back_with_each_of_them(desk: Desk) -> None:
    page = desk.post("/tariffs/new", 400, text="[[rules]]\ntag = 1\n<script>")
    assert "line 3" in page
    assert "&lt;script&gt;</textarea>" in page
    assert "2000 characters" in desk.post("/tariffs/new", 400, text=TARIFF, reason=" ")
    desk.post("/tariffs/new/do", 303, text=TARIFF, expected="1")
    assert "changed since the preview" in desk.post("/tariffs/new/do", 409, text=TARIFF, expected="1")
    assert desk.head == 6


def test_a_month_is_closed_once_what_is_open_in_it_is_accepted(desk: Desk) -> None:
    fee = '[accounts.sales]\nmonthly_fee = [{ from = "2026-09", price = 500, text = "Line & rental" }]\n'
    with desk.service.ledger.operator_session("ann", "line rental") as session:
        session.publish_tariff(TARIFF + fee)
    page = desk.client.get("/closings").text
    assert re.search(r"What it charges.*sales.*Line &amp; rental.*>500<", page, re.DOTALL)
    draft = desk.client.get("/statements/sales/2026-09").text
    assert re.search(r"<td>fee</td><td[^>]*>2026-09-30</td>.*Line &amp; rental", draft)
    ended = desk.post("/tariffs/new", text=TARIFF)
    assert re.search(r"What it charges in the first open month.*sales.*2026-09.*>0<.*>500<", ended, re.DOTALL)
    assert f"<h1>Close {MONTH}</h1>" in page
    assert "an ended call without its CDR" in page
    assert "say why you accept" in desk.confirm(page, "/closings", 409, reason="")
    assert "changed since the preview" in desk.confirm(page, "/closings", 409, expected="0" * 24)
    assert desk.head == 6
    with desk.service.ledger.operator_session("ann", "goodwill") as session:
        session.adjust_account("sales", -5, MONTH)
    changed = desk.confirm(page, "/closings", 409)
    assert "changed since the preview" in changed
    assert desk.head == 7
    assert desk.confirm(changed, "/closings") == f"{MONTH} is closed, at position 8"
    assert f"{MONTH} is closed already" in desk.client.get(f"/closings?period={MONTH}").text
    assert "<h1>Close 2026-10</h1>" in desk.client.get("/closings").text


def test_a_month_of_many_calls_is_shown_at_once_and_what_is_open_in_it_follows(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closings, "CALLS_AT_ONCE_MAX", 0)
    page = desk.client.get("/closings").text
    assert "What is closed with it" in page
    assert "What is open" not in page.replace("and what is open", "")
    (fragment,) = re.findall(r'data-fragment="([^"]+)"', page)
    part = desk.client.get(fragment).text
    assert "an ended call without its CDR" in part
    assert "an ended call without its CDR" in desk.client.get(f"/closings?period={MONTH}&whole=1").text
    monkeypatch.setattr(closings, "SEARCHED_UNASKED_MAX", 0)
    quick = desk.client.get(fragment).text
    assert "an ended call without its CDR" in quick
    assert "apart from suspects" in quick
    assert 'action="/closings"' not in quick
    (searched,) = re.findall(r'<a href="([^"]+)">Look for them', quick)
    assert 'action="/closings"' in desk.client.get(unescape(searched)).text
    assert desk.confirm(part, "/closings") == f"{MONTH} is closed, at position 6"


@pytest.mark.parametrize("path", ["/reratings", "/reratings/do", "/closings", "/tariffs/new", "/tariffs/new/do"])
def test_only_operators_change_months_and_only_with_their_sessions_token(desk: Desk, path: str) -> None:
    form = {"account": "sales", "period": MONTH, "tariff": "1", "text": TARIFF, "expected": "1", "reason": "so"}
    assert desk.client.post(path, data=form).status_code == 403
    users.sign_in(desk.client, desk.service, "read", "export")
    token = users.csrf_token(desk.client, "/")
    assert desk.client.post(path, data=form | {"csrf_token": token}).status_code == 403
    assert desk.head == 5


@pytest.mark.parametrize(
    ("fields", "failed"),
    [
        ({"tariff": "7"}, "no tariff version 7"),
        ({"tariff": "x"}, "not a version"),
        ({"period": "10"}, "not a month"),
        ({"reason": " "}, "2000 characters"),
    ],
)
def test_what_cannot_be_rerated_is_said(desk: Desk, fields: dict[str, str], failed: str) -> None:
    for path in ("/reratings", "/reratings/do"):
        form = {"account": "sales", "period": MONTH, "tariff": "1"} | fields
        assert failed in parse_qs(urlsplit(desk.post(path, 303, **form)).query)["failed"][0]

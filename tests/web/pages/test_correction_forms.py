"""Corrections from the pages of a call, an account and an event: a preview with the money, then the correction itself."""

import re
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from starlette.testclient import TestClient

from api.service import Service
from tests.support import web_users as users
from tests.support.page_ledger import HOSTILE, open_shop


class Desk:
    """An operator's browser, and the service that it talks to."""

    def __init__(self, client: TestClient, service: Service) -> None:
        self.client, self.service = client, service
        users.sign_in(client, service, "operate", "pii")
        self.token = users.csrf_token(client)

    @property
    def head(self) -> int:
        return self.service.ledger.head()

    def call_at(self, position: int) -> str:
        return self.service.ledger.store.page(position - 1, 1, position)[0].stream_id

    def preview(self, **fields: str | list[str]) -> str:
        """Send a page's form; return the page with the preview."""
        answer = self.client.post("/corrections", data={"csrf_token": self.token, "reason": "as agreed", **fields})
        assert answer.status_code == 200, answer.text
        return answer.text

    def confirm(self, page: str, **instead: str) -> dict[str, str]:
        """Send the form of a preview as it stands; return the address that it leads to, and what that is told to say."""
        form = page[page.index('action="/corrections/do"') :]
        fields: dict[str, list[str]] = {}
        for name, value in re.findall(
            r'<input (?:type="hidden" |id="reason" )name="(\w+)"[^>]*? ?value="([^"]*)"', form
        ):
            fields.setdefault(name, []).append(unescape(value))
        assert {"expected", "csrf_token", "reason"} <= fields.keys()
        answer = self.client.post("/corrections/do", data={**fields, **instead}, follow_redirects=False)
        assert answer.status_code == 303, answer.text
        to = urlsplit(answer.headers["location"])
        return {"path": to.path} | {name: values[0] for name, values in parse_qs(to.query).items()}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_shop(tmp_path) as (client, service):
        yield Desk(client, service)


def test_a_call_is_voided_from_its_page_and_the_void_is_undone_there(desk: Desk) -> None:
    call = desk.call_at(6)
    path, head = f"/calls/{call}", desk.head
    assert 'name="what" value="void"' in desk.client.get(path).text
    page = desk.preview(what="void", call=call, back=path)
    assert desk.head == head
    assert 'value="-1.123457"' in page
    said = desk.confirm(page, reason=HOSTILE)
    assert (said["path"], said["done"]) == (path, f"Void call {call[:8]}: done, at position {head + 1}")
    shown = desk.client.get(path).text
    assert 'name="what" value="void"' not in shown
    assert f'name="position" value="{head + 1}"' in shown
    page = desk.preview(what="undo", position=str(head + 1), back=path)
    assert "+1.123457</data>" in page
    assert desk.confirm(page)["done"].startswith("Undo the correction")


def test_notices_are_split_off_and_merged_again_and_a_repeated_cdr_is_released(desk: Desk) -> None:
    call, head = desk.call_at(1), desk.head
    shown = desk.client.get(f"/calls/{call}").text
    positions = re.findall(r'<input type="checkbox" name="position" value="([0-9]+)"', shown)
    (repeated,) = re.findall(r'<input type="radio" name="position" value="([0-9]+)" required checked> at', shown)
    page = desk.preview(what="split", call=call, position=positions[:2])
    assert "No money moves" in page
    assert "there is no such call" in page
    assert desk.confirm(page)["done"].endswith(f"done, at position {head + 2}")
    new = desk.call_at(head + 2)
    page = desk.preview(what="merge", call=new[:13], into=call)
    assert "none of its notices is left" in page
    desk.confirm(page)
    page = desk.preview(what="release", position=repeated)
    assert ">+1</data></td>" in page
    desk.confirm(page)
    assert desk.head == head + 6


def test_an_account_is_credited_from_its_page_and_the_credit_undone_on_the_events_page(desk: Desk) -> None:
    head = desk.head
    for span in ("period=2026-10", "from=2026-10-03&through=2026-10-17"):
        assert 'name="what" value="adjust"' in desk.client.get(f"/accounts/sales?{span}").text
    page = desk.preview(what="adjust", account="sales", amount="-12.5", period="2026-10", back="/accounts/sales")
    assert "Credit 12.5 US cents to account sales" in page
    assert desk.confirm(page)["path"] == "/accounts/sales"
    assert "Preview the undoing" in desk.client.get(f"/events/{head + 1}").text
    assert "+12.5</data>" in desk.preview(what="undo", position=str(head + 1))


def test_what_changed_since_the_preview_is_shown_anew_and_not_done(desk: Desk) -> None:
    call = desk.call_at(6)
    page = desk.preview(what="split", call=call, position="6")
    desk.confirm(desk.preview(what="void", call=call))
    head = desk.head
    again = desk.client.post(
        "/corrections/do",
        data={
            "csrf_token": desk.token,
            "what": "split",
            "call": call,
            "position": "6",
            "reason": "so",
            "expected": "0",
        },
    )
    assert (again.status_code, "changed since the preview" in again.text, desk.head) == (409, True, head)
    desk.confirm(again.text)
    assert desk.head == head + 2
    assert page != again.text


@pytest.mark.parametrize(
    ("fields", "failed"),
    [
        ({"what": "dance"}, "expected one of void, split"),
        ({"what": "void", "call": "zz"}, "is not a call's id"),
        ({"what": "void", "call": "00000000-0000-4000-8000-000000000000"}, "there is no call"),
        ({"what": "release", "position": "x"}, "is not a position"),
        ({"what": "undo", "position": "1"}, "cannot be reversed"),
        ({"what": "adjust", "account": "sales", "amount": "1,5"}, "expected US cents"),
        ({"what": "adjust", "account": "slaes", "amount": "1"}, "no account 'slaes'"),
        ({"what": "release", "position": "1", "reason": " "}, "expected 1 to 2000 characters"),
    ],
)
def test_what_cannot_be_corrected_is_said(desk: Desk, fields: dict[str, str], failed: str) -> None:
    head = desk.head
    for path in ("/corrections", "/corrections/do"):
        form = {"csrf_token": desk.token, "reason": "so", "back": "/calls"} | fields
        answer = desk.client.post(path, data=form, follow_redirects=False)
        assert failed in parse_qs(urlsplit(answer.headers["location"]).query)["failed"][0]
    assert desk.head == head


def test_only_operators_correct_and_only_with_their_sessions_token(desk: Desk) -> None:
    call, head = desk.call_at(6), desk.head
    for path in ("/corrections", "/corrections/do"):
        assert desk.client.post(path, data={"what": "void", "call": call, "reason": "so"}).status_code == 403
    users.sign_in(desk.client, desk.service, "read", "export")
    form = {"csrf_token": users.csrf_token(desk.client, "/"), "what": "void", "call": call, "reason": "so"}
    for path in ("/corrections", "/corrections/do"):
        assert desk.client.post(path, data=form).status_code == 403
    assert "Correct this call" not in desk.client.get(f"/calls/{call}").text
    assert "Correct this account" not in desk.client.get("/accounts/sales").text
    assert desk.head == head

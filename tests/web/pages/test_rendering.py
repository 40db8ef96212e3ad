"""How pages are made: text stays text, files can be kept for ever, and the theme is remembered without JavaScript."""

import re
from types import SimpleNamespace

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.testclient import TestClient

from api.web.pages import assets, display, money
from api.web.pages import formatting as showing
from api.web.pages.addresses import address
from api.web.pages.rendering import environment, render

HOSTILE = "<script>alert('\"1\"')</script>\u202egnp"


def problem_page(request: Request) -> Response:
    return render(request, "problem.html", title="Not now", detail=HOSTILE)


@pytest.fixture
def client() -> TestClient:
    routes = [
        Route("/page", problem_page),
        Route("/display", display.choose_display),
        Route("/static/{digest}/{name:path}", assets.serve),
    ]
    return TestClient(Starlette(routes=routes), follow_redirects=False)


def test_a_long_text_in_a_cell_has_all_of_it_as_its_title_and_a_phone_number_is_never_cut() -> None:
    long = "of-a-department-<b>\u202e"
    clipped = showing.clip(showing.text(long))
    assert clipped.startswith('<span class="clip" title="of-a-department-&lt;b&gt;U+202E"><bdi>')
    assert clipped.striptags() == "of-a-department-<b>U+202E"
    for short in ("&" * 16, "441234567890123"):
        assert showing.clip(showing.text(short)) == showing.text(short)


def test_a_text_from_outside_is_only_ever_text(client: TestClient) -> None:
    page = client.get("/page").text
    assert "<script>alert" not in page
    assert "<bdi>&lt;script&gt;alert(&#39;&#34;1&#34;&#39;)&lt;/script&gt;" in page
    assert '<span class="unseen" title="a character that cannot be seen">U+202E</span>gnp</bdi>' in page


@pytest.mark.parametrize(
    ("now", "before", "shown"),
    [(15, 10, "+50.0 %"), (10, 15, "\u221233.3 %"), (10, 10, "0.0 %"), (-10, -5, "\u2212100.0 %"), (1, 0, "")],
)
def test_a_change_says_its_share_of_what_was_before(now: int, before: int, shown: str) -> None:
    found = environment().from_string("{{ now | change(before) }}").render(now=now, before=before)
    assert re.findall(r'class="percent">([^<]*)<', found) == ([shown] if shown else [])


@pytest.mark.parametrize("shown", ["text", "number", "flags", "disposition"])
def test_every_filter_that_shows_a_text_escapes_it(shown: str) -> None:
    template = environment().from_string(f"{{{{ value | {shown} }}}}")
    seer = SimpleNamespace(sees_pii=True)
    assert "<script" not in template.render(value=HOSTILE, who=seer)
    assert "<script" not in template.render(value=HOSTILE, who=None)


def test_an_amount_is_shown_to_its_last_digit() -> None:
    assert 'value="60.38603">60<span class="fraction">.38603</span>' in money.amount(60_386_030)
    assert 'value="-0.000001">\u22120<span class="fraction">.000001</span>' in money.amount(-1)
    assert "value" not in money.amount(None)


def test_less_time_than_before_is_shown_with_a_minus() -> None:
    assert [re.sub("<.*?>", "", showing.duration(seconds)) for seconds in (-73, -3661, 59)] == [
        "\u22121:13",
        "\u22121:01:01",
        "0:59",
    ]


def test_files_are_kept_for_ever_under_their_digest_and_not_under_an_older_one(client: TestClient) -> None:
    now, older = client.get(assets.asset_path("pages.css")), client.get("/static/000000000000/pages.css")
    assert "immutable" in now.headers["cache-control"]
    assert older.headers["cache-control"] == "no-cache"
    assert older.text == now.text


@pytest.mark.parametrize("name", ["..%2Frendering.py", "nothing.css", ""])
def test_no_file_but_those_of_the_folder_is_served(client: TestClient, name: str) -> None:
    assert client.get(f"/static/{assets.digest()}/{name}").status_code == 404


def test_the_theme_is_kept_and_leads_back(client: TestClient) -> None:
    answer = client.get("/display?theme=dark&back=/page%3Fa%3D1")
    assert answer.headers["location"] == "/page?a=1"
    assert 'data-theme="dark"' in client.get("/page").text


@pytest.mark.parametrize(
    "away", ["https://evil.example/x", "//evil.example/x", "\\\\evil.example/x", "/\\evil.example/x"]
)
def test_the_way_back_never_leads_to_another_host(away: str) -> None:
    assert display.back(away) in ("/x", "/evil.example/x")


def test_an_address_leaves_out_what_is_empty_and_lets_the_last_word_count() -> None:
    assert address("/cdrs", {"tag": "a&b", "from": ""}, {"tag": "c d"}, from_="24h") == "/cdrs?tag=c+d&from=24h"

"""Every page by a checker of accessibility, at two sizes, light and dark; and none of them wider than its window."""

import pytest
from playwright.sync_api import expect

from tests.e2e.browser import page_looks as looking
from tests.e2e.browser.conftest import Opened
from tests.e2e.browser.site import HOSTILE, LIVELY, Site
from tests.support.notices import priced_cdr

# Of the long lists a few rows: the checker looks at each cell, and they are alike.
PATHS = (
    *("/", "/?state=stale", f"/calls/{LIVELY}", "/calls?tag=dept-2", "/cdrs?tag=dept-2", "/voicemails", "/channels"),
    *("/events/1", "/billing?by=month", "/accounts/dept-2?period=2026-10", "/exceptions?tag=dept-2", "/quarantine"),
    *("/quarantine/1", "/operations", "/search?q=dept", "/access-log", "/statements/dept-2/2026-10", "/tariffs"),
    *("/events", "/nowhere", "/closings?period=2026-10", "/tariffs/new", "/bulk-jobs"),
    *("/traffic?period=2026-10", "/traffic/quality?scale=log", "/billing/comparison?period=2026-11"),
)

LONG = "of-a-department-of-very-long-names-" * 3 + "W" * 60

# A quick run looks at a few of them in one way, a thorough one at all in every way.
FEW = ("/", f"/calls/{LIVELY}", "/cdrs?tag=dept-2", "/accounts/dept-2?period=2026-10", "/quarantine/1", "/operations")
LOOKS = [
    (FEW, "phone", "light"),
    *(
        pytest.param(PATHS, size, theme, marks=pytest.mark.thorough)
        for size in looking.SIZES
        for theme in looking.THEMES
    ),
]


@pytest.mark.parametrize(("paths", "size", "theme"), LOOKS)
def test_no_page_has_a_serious_fault_or_must_be_scrolled_sideways(
    opened: Opened, site: Site, paths: tuple[str, ...], size: str, theme: str
) -> None:
    page = opened("boss", size=size, theme=theme)
    found: list[str] = []
    for path in paths:
        page.goto(site.url + path)
        looking.wait_for_fragments(page)
        found += [f"{path}: {trouble}" for trouble in looking.grave_troubles(page, colours_only=theme == "dark")]
        found += [f"{path}: {over} pixels too wide" for over in [looking.overflow(page)] if over > 0]
        found += [f"{path}: {box} must be scrolled sideways" for box in looking.sideways_boxes(page)]
    assert not found, "\n".join(found)


@pytest.mark.thorough
@pytest.mark.parametrize("size", looking.SIZES)
def test_nothing_is_scrolled_sideways_in_dollars_with_long_tags_either(opened: Opened, site: Site, size: str) -> None:
    number = {"desk": "18585557773", "phone": "18585557774"}[size]
    charges = {"srccharge": "1234567890.123456", "destcharge": "0.000001"}
    site.call_back(
        priced_cdr(tag=LONG + size, src=number, **charges), priced_cdr(tag=HOSTILE * 5, src=number, **charges)
    )
    site.wait_until_shown()
    page = opened("boss", "/display?unit=dollars&back=/", size=size)
    found: list[str] = []
    for path in (
        *PATHS,
        "/billing",
        "/billing/comparison?by=tag",
        f"/calls?number={number}",
        "/statements/dept-2/2026-10",
    ):
        page.goto(site.url + path)
        looking.wait_for_fragments(page)
        page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
        found += [f"{path}: {over} pixels too wide" for over in [looking.overflow(page)] if over > 0]
        found += [f"{path}: {box}" for box in looking.sideways_boxes(page)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("size", looking.SIZES)
def test_a_long_tag_leaves_price_margin_and_flags_in_sight(opened: Opened, site: Site, size: str) -> None:
    number = {"desk": "18585557771", "phone": "18585557772"}[size]
    site.call_back(priced_cdr(tag=LONG, src=number))
    site.wait_until_shown()
    page = opened("boss", f"/cdrs?number={number}", size=size)
    looking.wait_for_fragments(page)
    sheet = page.get_by_role("region", name="CDRs")
    assert sheet.evaluate("sheet => sheet.scrollWidth - sheet.clientWidth") == 0
    expect(sheet.locator(".flag")).to_be_in_viewport(ratio=1)
    page.goto(f"{site.url}/traffic/quality?number={number}")
    assert page.locator(".plot").evaluate("plot => plot.scrollWidth - plot.clientWidth") == 0


def test_on_a_tablet_lists_fit_upright_but_for_their_flags_and_lying_down_whole(opened: Opened, site: Site) -> None:
    page = opened("boss")
    for path, last in (("/cdrs", "Margin"), ("/calls", "CDR"), ("/exceptions", "Resolved")):
        page.goto(site.url + path)
        looking.wait_for_fragments(page)
        sheet = page.locator(".sheet.tall")
        page.set_viewport_size({"width": 1024, "height": 768})
        assert sheet.evaluate("sheet => sheet.scrollWidth - sheet.clientWidth") == 0, path
        page.set_viewport_size({"width": 768, "height": 1024})
        room = sheet.evaluate(f"""sheet => sheet.getBoundingClientRect().right - [...sheet.querySelectorAll("thead th")]
            .find((heading) => heading.textContent.trim() === "{last}").getBoundingClientRect().right""")
        assert room >= 0, path


@pytest.mark.parametrize("theme", looking.THEMES)
def test_the_way_in_has_no_serious_fault(opened: Opened, site: Site, theme: str) -> None:
    page = opened(None, size="phone", theme=theme)
    page.goto(f"{site.url}/sign-in")
    assert not looking.grave_troubles(page)
    assert looking.overflow(page) == 0

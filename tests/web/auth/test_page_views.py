"""Which requests are one view of a page."""

from urllib.parse import urlsplit

from api.web.auth.page_views import SECONDS_MAX, PageViews
from domain.times import SECOND

STREAM = ("/live/events", "after=4494")


def test_the_stream_of_the_live_page_is_the_view_of_that_page_unless_it_is_opened_later_or_by_another() -> None:
    views = PageViews()
    assert not views.add("kim", "session", "/", "tag=sales", 0)
    assert views.add("kim", "session", *STREAM, SECOND)
    assert not views.add("lee", "session", *STREAM, SECOND)
    assert not views.add("kim", "token", *STREAM, SECOND)
    assert not views.add("kim", "session", *STREAM, (SECONDS_MAX + 1) * SECOND)


def test_what_the_page_of_billing_sums_up_later_is_one_view_with_it() -> None:
    views = PageViews()
    assert not views.add("kim", "session", "/billing", "period=2026-10&measure=cost&page=2", 0)
    assert views.add("kim", "session", "/fragments/billing", "period=2026-10&measure=cost&page=2", SECOND)
    assert not views.add("kim", "session", "/fragments/billing", "period=2026-09", SECOND)


def test_what_a_page_about_traffic_counts_later_is_one_view_with_it_however_it_is_shown() -> None:
    views = PageViews()
    for page, fragment in (("/traffic", "/fragments/traffic"), ("/traffic/quality", "/fragments/quality")):
        assert not views.add("kim", "session", page, "tag=sales&by=day&measure=mean", 0)
        assert views.add("kim", "session", fragment, "tag=sales&scale=log", SECOND)
        assert not views.add("kim", "session", fragment, "tag=support", SECOND)


def test_the_lines_of_a_statement_are_one_view_with_its_page() -> None:
    views = PageViews()
    assert not views.add("kim", "session", "/statements/a/b/2026-10", "asof=7", 0)
    assert views.add("kim", "session", "/fragments/statements/a/b/2026-10", "asof=7", SECOND)
    assert not views.add("kim", "session", "/fragments/statements/a/b/2026-09", "asof=7", SECOND)


def test_a_page_that_a_redirect_opens_is_one_view_with_it_once_and_soon() -> None:
    views = PageViews()
    opened, page = urlsplit("/accounts/a%2Fb?asof=7"), ("/accounts/a/b", "asof=7")
    views.add_opened("kim", "session", opened, 0)
    assert not views.add("lee", "session", *page, SECOND)
    assert views.add("kim", "session", *page, SECOND)
    assert views.add("kim", "session", "/fragments/metrics/a/b", "", SECOND)
    assert not views.add("kim", "session", *page, 2 * SECOND)
    views.add_opened("kim", "session", opened, 0)
    assert not views.add("kim", "session", *page, (SECONDS_MAX + 1) * SECOND)

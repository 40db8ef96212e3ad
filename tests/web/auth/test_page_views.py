"""Which requests are one view of a page."""

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

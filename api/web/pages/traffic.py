"""The pages about traffic: calls by hour and weekday as a heat map, and ASR and ACD over time as a chart above its table."""

from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from api.application.read_model_pool import ReadSession
from api.web.auth.guard import GuardedRoute, Role
from api.web.pages.chart_scale import SCALE, read_scale
from api.web.pages.date_range import DateRange
from api.web.pages.heat_map import MEASURES, WEEKDAY_NAMES, draw_heat_map
from api.web.pages.lists import WHOLE, read_with_as_of
from api.web.pages.quality_chart import draw_quality
from api.web.pages.reading_time import Result, read_by_page
from api.web.pages.rendering import render
from api.web.pages.request_filters import RequestFilters, with_error_pages
from api.web.past_sessions import describe_as_of, read_session_as_of
from domain import times
from projections.queries.call_quality import quality_steps, reads_rollup, together
from projections.queries.calls_looked_at import OF_QUALITY, OF_WEEK, are_more_calls, calls_looked_at
from projections.queries.selection import Selection
from projections.queries.time_points import SelectionError, describe_span
from projections.queries.time_steps import CUTS, DAY, MONTH, TimeSpan, TimeStep, time_steps
from projections.queries.traffic_reports import span_of_quality, span_of_week
from projections.queries.weekly_traffic import weekly_traffic

MODEL = "calls"
# To write the lines of so many hours, eight days, takes some ten milliseconds.
STEPS_BY_PAGE_MAX = 192


def routes() -> list[GuardedRoute]:
    """Return both pages, and the fragments of what is counted for a while."""
    pages = {
        "/traffic": ("traffic", show_week, "traffic.html"),
        "/traffic/quality": ("call_quality", show_quality, "quality.html"),
        "/fragments/traffic": ("traffic_week", show_week, "traffic_week.html"),
        "/fragments/quality": ("quality_steps", show_quality, "quality_steps.html"),
    }
    return [
        GuardedRoute(path, with_error_pages(partial(show, template)), Role.READ, name=name)
        for path, (name, show, template) in pages.items()
    ]


def show_week(template: str, request: Request) -> Response:
    """Show how many calls began in each hour of the week, on the page or as its fragment."""
    query, timezone = request.query_params, request.app.state.ledger.timezone
    read, point = read_with_as_of(request, MODEL)
    measure, scale = read_choice(query, "measure", tuple(MEASURES)), read_scale(query)
    selection = _selection(read)
    with read_session_as_of(request, point) as room:
        span = span_of_week(room.connection, selection, request.app.state.clock(), timezone)
        count = partial(weekly_traffic, room.connection, selection, span, timezone)
        week = _counted(request, room, selection, span, calls_looked_at(selection, OF_WEEK, ("disposition",)), count)
    return render(
        request,
        template,
        heat=draw_heat_map(week, measure, scale) if week else None,
        measure=measure,
        measures={name: label for name, (label, _) in MEASURES.items()},
        weekdays=WEEKDAY_NAMES,
        as_of=describe_as_of(point, timezone),
        **_context(read, span, timezone, {"measure": query.get("measure", ""), SCALE: scale}),
    )


def show_quality(template: str, request: Request) -> Response:
    """Show ASR and ACD by hour, day or month, on the page or as its fragment."""
    query, timezone = request.query_params, request.app.state.ledger.timezone
    read, point = read_with_as_of(request, MODEL)
    by, scale = read_choice(query, "by", (DAY, *(cut for cut in CUTS if cut != DAY))), read_scale(query)
    selection = _selection(read)
    with read_session_as_of(request, point) as room:
        span = span_of_quality(room.connection, selection, by, request.app.state.clock(), timezone)
        steps = time_steps(by, span, timezone)
        is_quick = by == MONTH and reads_rollup(room.connection, selection, span, timezone)
        most = None if is_quick else calls_looked_at(selection, OF_QUALITY, ("disposition", "account"))
        count = partial(quality_steps, room.connection, selection, steps, by, timezone)
        follows = _is_page(request) and len(steps) > STEPS_BY_PAGE_MAX
        found = None if follows else _counted(request, room, selection, span, most, count)
    return render(
        request,
        template,
        chart=draw_quality(found, scale) if found else None,
        steps=[(each, _filters_of(each.step, timezone)) for each in found] if found else None,
        total=together(found) if found else None,
        by=by,
        cuts=CUTS,
        as_of=describe_as_of(point, timezone),
        **_context(read, span, timezone, {"by": "" if by == DAY else by, SCALE: scale}),
    )


def _counted(  # noqa: PLR0917 - who asks, for what, and how it is counted
    request: Request,
    room: ReadSession,
    selection: Selection,
    span: TimeSpan,
    most: int | None,
    count: Callable[[], Result],
) -> Result | None:
    """Count calls: on the page what is quick, in its fragment up to so many (None: any number), and all once somebody asks for it."""
    if _is_page(request):
        return read_by_page(room, count)
    if most is None or request.query_params.get(WHOLE):
        return count()
    is_too_much = are_more_calls(room.connection, selection, span, most, room.ledger.timezone)
    return None if is_too_much else count()


def _is_page(request: Request) -> bool:
    """Whether a page is asked for that is shown at once, without all that follows it."""
    return not (request.query_params.get(WHOLE) or request.url.path.startswith("/fragments/"))


def read_choice(query: Mapping[str, str], name: str, choices: tuple[str, ...]) -> str:
    """Return what an address chooses of some words, by default the first; raises SelectionError."""
    value = query.get(name) or choices[0]
    if value not in choices:
        msg = f"{name}={value!r}: expected one of {', '.join(choices)}"
        raise SelectionError(msg)
    return value


def _selection(read: RequestFilters) -> Selection:
    if read.selection is None:
        raise SelectionError(read.problem)
    return read.selection


def _context(read: RequestFilters, span: TimeSpan, timezone: str, look: dict[str, str]) -> dict[str, Any]:
    others = {name: value for name, value in read.filters.items() if name not in ("from", "to", "through", "period")}
    return {
        "filters": read.filters,
        "others": others,
        "look": look,
        "days": _days(span, timezone),
        "span_in_words": describe_span(span.since, span.until, timezone),
        "timezone": timezone,
    }


def _days(span: TimeSpan, timezone: str) -> DateRange | None:
    """Return a span as days, if it consists of whole ones: pages lead to the days before and after it."""
    first, after = (date.fromisoformat(times.day(at, timezone)) for at in span)
    is_whole = all(times.start_of_day(day, timezone) == at for day, at in zip((first, after), span, strict=True))
    return DateRange(first, after, "") if is_whole else None


def _filters_of(step: TimeStep, timezone: str) -> dict[str, str]:
    """Return the filters of the CDRs that came within a step."""
    days = _days(TimeSpan(step.first, step.after), timezone)
    if days is None:
        return {"from": times.iso(step.first), "to": times.iso(step.after)}
    return {"from": str(days.first), "through": str(days.last)}

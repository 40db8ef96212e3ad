"""Traffic by hour and weekday, ASR and ACD over time, and a month beside another: what the pages about them show."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from api.application.read_model_pool import ReadSession
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import AS_OF_POINT, FILTERS, ApiParameter, Schema, choice_reader, filters_of
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import object_schema
from domain import times
from projections.queries.call_quality import QualityStep, together
from projections.queries.time_points import SelectionError
from projections.queries.time_steps import CUTS, DAY, TimeSpan
from projections.queries.traffic_reports import report_quality, report_week
from projections.queries.weekly_traffic import WeekHour

MODEL = "calls"
OF_QUALITY = ("from", "to", "through", "period", "tag", "account", "number", "without")
BY = ApiParameter(
    "by", "How long a step is.", {"type": "string", "enum": list(CUTS), "default": DAY}, choice_reader(CUTS)
)
_TIME: Schema = {"type": "string", "format": "date-time"}
_NUMBER: Schema = {"type": "integer"}
_DECIMAL: Schema = {"type": ["string", "null"], "pattern": r"^[0-9]+(\.[0-9]+)?$"}
_SPAN: dict[str, Schema] = {
    "from": _TIME | {"description": "The beginning of the span."},
    "to": _TIME | {"description": "Its end, excluded."},
    "timezone": {"type": "string", "description": "The time zone of hours, days and months: the ledger's."},
}
_HOUR = object_schema(
    {
        "weekday": _NUMBER | {"description": "1 (Monday) to 7 (Sunday)."},
        "hour": _NUMBER | {"description": "0 to 23."},
        "hours": _NUMBER | {"description": "How often the hour begins in the span."},
        "calls": _NUMBER | {"description": "The calls that began in it."},
        "answered": _NUMBER | {"description": "How many of them were answered."},
        "mean": _DECIMAL | {"description": "The calls of one such hour on average, to 2 decimals."},
        "share_answered": _DECIMAL | {"description": "The answered calls of all, to 4 decimals."},
    }
) | {"title": "WeekHour"}
_COUNTS: dict[str, Schema] = {
    "attempts": _NUMBER | {"description": "The calls."},
    "answered": _NUMBER | {"description": "The answered calls."},
    "dest_seconds": _NUMBER | {"description": "Seconds of the destination legs."},
    "asr": _DECIMAL | {"description": "Answer-seizure ratio: `answered` / `attempts`, to 4 decimals."},
    "acd": _DECIMAL | {"description": "Average call duration in seconds: `dest_seconds` / `answered`, to 2 decimals."},
}
_STEP = object_schema({"step": {"type": "string"}, "from": _TIME, "to": _TIME} | _COUNTS) | {"title": "QualityStep"}


def operations() -> list[ApiOperation]:
    """Return the operations on traffic."""
    return [
        ApiOperation(
            f"{BASE}/traffic/week",
            "traffic-by-hour-and-weekday",
            "How many calls began in each of the 168 hours of the week, of at most 366 days: by default of the month of the latest call.",
            _week,
            object_schema(_SPAN | {"items": {"type": "array", "items": _HOUR}}),
            (*filters_of(MODEL), AS_OF_POINT),
            MODEL,
        ),
        ApiOperation(
            f"{BASE}/traffic/quality",
            "quality-over-time",
            "ASR and ACD by hour, day or month. A call counts when its CDR came, and one without a CDR when it began. By default the"
            " seven days, the month or the twelve months that end with the latest call.",
            _quality,
            object_schema(_SPAN | {"items": {"type": "array", "items": _STEP}, "total": object_schema(_COUNTS)}),
            (*(FILTERS[name] for name in OF_QUALITY), BY, AS_OF_POINT),
            MODEL,
        ),
    ]


def _week(asked: ApiRequest) -> ApiResponse:
    timezone = asked.ledger.timezone
    with _reading(asked) as room:
        span, hours = report_week(room.connection, asked.selection, asked.now, timezone)
    return ApiResponse(_of_span(span, timezone) | {"items": [_hour(each) for each in hours]})


def _quality(asked: ApiRequest) -> ApiResponse:
    by, timezone = asked.values.get(BY.name, DAY), asked.ledger.timezone
    with _reading(asked) as room:
        span, found = report_quality(room.connection, asked.selection, by, asked.now, timezone)
    items = [
        {"step": each.step.name, "from": times.iso(each.step.first), "to": times.iso(each.step.after)} | _counts(each)
        for each in found
    ]
    return ApiResponse(_of_span(span, timezone) | {"items": items, "total": _counts(together(found))})


@contextmanager
def _reading(asked: ApiRequest) -> Iterator[ReadSession]:
    """Open the read models; a span that cannot be shown is a bad request."""
    try:
        with asked.read_session() as room:
            yield room
    except SelectionError as error:
        raise ApiError(400, str(error)) from error


def _of_span(span: TimeSpan, timezone: str) -> dict[str, Any]:
    return {"from": times.iso(span.since), "to": times.iso(span.until), "timezone": timezone}


def _hour(each: WeekHour) -> dict[str, Any]:
    return each._asdict() | {"mean": each.mean, "share_answered": each.share_answered}


def _counts(each: QualityStep) -> dict[str, Any]:
    counts = {"attempts": each.attempts, "answered": each.answered, "dest_seconds": each.dest_seconds}
    return counts | {"asr": each.asr, "acd": each.acd}

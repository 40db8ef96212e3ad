"""A month beside another as a file, for spreadsheets: a row for each account or tag, in the order of the page."""

import csv
import io
from collections.abc import Callable, Iterable

from starlette.responses import Response

from api.web.auth.guard import Role
from api.web.json_api.comparison import AGAINST, BY, PERIOD, compared_months
from api.web.json_api.operation import BASE, ApiOperation
from api.web.json_api.parameters import AS_OF_POINT, EXCEL_SAFE, FILTERS, ApiParameter, choice_reader
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import json_value
from projections.export.text_formats import excel_safe_text
from projections.queries.month_comparison import MEASURES, ComparedMonths, largest_change_first
from projections.schema.read_models import BILLING

MEDIA = "text/csv; charset=utf-8"
SORT = ApiParameter(
    "sort",
    "The largest change of this first.",
    {"type": "string", "enum": list(MEASURES), "default": "price"},
    choice_reader(MEASURES),
)
PARTS = ("before", "after", "change", "percent")
COLUMNS = ("name", *(f"{measure}_{part}" for measure in MEASURES for part in PARTS))


def operations() -> list[ApiOperation]:
    """Return the operation."""
    return [
        ApiOperation(
            f"{BASE}/billing/comparison.csv",
            "download-compared-months",
            "A month beside another, as a file: each account or tag in both, with differences, and per cent of `before`.",
            _file,
            None,
            (PERIOD, AGAINST, BY, SORT, FILTERS["account"], EXCEL_SAFE, AS_OF_POINT),
            required_role=Role.EXPORT,
            media=(MEDIA,),
        )
    ]


def _file(asked: ApiRequest) -> Response:
    period, against, found = compared_months(asked)
    ordered = largest_change_first(found, asked.values.get("sort", "price"))
    write = excel_safe_text if asked.values.get("excel_safe") else str
    headers = {"Content-Disposition": f'attachment; filename="{period}-beside-{against}.csv"'}
    return Response(comparison_csv(ordered, write), headers=headers, media_type=MEDIA)


def comparison_csv(compared: Iterable[ComparedMonths], write: Callable[[str], str] = str) -> bytes:
    """Return lines of CSV (RFC 4180): amounts are plain decimals in US cents; per cent of nothing are empty."""
    out = io.StringIO(newline="")
    lines = csv.writer(out, lineterminator="\r\n")
    lines.writerow(COLUMNS)
    for each in compared:
        values: list[object] = [write(each.name)]
        for measure in MEASURES:
            totals = (getattr(each.before, measure), getattr(each.after, measure), each.change(measure))
            values += (json_value(BILLING, measure, total) for total in totals)
            values.append(each.percent(measure))
        lines.writerow(values)
    return out.getvalue().encode()

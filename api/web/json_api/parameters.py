"""The parameters of operations: what each means, its JSON schema, and how its text is read.

OpenAPI shows the schema and the reader decides; they stand side by side so that they agree.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple
from uuid import UUID

from api.processes import jobs
from domain.calls import call
from domain.months import PATTERN as MONTH_PATTERN
from domain.months import Month
from domain.operators import author
from domain.text import WHOLE_DIGITS_MAX
from projections.queries import conditions, selection, time_points
from projections.queries import filter_texts as filters
from projections.queries import pagination as browsing
from projections.queries.key_page import DESCENDING

TEXT_LENGTH_MAX = 256
CURSOR_LENGTH_MAX = 2048
NUL = "\0"

Schema = dict[str, Any]


class ApiParameter(NamedTuple):
    """A parameter: name, meaning, schema, reader (raises ValueError: "expected ..."), and where it is sent.

    Those in a path are required, and those in a body unless they are optional.
    """

    name: str
    meaning: str
    schema: Schema
    read: Callable[[str], Any]
    place: Literal["query", "path", "body"] = "query"
    is_optional: bool = False

    @property
    def is_required(self) -> bool:
        """Whether it is required."""
        return self.place != "query" and not self.is_optional


def read_text(length_max: int = TEXT_LENGTH_MAX) -> Callable[[str], str]:
    """Return a reader of texts up to a length in code points; no store accepts U+0000."""

    def read(value: str) -> str:
        if len(value) > length_max or NUL in value:
            msg = f"at most {length_max} characters, none of them U+0000"
            raise ValueError(msg)
        return value

    return read


def choice_reader(choices: Sequence[str]) -> Callable[[str], str]:
    """Return a reader of one of some words."""

    def read(value: str) -> str:
        if value not in choices:
            msg = f"one of {', '.join(choices)}"
            raise ValueError(msg)
        return value

    return read


def whole_number_reader(least: int, most: int) -> Callable[[str], int]:
    """Return a reader of whole numbers in ASCII digits."""

    def read(value: str) -> int:
        if not (re.fullmatch("[0-9]{1,18}", value) and least <= int(value) <= most):
            msg = f"a whole number from {least} to {most}"
            raise ValueError(msg)
        return int(value)

    return read


def _job_id(value: str) -> UUID:
    try:
        return _call_id(value)
    except ValueError:
        msg = "the id of a job, as in the answer when it was started"
        raise ValueError(msg) from None


def _call_id(value: str) -> UUID:
    try:
        if len(value) == len(str(read := UUID(value))):
            return read
    except ValueError:
        pass
    msg = "the id of a call, such as 317c4008-664b-5b39-a554-0d2515e0247a"
    raise ValueError(msg)


def _point(value: str) -> int | str:
    """Read a position, or a time, which stays a text until it is looked up."""
    if re.fullmatch("[0-9]{1,18}", value):
        return int(value)
    try:
        time_points.read_time_point(value, "UTC")
    except time_points.SelectionError:
        msg = f"a position of the log; {time_points.EXPECTED}"
        raise ValueError(msg) from None
    return value


def _reason(value: str) -> str:
    if not value.strip() or len(value) > author.REASON_MAX or NUL in value:
        msg = f"1 to {author.REASON_MAX} characters that say why, none of them U+0000"
        raise ValueError(msg)
    return value


def _month(value: str) -> str:
    try:
        return str(Month.parse(value))
    except ValueError:
        msg = "a month such as 2026-10"
        raise ValueError(msg) from None


def _truth(value: str) -> bool:
    return choice_reader(("true", "false"))(value) == "true"


POSITION_MAX = 10**WHOLE_DIGITS_MAX - 1
_TEXT: Schema = {"type": "string", "maxLength": TEXT_LENGTH_MAX}
_MOMENT: Schema = {
    "type": "string",
    "pattern": r"^([0-9]{4}-[0-9]{2}(-[0-9]{2}([T ][0-9:.]+(Z|[+-][0-9:]+))?)?|[0-9]{1,6}[mhd])$",
    "examples": ["2026-10-01", "2026-10", "2026-10-01T12:00:00Z", "24h", "7d"],
}
_DAYS: Schema = {
    "type": "string",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(\.\.[0-9]{4}-[0-9]{2}-[0-9]{2})?$",
    "examples": ["2026-10-01", "2026-10-01..2026-10-31"],
}
_MONTH: Schema = {"type": "string", "pattern": f"^{MONTH_PATTERN}$", "examples": ["2026-10"]}


def _choice(choices: Sequence[str]) -> Schema:
    return {"type": "string", "enum": list(choices)}


def _filter(name: str, meaning: str, schema: Schema) -> ApiParameter:
    return ApiParameter(name, meaning, schema, read_text())


FILTERS = {
    each.name: each
    for each in (
        _filter("from", "Only rows from this day, month or time on; `24h` and `7d` count back from now. Days and months begin in the billing time zone.", _MOMENT),
        _filter("to", "Only rows before this day, month or time.", _MOMENT),
        _filter("through", "Only rows up to this day, month or time, which is taken in; instead of `to`.", _MOMENT),
        _filter("period", "Only rows of this month, in the billing time zone.", _MONTH),
        _filter("day", "Only rows billed on this day, or on the days `FIRST..LAST`.", _DAYS),
        _filter("tag", "Only rows with this tag; `*` stands for any text, as in `dept-*`, and `\\*` for an asterisk.", _TEXT),
        _filter("account", "Only rows of this account.", _TEXT),
        _filter("number", "Only rows of this phone number, however it is written; `*` stands for any digits, as in `*4567`; that needs the role `pii`.", _TEXT),
        _filter("disposition", "Only calls with this disposition.", _choice([each for each in conditions.DISPOSITIONS if each])),
        _filter("flag", "Only rows with this flag.", _choice((*call.FLAGS, call.VOIDED))),
        _filter("state", "Only calls in this state.", _choice(conditions.STATES)),
        _filter("kind", "Only rows of this kind.", _TEXT),
        _filter("about", "Only rows about this, such as `by version 2` of reratings.", _TEXT),
        _filter("reason", "Only rows with this reason.", _TEXT),
        _filter("who", "Only what this operator did.", _TEXT),
        _filter("why", "Only rows whose reason contains this text, in upper or lower case; needs the role `pii`.", _TEXT),
        _filter("waiting", "Only overdue calls: stale (in progress but silent for too long), or ended and missing their CDR.", _choice(filters.WAITING)),
        _filter("without", "Only rows in which these columns are empty; several, separated by commas.", {
            "type": "string", "pattern": f"^({'|'.join(filters.WITHOUT)})(,({'|'.join(filters.WITHOUT)}))*$"}),
    )
}  # fmt: skip

MIN_POSITION = ApiParameter(
    "min_position",
    "Wait some seconds until the read models reach this log position; otherwise 503.",
    {"type": "integer", "minimum": 0, "maximum": POSITION_MAX},
    whole_number_reader(0, POSITION_MAX),
)
LIMIT = ApiParameter(
    "limit",
    "Maximum number of rows of a page.",
    {"type": "integer", "minimum": 1, "maximum": browsing.LIMIT_MAX, "default": browsing.LIMIT},
    whole_number_reader(1, browsing.LIMIT_MAX),
)
CURSOR = ApiParameter(
    "cursor",
    "The page to show: the `next` or `previous` cursor of another page.",
    {"type": "string", "maxLength": CURSOR_LENGTH_MAX},
    read_text(CURSOR_LENGTH_MAX),
)
CALL_ID = ApiParameter("call_id", "The call's id.", {"type": "string", "format": "uuid"}, _call_id, "path")
JOB_ID = ApiParameter("job_id", "The job's id.", {"type": "string", "format": "uuid"}, _job_id, "path")
JOB_KIND = ApiParameter("kind", "What to do.", _choice(list(jobs.KINDS)), choice_reader(list(jobs.KINDS)), "body")
ACCOUNT = ApiParameter("account", "The account.", _TEXT | {"minLength": 1}, read_text(), "path")
STATED_ACCOUNT = ACCOUNT._replace(schema=_TEXT)
MONTH = ApiParameter("period", "The month.", _MONTH, _month, "path")
ONLY_MONTH = MONTH._replace(meaning="Only this month.", place="query")
VERSION = ApiParameter(
    "version",
    "The version.",
    {"type": "integer", "minimum": 1, "maximum": POSITION_MAX},
    whole_number_reader(1, POSITION_MAX),
    "path",
)
AGAINST = VERSION._replace(
    name="against", meaning="The version to compare with (default: the one before).", place="query"
)
AT = ApiParameter(
    "at",
    "As of this log position, or of the beginning of this day, month or time.",
    {"type": "string", "pattern": rf"^([0-9]{{1,18}}|{_MOMENT['pattern'].strip('^$')})$"},
    _point,
)
AS_OF_POINT = AT._replace(
    name="asof",
    meaning="Rows as they were at this log position, or at the beginning of this day, month or time; 503 while they are being made.",
)
SETTLED = ApiParameter("settled", "Include settled entries.", {"type": "boolean"}, _truth)
EXCEL_SAFE = ApiParameter(
    "excel_safe",
    "CSV: defuse texts that a spreadsheet would take for formulas or numbers.",
    {"type": "boolean"},
    _truth,
)
REASON = ApiParameter(
    "reason",
    "The reason; it is kept permanently, with the user's name.",
    {"type": "string", "minLength": 1, "maxLength": author.REASON_MAX, "pattern": r"\S"},
    _reason,
    "body",
)
FLAG = ApiParameter("flag", "The exception's flag.", _choice(call.RESOLVABLE), choice_reader(call.RESOLVABLE), "path")
POSITION = ApiParameter(
    "position",
    "The position of the notice that raised it.",
    {"type": "integer", "minimum": 1, "maximum": POSITION_MAX},
    whole_number_reader(1, POSITION_MAX),
    "path",
)
ENTRY = ApiParameter(
    "entry",
    "The notice's number in quarantine.",
    {"type": "integer", "minimum": 1, "maximum": POSITION_MAX},
    whole_number_reader(1, POSITION_MAX),
    "path",
)


def filters_of(model: str) -> tuple[ApiParameter, ...]:
    """Return the filters of a read model."""
    return tuple(FILTERS[name] for name in filters.filter_names(model))


def sort_of(model: str) -> ApiParameter:
    """Return the parameter for the order of a read model."""
    choices = _signed(selection.read_model(model).sorts)
    schema = _choice(choices) | {"default": browsing.default_sort(model)}
    return ApiParameter("sort", "The column to sort by; `-` in front sorts descending.", schema, choice_reader(choices))


def file_sort_of(model: str) -> ApiParameter:
    """Return the parameter for the order of a read model's file."""
    declared = selection.read_model(model)
    choices = _signed((*declared.sorts, *declared.file_sorts))
    meaning = f"The column to sort by; `-` in front sorts descending. Without it files are in the order of {', '.join(declared.order)}."
    return ApiParameter("sort", meaning, _choice(choices), choice_reader(choices))


def _signed(names: Sequence[str]) -> list[str]:
    return [sign + name for name in names for sign in ("", DESCENDING)]


def facet_columns_of(model: str) -> ApiParameter:
    """Return the parameter that names the columns to count."""
    names = selection.read_model(model).facets

    def read(value: str) -> list[str]:
        return [choice_reader(names)(each) for each in value.split(",")]

    either = "|".join(names)
    schema: Schema = {"type": "string", "pattern": f"^({either})(,({either}))*$"}
    return ApiParameter("columns", "The columns whose values are counted; several, separated by commas.", schema, read)


def format_of(formats: Sequence[str]) -> ApiParameter:
    """Return the parameter for a file's format."""
    return ApiParameter("format", "The file's format.", _choice(formats), choice_reader(formats), "path")

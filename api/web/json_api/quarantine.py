"""The quarantine: list, count and show notices that were refused and kept."""

from itertools import islice

from api.application import quarantine
from api.application.quarantine_filters import (
    NAMES,
    QuarantineFilter,
    fitting_notices,
    group_notices,
    read_quarantine_filter,
)
from api.web.json_api.lists import page_document, page_schema
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import (
    CURSOR,
    ENTRY,
    FILTERS,
    LIMIT,
    SETTLED,
    ApiParameter,
    Schema,
    choice_reader,
    read_text,
)
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest, parameter_error
from api.web.json_api.row_schema import DECIMAL, object_schema
from domain.amounts import plain
from domain.log.contract import QuarantineEntry
from projections.queries import cursors
from projections.queries import pagination as browsing
from projections.queries.time_points import SelectionError

LISTED, SORT = "quarantine", "id"
_TIME: Schema = {"type": "string", "format": "date-time"}
_WHOLE: Schema = {"type": "integer"}
_TEXT: Schema = {"type": "string"}
_ENTRY: dict[str, Schema] = {
    "id": _WHOLE,
    "received_at": _TIME,
    "last_received_at": _TIME,
    "times": _WHOLE,
    "authentic": {"type": "boolean"},
    "reason": _TEXT,
    "source": _TEXT,
    "position": {"type": ["integer", "null"]},
}
_GROUPS: Schema = {
    "type": "array",
    "items": object_schema(
        {"value": _TEXT, "notices": _WHOLE, "times": _WHOLE, "cost": {"type": "string", "pattern": DECIMAL}}
    ),
}
_FILTERS = (
    ApiParameter(
        "cause", "Only notices with this cause, such as `wrong signature` or `broken srccharge`.", _TEXT, read_text()
    ),
    FILTERS["tag"],
    ApiParameter("source", "Only notices from this source.", _TEXT, read_text()),
    *(FILTERS[name] for name in ("from", "to", "through")),
)
_ORDER = ApiParameter(
    "sort",
    "Oldest first, or with `-id` newest first.",
    {"type": "string", "enum": [SORT, f"-{SORT}"], "default": SORT},
    choice_reader((SORT, f"-{SORT}")),
)
_WHOLE_ENTRY = object_schema(
    _ENTRY | {"raw": _TEXT, "parameters": {"type": "array", "items": {"type": "array", "items": _TEXT}}}
)


def operations() -> list[ApiOperation]:
    """Return the operations on the quarantine."""
    return [
        ApiOperation(
            f"{BASE}/quarantine",
            "list-quarantine",
            "The notices in quarantine, oldest first unless sorted otherwise.",
            _list,
            page_schema(object_schema(_ENTRY)),
            (SETTLED, *_FILTERS, _ORDER, CURSOR, LIMIT),
        ),
        ApiOperation(
            f"{BASE}/quarantine/facets",
            "facets-of-quarantine",
            "How many waiting notices have which cause, tag and source, the commonest first, and their charges in US cents.",
            _count,
            object_schema(dict.fromkeys(("cause", "tag", "source"), _GROUPS)),
            _FILTERS,
        ),
        ApiOperation(
            f"{BASE}/quarantine/{{entry}}",
            "show-quarantined",
            "One notice in full: its raw bytes, its parameters, and why it was refused.",
            _show,
            _WHOLE_ENTRY,
            (ENTRY,),
            refusals=(404,),
        ),
    ]


def _list(asked: ApiRequest) -> ApiResponse:
    sort, place = asked.values.get("sort", SORT), 0
    if "cursor" in asked.values:
        place = int(cursors.decode_cursor(asked.values["cursor"], LISTED, sort, [int]).key[0])
    limit, settled = asked.values.get("limit", browsing.LIMIT), asked.values.get("settled", False)
    wanted, log = _filter(asked), asked.ledger.store
    every = (
        log.quarantined(settled=settled, after=place)
        if sort == SORT
        else log.newest_quarantined(settled=settled, before=place)
    )
    found = list(islice((entry for entry in every if wanted.fits(entry)), limit + 1))
    following = cursors.encode_cursor(LISTED, sort, [found[limit - 1].id]) if len(found) > limit else ""
    return page_document(
        [quarantine.entry_document(entry, whole=asked.identity.sees_pii) for entry in found[:limit]], following
    )


def _count(asked: ApiRequest) -> ApiResponse:
    groups = group_notices(fitting_notices(asked.ledger.store, _filter(asked)))
    return ApiResponse(
        {name: [each._asdict() | {"cost": plain(each.cost)} for each in found] for name, found in groups.items()}
    )


def _filter(asked: ApiRequest) -> QuarantineFilter:
    given = {name: asked.values[name] for name in NAMES if name in asked.values}
    try:
        return read_quarantine_filter(given, asked.ledger.timezone, asked.now)
    except SelectionError as error:
        name = next(name for name in ("from", "to", "through") if name in given)
        raise parameter_error(name, given[name], error) from error


def _show(asked: ApiRequest) -> ApiResponse:
    return ApiResponse(
        quarantine.whole_document(quarantined_entry(asked, asked.values["entry"]), whole=asked.identity.sees_pii)
    )


def quarantined_entry(asked: ApiRequest, number: int) -> QuarantineEntry:
    """Return a notice by its number; raises ApiError if the quarantine has none."""
    entry = quarantine.find_entry(asked.ledger, number)
    if entry is None:
        msg = f"notice {number} is not in quarantine"
        raise ApiError(404, msg)
    return entry

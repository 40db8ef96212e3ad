"""Search: what a text may mean in the ledger, as the pages' box for it finds it."""

from api.application.masking import masked_number
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import ApiParameter, Schema, read_text
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import object_schema
from api.web.search_hits import KINDS, NUMBER, QUERY_MAX, SearchHit, find_hits

QUERY = ApiParameter(
    "q",
    "A call's id or its beginning, a position, a tag or its beginning, a phone number, an account, an operator; with the role"
    " `pii` also the last digits of a number, and a part of a reason.",
    {"type": "string", "maxLength": QUERY_MAX},
    read_text(QUERY_MAX),
)
_TEXT: Schema = {"type": "string"}
_HIT = object_schema(
    {
        "kind": {"type": "string", "enum": list(KINDS)},
        "what": _TEXT,
        "about": _TEXT,
        "page": {"type": "string", "description": "The path of the page that shows it."},
    }
) | {"title": "SearchHit"}


def operations() -> list[ApiOperation]:
    """Return the operation."""
    return [
        ApiOperation(
            f"{BASE}/search",
            "search",
            "What a text may mean in the ledger, as the search of the pages finds it.",
            _search,
            object_schema({"items": {"type": "array", "items": _HIT}}),
            (QUERY,),
        )
    ]


def _search(asked: ApiRequest) -> ApiResponse:
    whole = asked.identity.sees_pii
    with asked.read_session() as room:
        found = find_hits(room, asked.values.get("q", ""), sees_pii=whole)
    return ApiResponse({"items": [hit_document(each, whole=whole) for each in found]})


def hit_document(hit: SearchHit, *, whole: bool) -> dict[str, str]:
    """Return a hit as the API tells it; a number is masked unless ``whole``."""
    # What it is about names tags and calls, counts, and topics: no person.
    what = hit.what if whole or hit.kind != NUMBER else masked_number(hit.what)
    return {"kind": hit.kind, "what": what, "about": hit.about, "page": hit.to}

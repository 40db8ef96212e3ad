"""Search: what a text may mean in the ledger, as the pages' box for it finds it."""

from api.application.masking import masked_number, masked_text
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
    return ApiResponse({"items": [_document(each, whole=whole) for each in found]})


def _document(hit: SearchHit, *, whole: bool) -> dict[str, str]:
    what, about = hit.what, hit.about
    if not whole:
        what, about = masked_number(what) if hit.kind == NUMBER else what, masked_text(about)
    return {"kind": hit.kind, "what": what, "about": about, "page": hit.to}

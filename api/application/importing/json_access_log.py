"""Access logs with one JSON object a line, as nginx (``escape=json``), Apache, Caddy and Traefik write them.

Their names differ: the request is one text such as ``GET /notify?… HTTP/1.1``, or a method and a URI, which may be in an
object of their own, or a method, a path and a query.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

import msgspec

from api.application.importing import timestamps as moments

_decode = msgspec.json.Decoder(float_hook=str).decode
_TIMES = (
    "received_at",
    "time",
    "@timestamp",
    "timestamp",
    "time_iso8601",
    "time_local",
    "ts",
    "msec",
    "starttime",
    "startutc",
)
_METHODS = ("request_method", "method", "requestmethod", "verb", "http_method")
_TARGETS = ("request_uri", "uri", "url", "requestpath", "path", "target")
_QUERIES = ("query_string", "args", "query", "querystring")
_LOG_TIME = re.compile(r"[0-9]{2}/[A-Za-z]{3}/[0-9]{4}:[0-9:]{8} [+-][0-9]{4}")
_EXPECTED = "expected a JSON object with the time and the request (its method and URI) of an access log"


class LoggedRequest(NamedTuple):
    """A request of an access log: its line (method, target, protocol), and its time as it is written."""

    request: bytes
    time: str


def read_json_request(line: bytes) -> LoggedRequest:
    """Return the request of a line; raises ValueError if it is not a JSON object, or lacks the request."""
    try:
        found = _decode(line)
    except (msgspec.DecodeError, UnicodeError) as error:
        msg = f"{_EXPECTED}: {error}"
        raise ValueError(msg) from None
    if not isinstance(found, dict):
        raise ValueError(_EXPECTED)  # noqa: TRY004  # An error in the log, not in the call.
    outer = _lower(found)
    request = outer.get("request")
    if isinstance(request, str):
        return LoggedRequest(request.encode(), _first(outer, _TIMES))
    inner = {**outer, **(_lower(request) if isinstance(request, dict) else {})}
    target, query = _first(inner, _TARGETS), _first(inner, _QUERIES)
    if not target:
        raise ValueError(_EXPECTED)
    if query and "?" not in target:
        target = f"{target}?{query.removeprefix('?')}"
    return LoggedRequest(f"{_first(inner, _METHODS)} {target}".encode(), _first(outer, _TIMES))


def read_json_time(text: str) -> int:
    """Read a time of such a log: ISO 8601 with an offset, the form of other access logs, or Unix seconds.

    Raises ValueError for anything else.
    """
    if _LOG_TIME.fullmatch(text):
        return moments.read_log_time(text)
    seconds, point, fraction = text.partition(".")
    if seconds.isdigit() and point:
        text = f"{seconds}.{fraction[:6]}"
    if "T" in text and not re.search(r"(Z|[+-][0-9]{2}:?[0-9]{2})$", text):
        msg = f"time={text!r}: expected a time with its offset"
        raise ValueError(msg)
    return moments.read_table_time(text, "UTC", "time")


def _lower(found: Mapping[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in found.items()}


def _first(found: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """Return the first of these values that is a text or a number, or an empty text."""
    values = (found.get(name) for name in names)
    value = next((value for value in values if isinstance(value, str | int) and not isinstance(value, bool)), "")
    return str(value)

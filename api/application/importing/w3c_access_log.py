"""W3C extended access logs, as IIS writes them: a line ``#Fields:`` names the values, which spaces separate; times are UTC."""

from api.application.importing.json_access_log import LoggedRequest

FIELDS = b"#Fields:"
TIME, METHOD, STEM, QUERY = ("date", "time"), "cs-method", "cs-uri-stem", "cs-uri-query"
NEEDED = (*TIME, METHOD, STEM, QUERY)
EMPTY = "-"


def read_fields(line: bytes) -> list[str]:
    """Return the names of a line ``#Fields:``; raises ValueError if one that is needed is missing."""
    names = line.removeprefix(FIELDS).decode(errors="replace").split()
    missing = [name for name in NEEDED if name not in names]
    if missing:
        msg = f"the log lacks {', '.join(missing)}: expected {', '.join(NEEDED)} among its fields"
        raise ValueError(msg)
    return names


def read_w3c_request(line: bytes, fields: list[str]) -> LoggedRequest:
    """Return the request of a line; raises ValueError if it has not one value for each field."""
    values = line.split()
    if len(values) != len(fields):
        msg = f"it has {len(values)} values: expected {len(fields)}, one for each of the fields"
        raise ValueError(msg)
    found = dict(zip(fields, values, strict=True))
    query = found[QUERY]
    target = found[STEM] + (b"" if query == EMPTY.encode() else b"?" + query)
    day, clock = (found[name].decode(errors="replace") for name in TIME)
    return LoggedRequest(found[METHOD] + b" " + target, f"{day}T{clock}Z")

"""A small ledger made by commands alone, with every kind of notice and of operator event, for what pins.py looks at."""

import hashlib
import json
from pathlib import Path
from urllib.parse import urlencode
from uuid import NAMESPACE_DNS, uuid5

from tests.support.command import Said, run

KEY = "a-private-key"
AUTHOR = ("--by", "kim", "--reason", "as agreed")
DAY = "2026-03-01"
TARIFF = """[[rules]]
tag = "odd"
per_minute = 0.123
rounding = { mode = "up", places = 0, level = "statement" }
[[rules]]
tag = "*"
markup_percent = 10
"""
MODELS = (
    "calls",
    "cdrs",
    "billing",
    "billing-days",
    "voicemails",
    "channels",
    "exceptions",
    "postings",
    "closings",
    "tariffs",
    "entries",
)
_SHORT = {"srcduration": "9", "destduration": "8", "srccharge": "1.5", "destcharge": "2", "destsipcharge": "0.5"}
_NOTICES: tuple[tuple[str, dict[str, str]], ...] = (
    ("12:00:00", {"type": "callstatus", "status": "SRCANSWERED", "tag": "acme", "src": "+1 (858) 555-0001"}),
    ("12:01:00", {"type": "callstatus", "status": "COMPLETED", "tag": "acme", "src": "18585550001"}),
    ("12:01:01", {"type": "cdr", "tag": "acme", "src": "18585550001", **_SHORT}),
    ("12:01:02", {"type": "cdr", "tag": "acme", "src": "18585550001", "x": "again", **_SHORT}),
    ("12:20:00", {"type": "callstatus", "status": "SRCANSWERED", "tag": "büro", "src": "sip:jo"}),
    ("12:20:30", {"type": "callstatus", "status": "DESTBUSY", "tag": "büro", "src": "sip:jo"}),
    ("12:20:31", {"type": "cdr", "tag": "büro", "src": "sip:jo", **_SHORT}),
    ("12:30:00", {"type": "cdr", "tag": "odd", "src": "1", **_SHORT}),
    ("12:40:00", {"type": "cdr", "tag": "other", "src": "2", **_SHORT}),
    ("12:41:00", {"type": "voicemail", "email": "ann@example.com", "voicemail": "1.mp3"}),
    ("12:42:00", {"type": "deletechannel", "src": "18585550001", "tag": "TRINGME"}),
    ("12:43:00", {"type": "fax", "tag": "acme"}),
    ("12:44:00", {"type": "cdr", "tag": "wrong", "srccharge": "1,5"}),
    ("12:45:00", {"type": "cdr", "tag": "wrong", "srccharge": "2,5"}),
)
_NONCES = tuple(("13:00:00", {"type": "cdr", "tag": f"nonce-{number}", "r": "7"}) for number in (1, 2))
_TABLE = "id,received_at,tag,src,destduration\n1,2026-03-02T10:00:00Z,table,3,5\n"


def fill(url: str) -> None:
    """Record every kind of notice and do all that operators may, then rebuild, forward, copy and add a user."""
    _done("import", "--source", "pins", "-", stdin=_lines(*_NOTICES), store=url)
    _done("import", "--source", "nonces", "-", stdin=_lines(*_NONCES), store=url, TRINGLEDGER_SIGNATURE="md5-r-key")
    vouched = ("--format", "csv", "--set", "type=cdr", "--unsigned", *AUTHOR)
    _done("import", *vouched, "--source", "table", "-", stdin=_TABLE, store=url)
    Path("prices.toml").write_text(TARIFF)
    _done("tariff", "publish", "prices.toml", *AUTHOR, store=url)
    for order in (
        *(f"rerate --account {tag} --period 2026-03 --tariff 1" for tag in ("acme", "odd")),
        "call release 4",
        f"call void {_call('other', '2')}",
        f"call merge {_call('nonce-2', '')} {_call('nonce-1', '')}",
        f"call split {_call('büro', 'sip:jo')} 6",
        "exception resolve missing-opening 8",
        "exception reopen missing-opening 8",
        "exception resolve unrecognised-type 12",
        "adjust acme 5 --period 2026-03",
        "quarantine resolve 1",
    ):
        _done(*order.split(" "), *AUTHOR, store=url)
    last = len(_done("tail", "--from", "1", "--no-follow", store=url).out.splitlines())
    for position in (last, last - 1):
        _done("undo", str(position), *AUTHOR, store=url)
    _done("close", "2026-03", "--by", "kim", "--accept", "known", store=url)
    _done("adjust", "odd", "-1", "--period", "2026-03", *AUTHOR, store=url)
    _done("rebuild", "--jobs", "1", store=url)
    _done("copy", url, url.replace("ledger.db", "copied.db"), store=url)
    _done("user", "add", "ann", "--role", "read", store=url)


def exports(url: str) -> dict[str, str]:
    """Return what commands write as CSV, and the journal."""
    orders = {model: f"export {model}" for model in MODELS} | {
        "metrics": "metrics --format csv",
        "diff": "diff --as-of 1 --format csv",
        "diff --events": "diff --as-of 1 --events --format csv",
        "statement": "statement odd 2026-03 --format csv",
        "reconcile": "reconcile --format csv -",
        "journal": "export journal --format hledger",
    }
    carrier = "tag,src,time,src_duration,dest_duration,src_charge,dest_charge\n"
    return {
        name: run(*order.split(" "), "--store", url, stdin=carrier, TRINGLEDGER_SIGNATURE="off").out
        for name, order in orders.items()
    }


def _done(*arguments: str, store: str, stdin: str = "", **environment: str) -> Said:
    done = run(*arguments, stdin=stdin, **{"TRINGLEDGER_STORE": store, "TRINGME_PRIVATE_KEY": KEY} | environment)
    assert done.code == 0, (arguments, done)
    return done


def _lines(*notices: tuple[str, dict[str, str]]) -> str:
    """Return notices as lines to import, each signed by the formula that its ``r`` decides."""
    return "".join(
        json.dumps({"received_at": f"{DAY}T{at}Z", "query": _signed({"f": "tm", "r": at, **values})}) + "\n"
        for at, values in notices
    )


def _signed(values: dict[str, str]) -> str:
    whole = "".join(f"{name}={value}" for name, value in sorted(values.items()))
    text = values["r"] if values["r"] == "7" else whole
    return urlencode({**values, "sig": hashlib.md5((text + KEY).encode(), usedforsecurity=False).hexdigest()})


def _call(tag: str, src: str) -> str:
    """Return the id of a line's first call as the specification has it (SPEC 6)."""
    name = json.dumps([tag, src, 1], ensure_ascii=False, separators=(",", ":"))
    return str(uuid5(uuid5(NAMESPACE_DNS, "tringledger"), name))

"""TringMe as these tests play it: notices, signed by a hand of their own, and the sample logs."""

import csv
import hashlib
import hmac
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

import msgspec

KEY = "s3cr3t-private-key"
OTHER_KEY = "another-private-key"
SAMPLES = Path(__file__).parents[1] / "samples"
SAMPLE_NAMES = ("traffic", "adverse", "edges", "busy-lines")

Pairs = Sequence[tuple[str, str]]


def notice(r: int = 1, /, **changed: str | None) -> list[tuple[str, str]]:
    """Return the parameters of a call status, some of them changed, added, or (None) left out."""
    usual = {"f": "tm", "type": "callstatus", "status": "SRCANSWERED", "tag": "acme", "src": "18585550001"}
    return [(name, value) for name, value in {**usual, "r": str(r), **changed}.items() if value is not None]


def cdr(r: int = 1, /, **changed: str | None) -> list[tuple[str, str]]:
    """Return the parameters of a CDR that costs 1.5 + 2 cents."""
    numbers = {"srcduration": "60", "destduration": "50", "srccharge": "1.5", "destcharge": "2"}
    values: dict[str, str | None] = {"type": "cdr", "status": None, **numbers, **changed}
    return notice(r, **values)


def call(number: int, tag: str = "acme") -> Iterator[list[tuple[str, str]]]:
    """Return the notices of one whole call on a line of its own; no two numbers yield the same notice."""
    src = f"1858{number:07d}"
    for step, status in enumerate(("SRCANSWERED", "COMPLETED")):
        yield notice(number * 4 + step, tag=tag, src=src, status=status)
    yield cdr(number * 4 + 2, tag=tag, src=src)


def signature(pairs: Pairs, key: str = KEY, formula: str = "md5-params") -> str:
    """Return the signature of parameters, after SPEC 3 and without any code of the program's."""
    signed = sorted((pair for pair in pairs if pair[0] != "sig"), key=lambda pair: pair[0])
    r = dict(pairs).get("r", "")
    plain = {
        "md5-params": "".join([f"{name}={value}" for name, value in signed]) + key,
        "md5-r-key": r + key,
        "md5-key-r": key + r,
    }
    if formula in plain:
        return hashlib.md5(plain[formula].encode(errors="surrogateescape"), usedforsecurity=False).hexdigest()
    joined = "&".join([f"{name}={value}" for name, value in signed])
    return hmac.digest(key.encode(), joined.encode(errors="surrogateescape"), "sha256").hex()


def signed(pairs: Pairs, key: str = KEY, formula: str = "md5-params") -> str:
    """Return the query string that TringMe would send for these parameters."""
    return encoded([*pairs, ("sig", signature(pairs, key, formula))])


def encoded(pairs: Pairs) -> str:
    """Return parameters as a query string; lone surrogates stand for bytes that are no UTF-8."""
    return urlencode(pairs, encoding="utf-8", errors="surrogateescape")


def delivery_key(pairs: Pairs) -> bytes:
    """Return the delivery key of parameters, by the letter of SPEC 2."""
    return hashlib.sha256(
        "&".join([f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(pairs)]).encode()
    ).digest()


def line(query: str, received_at: str = "2026-10-01T04:30:25.394357Z") -> str:
    """Return a line of a notification log."""
    return msgspec.json.encode({"received_at": received_at, "query": query}).decode() + "\n"


class Sample(NamedTuple):
    """A sample log: its lines as (received_at, query), and what they must yield."""

    lines: list[tuple[str, str]]
    counts: dict[str, int]
    cdrs: list[dict[str, str]]
    billing: list[dict[str, str]]


def sample(name: str) -> Sample:
    """Read a sample log and what stands beside it."""
    read = [msgspec.json.decode(row) for row in (SAMPLES / f"{name}.ndjson").read_bytes().splitlines()]
    counts: dict[str, int] = msgspec.json.decode((SAMPLES / f"{name}-counts.json").read_bytes())
    tables = [rows_of_csv((SAMPLES / f"{name}-{table}.csv").read_bytes()) for table in ("cdrs", "billing")]
    return Sample([(row["received_at"], row["query"]) for row in read], counts, *tables)


def rows_of_csv(content: bytes) -> list[dict[str, str]]:
    """Read a CSV file with its header."""
    return list(csv.DictReader(content.decode().splitlines(keepends=True)))


def columns_of(rows: Sequence[dict[str, Any]], wanted: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows with only the columns that the wanted rows have."""
    return [{name: row[name] for name in wanted[0]} for row in rows]

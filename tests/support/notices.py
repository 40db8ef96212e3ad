"""Notices as tests write them: the one builder of ``callstatus``, ``cdr`` and other notices, and of their signed query strings.

Moments are whole microseconds, and a notice's ``at`` counts from START. What signs and encodes is the model's, so that a
mistake in the service cannot hide in its own tests.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec

from domain.notices.signature import UNCHECKED
from tests.support.model import wire

KEY = "s3cr3t-private-key"
OTHER_KEY = "another-private-key"
FORMULA = "md5-params"
SECOND = 1_000_000
GRACE = 300 * SECOND
MAX_AGE = 86_400 * SECOND
START = 1_790_856_000 * SECOND  # 2026-10-01T12:00:00Z
TAG, SRC = "sales", "18585550001"

Pairs = Sequence[tuple[str, str]]
Value = str | int | None


class SentNotice(list[tuple[str, str]]):
    """The parameters of a notice without its signature, and the moment (microseconds, UTC) at which it is received."""

    def __init__(self, at: int, pairs: Iterable[tuple[str, str]]) -> None:
        super().__init__(pairs)
        self.at = at

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The parameters alone."""
        return list(self)


def notice(at: int = 0, /, **values: Value) -> SentNotice:
    """Return a notice with just these parameters after ``f``; those that are None are absent."""
    given = {"f": "tm", **values}
    return SentNotice(START + at, [(name, str(value)) for name, value in given.items() if value is not None])


def callstatus(status: str | None = "SRCANSWERED", at: int = 0, /, **more: Value) -> SentNotice:
    """Return a ``callstatus`` of the usual line; its ``r`` follows from ``at`` unless given."""
    return notice(at, **{"type": "callstatus", "status": status, "tag": TAG, "src": SRC, "r": at, **more})


def cdr(at: int = 0, status: str | None = None, /, **more: Value) -> SentNotice:
    """Return a ``cdr`` of the usual line; its ``r`` follows from ``at`` unless given."""
    return notice(at, **{"type": "cdr", "status": status, "tag": TAG, "src": SRC, "r": at, **more})


def priced_cdr(at: int = 0, status: str | None = None, /, **more: Value) -> SentNotice:
    """Return a ``cdr`` of a minute that costs 1.5 + 2 cents."""
    minute = {"srcduration": "60", "destduration": "50", "srccharge": "1.5", "destcharge": "2"}
    return cdr(at, status, **{**minute, **more})


def notices_of_call(number: int, tag: str = TAG) -> Iterator[SentNotice]:
    """Yield the notices of one whole call on a line of its own; no two numbers yield the same notice."""
    line = {"tag": tag, "src": f"1858{number:07d}"}
    for step, status in enumerate(("SRCANSWERED", "COMPLETED")):
        yield callstatus(status, r=number * 4 + step, **line)
    yield priced_cdr(r=number * 4 + 2, **line)


def signature(pairs: Pairs, key: str = KEY, formula: str = FORMULA) -> str:
    """Return the signature of these parameters."""
    return wire.sign(_as_bytes(pairs), key, formula)


def signed(pairs: Pairs, key: str = KEY, formula: str = FORMULA) -> str:
    """Return the query string of these parameters with their signature, as it comes over the wire."""
    return encoded([*pairs, ("sig", signature(pairs, key, formula))] if formula != UNCHECKED else pairs)


def encoded(pairs: Pairs) -> str:
    """Return parameters as a query string; lone surrogates stand for bytes that are not UTF-8."""
    return wire.query(_as_bytes(pairs)).decode()


def line(query: str, received_at: str = "2026-10-01T04:30:25.394357Z") -> str:
    """Return a line of a notification log."""
    return msgspec.json.encode({"received_at": received_at, "query": query}).decode() + "\n"


def _as_bytes(pairs: Pairs) -> list[tuple[bytes, bytes]]:
    return [(_in_bytes(name), _in_bytes(value)) for name, value in pairs]


def _in_bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")

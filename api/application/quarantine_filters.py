"""Which notices of the quarantine are shown, counted or tried again: filters by cause, tag, source and time.

A notice's tag is in its bytes, so that every notice is looked at; the newest come first.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from api.application.quarantine import charges, reason_name
from domain.log.contract import Log, QuarantineEntry
from domain.notices import notification
from domain.text import escape_undecodable
from projections.queries.text_patterns import TextPattern, read_pattern
from projections.queries.time_points import read_ends

NAMES = ("cause", "tag", "source", "from", "to", "through")
LOOKED_AT_MAX = 20_000
GROUPS_MAX = 20


class QuarantineFilter(NamedTuple):
    """The filters, all of which a notice must pass; times (microseconds, UTC) are those at which it came first."""

    cause: str = ""
    tag: TextPattern | str = ""
    source: str = ""
    since: int | None = None
    until: int | None = None

    def fits(self, entry: QuarantineEntry) -> bool:
        """Whether a notice passes."""
        if self.since is not None and entry.received_at < self.since:
            return False
        if self.until is not None and entry.received_at >= self.until:
            return False
        if self.cause and reason_name(entry) != self.cause:
            return False
        return (not self.source or entry.source == self.source) and (not self.tag or self._has_tag(entry))

    def _has_tag(self, entry: QuarantineEntry) -> bool:
        tag = tag_of(entry)
        return self.tag.fits(tag) if isinstance(self.tag, TextPattern) else tag == self.tag


class NewestNotices(NamedTuple):
    """Some notices, the newest first, and the number before which to look on; None if there are no more."""

    entries: list[QuarantineEntry]
    before: int | None


class NoticeGroup(NamedTuple):
    """Notices with the same cause, tag or source: how many, how often they came, and their charges (millionths of a cent)."""

    value: str
    notices: int
    times: int
    cost: int


def read_quarantine_filter(given: Mapping[str, str], timezone: str, now: int) -> QuarantineFilter:
    """Read the filters by their names (see NAMES); empty ones select everything. Raises SelectionError."""
    ends = read_ends(given, timezone, now)
    return QuarantineFilter(given.get("cause", ""), read_pattern(given.get("tag", "")), given.get("source", ""), *ends)


def newest_notices(store: Log, wanted: QuarantineFilter, *, settled: bool, before: int, limit: int) -> NewestNotices:
    """Return the newest notices that fit, before a number (0: from the newest on).

    At most LOOKED_AT_MAX are looked at: where few fit, ``before`` leads on although fewer than ``limit`` are returned.
    """
    found: list[QuarantineEntry] = []
    for looked_at, entry in enumerate(store.newest_quarantined(settled=settled, before=before)):
        if len(found) == limit or looked_at == LOOKED_AT_MAX:
            return NewestNotices(found, entry.id + 1)
        if wanted.fits(entry):
            found.append(entry)
    return NewestNotices(found, None)


def fitting_notices(store: Log, wanted: QuarantineFilter) -> Iterator[QuarantineEntry]:
    """Yield the waiting notices that fit, the oldest first."""
    return (entry for entry in store.quarantined(settled=False) if wanted.fits(entry))


def group_notices(entries: Iterable[QuarantineEntry]) -> dict[str, list[NoticeGroup]]:
    """Return for ``cause``, ``tag`` and ``source`` the commonest values among notices."""
    groups: dict[str, dict[str, NoticeGroup]] = {"cause": {}, "tag": {}, "source": {}}
    for entry in entries:
        cost = charges(entry.raw)
        values = {"cause": reason_name(entry), "tag": tag_of(entry), "source": entry.source}
        for name, value in values.items():
            _, notices, times, charged = groups[name].get(value, NoticeGroup(value, 0, 0, 0))
            groups[name][value] = NoticeGroup(value, notices + 1, times + entry.times, charged + cost)
    return {
        name: sorted(found.values(), key=lambda each: (-each.notices, each.value))[:GROUPS_MAX]
        for name, found in groups.items()
    }


def tag_of(entry: QuarantineEntry) -> str:
    """Return the tag that a notice names; empty if none."""
    return escape_undecodable(dict(notification.parse_pairs(entry.raw)).get("tag", ""))

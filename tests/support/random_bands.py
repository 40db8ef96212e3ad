"""Rules with time bands, drawn at random, and calls near what makes them hard: borders, midnights, holidays, changes of the clock."""

from datetime import date
from typing import Any, NamedTuple

from hypothesis import strategies as st

from domain.times import SECOND, parse
from tests.support.random_tariffs import Rule, cents, increments

HOLIDAYS = (date(2026, 3, 29), date(2026, 10, 24), date(2011, 12, 31))
KINDS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun", "holiday")
# Where the clock changes, and by how much: an hour, half an hour, a whole day that does not exist, and not at all.
PLACES = (
    ("Europe/Berlin", "2026-03-29T01:00:00Z"),
    ("Europe/Berlin", "2026-10-25T01:00:00Z"),
    ("America/New_York", "2026-11-01T06:00:00Z"),
    ("Australia/Lord_Howe", "2026-04-04T15:00:00Z"),
    ("Pacific/Apia", "2011-12-30T10:00:00Z"),
    ("Asia/Kathmandu", "2026-10-24T18:15:00Z"),
    ("UTC", "2026-10-24T00:00:00Z"),
)


class PlacedCall(NamedTuple):
    """A tariff's time zone, and when a CDR came (microseconds, UTC)."""

    timezone: str
    cdr_at: int


@st.composite
def placed_calls(draw: st.DrawFn) -> PlacedCall:
    """A time zone, and a CDR within hours of a change of its clock, on a whole second more often than not."""
    zone, at = draw(st.sampled_from(PLACES))
    seconds = draw(st.integers(-26 * 60, 26 * 60)) * 60 + draw(st.integers(-59, 59))
    return PlacedCall(zone, parse(at) + seconds * SECOND + draw(st.sampled_from((0, 0, 1, 999_999, 500_000))))


@st.composite
def banded_rules(draw: st.DrawFn) -> Rule:
    """A rule whose bands cover the week: for groups of days, the day is cut into stretches that go to the group's bands."""
    groups: dict[int, list[str]] = {}
    for kind in KINDS:
        groups.setdefault(draw(st.integers(0, 1)), []).append(kind)
    bands: list[dict[str, Any]] = []
    for days in groups.values():
        cuts = sorted(draw(st.sets(st.integers(1, 1439), max_size=4)))
        spans = [f"{_clock(first)}-{_clock(end)}" for first, end in zip([0, *cuts], [*cuts, 1440], strict=True)]
        for hours in (spans[::2], spans[1::2]):
            if hours:
                band = {"name": f"band {len(bands)}", "days": ", ".join(days), "hours": ", ".join(hours)}
                bands.append(band | draw(_PRICES))
    rule: Rule = {"tag": "*", "bands": draw(st.permutations(bands))}
    optional = {"increment": increments, "connection_fee": cents(50), "leg": st.sampled_from(("src", "dest", "both"))}
    return rule | draw(st.fixed_dictionaries({}, optional=optional | {"split_at_bands": st.booleans()}))


_PRICES = st.fixed_dictionaries({"per_minute": cents(99)}, optional={"first_minute": cents(99)})


def _clock(minute: int) -> str:
    return f"{minute // 60:02d}:{minute % 60:02d}"

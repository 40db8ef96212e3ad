"""What a tariff's author should know although nothing is wrong: rules that begin later, and rules that are never reached (SPEC 9.8)."""

from collections.abc import Iterator
from typing import NamedTuple

from domain import times
from domain.billing.glob_coverage import fitting_text, glob_covers, has_wildcard
from domain.billing.tariff import Rule, Tariff

AT_COST = "their cost is their price"


class TariffNote(NamedTuple):
    """A note on a rule: the rule's line and number, and what to know about it.

    ``until`` is the moment (microseconds, UTC) until which another version decides, 0 for a rule that is never reached.
    """

    line: int
    rule: int
    until: int
    text: str

    def __str__(self) -> str:
        """Return the note as a sentence, without its line."""
        return f"rule {self.rule}: {self.text}"


def tariff_notes(tariff: Tariff, version_before: int) -> list[TariffNote]:
    """Return the notes on a tariff's rules, in order; ``version_before`` is the last version published before, 0 without one.

    Rules that begin with the tariff itself need no note: before that the tariff is not in effect.
    """
    return list(_notes(tariff, version_before))


def _notes(tariff: Tariff, version_before: int) -> Iterator[TariffNote]:
    for place, rule in enumerate(tariff.rules):
        earlier = next(
            (each for each in tariff.rules[:place] if each.since <= rule.since and _covers(each, rule)), None
        )
        if earlier:
            text = f"never reached: rule {earlier.number}, at line {earlier.line}, takes every call that it fits"
            yield TariffNote(rule.line, rule.number, 0, text)
            continue
        later = (each.since for each in tariff.rules[place + 1 :] if each.since < rule.since and _covers(each, rule))
        until = min(later, default=rule.since)
        if until > tariff.since:
            decides = (
                f"version {version_before} decides on the calls that it fits"
                if version_before
                else f"the calls that it fits have no rule, and {AT_COST}"
            )
            yield TariffNote(rule.line, rule.number, until, f"until {times.iso(until)}, {decides}")


def _covers(wide: Rule, narrow: Rule) -> bool:
    """Return whether a rule surely fits every call that another one fits."""
    return narrow.src_prefix.startswith(wide.src_prefix) and _covers_tags(wide, narrow)


def _covers_tags(wide: Rule, narrow: Rule) -> bool:
    if _fits_all(wide) or wide.pattern.pattern == narrow.pattern.pattern:
        return True
    if not narrow.glob or not wide.pattern.fullmatch(fitting_text(narrow.glob)):
        return False
    return not has_wildcard(narrow.glob) or (wide.glob != "" and glob_covers(wide.glob, narrow.glob))


def _fits_all(rule: Rule) -> bool:
    return set(rule.glob) == {"*"} or rule.pattern.pattern == ".*"

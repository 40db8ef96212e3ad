"""The published versions of the tariff: their texts as they stood in their files, and how each differs from another."""

from collections.abc import Iterator
from difflib import SequenceMatcher, unified_diff
from typing import Any, NamedTuple

from domain import times
from domain.billing.tariff import Tariff
from domain.events.codec import decode_operator_event
from domain.events.operator_events import TariffPublished
from domain.events.streams import TARIFFS
from domain.ledger import Ledger

SAME, ADDED, REMOVED, GAP = "same", "added", "removed", "gap"
CONTEXT_LINES = 3


class PublishedVersion(NamedTuple):
    """A published version: the position of its event in the log, the event, and the tariff read from its text."""

    position: int
    event: TariffPublished
    tariff: Tariff


class DiffLine(NamedTuple):
    """A line of a comparison: its kind (one of ``same``, ``added``, ``removed``, ``gap``), number in its own text, and text.

    A gap stands for lines that both texts have; its number is 0.
    """

    kind: str
    number: int
    text: str


def published_versions(ledger: Ledger) -> list[PublishedVersion]:
    """Return the published versions, in the order of the log."""
    books = ledger.billing_context()
    found = []
    for row in ledger.history(TARIFFS):
        event = decode_operator_event(row.topic, row.state)
        if isinstance(event, TariffPublished) and (tariff := books.tariff_version(event.version)):
            found.append(PublishedVersion(row.position, event, tariff))
    return found


def version_document(found: PublishedVersion) -> dict[str, Any]:
    """Return a version as JSON has it, without its text."""
    return {
        "version": found.event.version,
        "position": found.position,
        "published_at": times.iso(found.event.recorded_at),
        "by": found.event.by,
        "reason": found.event.reason,
        **tariff_facts(found.tariff),
    }


def tariff_facts(tariff: Tariff) -> dict[str, Any]:
    """Return how many rules a tariff has, from when on it is in effect (None: always), and its time zone."""
    return {
        "rules": len(tariff.rules),
        "effective_from": times.iso(tariff.since) if tariff.since else None,
        "timezone": tariff.timezone,
    }


def unified_text_diff(before: PublishedVersion, after: PublishedVersion) -> str:
    """Return how a version's text differs from another's, as `diff -u` shows it; empty if they are equal."""
    old, new = (each.event.text.split("\n") for each in (before, after))
    first, second = (f"version {each.event.version}" for each in (before, after))
    return "\n".join(unified_diff(old, new, first, second, lineterm="", n=CONTEXT_LINES))


def diff_lines(before: str, after: str) -> Iterator[DiffLine]:
    """Yield the lines that differ between two texts, with a few lines around them."""
    old, new = (text.removesuffix("\n").split("\n") for text in (before, after))
    for number, group in enumerate(SequenceMatcher(None, old, new).get_grouped_opcodes(CONTEXT_LINES)):
        if number:
            yield DiffLine(GAP, 0, "")
        for kind, first, last, new_first, new_last in group:
            if kind == "equal":
                yield from (DiffLine(SAME, place + 1, new[place]) for place in range(new_first, new_last))
                continue
            yield from (DiffLine(REMOVED, place + 1, old[place]) for place in range(first, last))
            yield from (DiffLine(ADDED, place + 1, new[place]) for place in range(new_first, new_last))

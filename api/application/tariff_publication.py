"""Publishing a tariff: what the next version would be, what it changes in the one before, and publishing it."""

from typing import Any, NamedTuple

from api.application.operator_commands import CHANGED, ChangedMeanwhile
from api.application.published_tariffs import (
    DiffLine,
    PublishedVersion,
    diff_lines,
    published_versions,
    tariff_facts,
)
from domain import times
from domain.billing.tariff import Tariff, parse_tariff
from domain.billing.tariff_notes import TariffNote, tariff_notes
from domain.ledger import Ledger
from domain.operators.author import Author

NAME = "the text"


class PublicationPreview(NamedTuple):
    """The next version of the tariff, the one before it (None: it is the first), and notes on its rules."""

    tariff: Tariff
    text: str
    before: PublishedVersion | None
    notes: list[TariffNote]

    @property
    def diff(self) -> list[DiffLine]:
        """The lines that it changes in the version before, with a few lines around them."""
        return list(diff_lines(self.before.event.text, self.text)) if self.before else []


class Publication(NamedTuple):
    """A version that was published, at a position of the log, and notes on its rules."""

    position: int
    tariff: Tariff
    notes: list[TariffNote]


def preview_publication(ledger: Ledger, by: str, reason: str, text: str, name: str = NAME) -> PublicationPreview:
    """Read a text as the next version of the tariff; nothing is written.

    ``name`` names the text in errors. Raises InvalidTariff, and CommandRejected for an author without a reason.
    """
    Author(by, reason).check()
    versions = published_versions(ledger)
    before = versions[-1] if versions else None
    version = before.event.version + 1 if before else 1
    tariff = parse_tariff(text, version, timezone=ledger.timezone, line_rule=ledger.line_rule, name=name)
    return PublicationPreview(tariff, text, before, tariff_notes(tariff, version - 1))


def publish_tariff(
    ledger: Ledger, by: str, reason: str, text: str, name: str = NAME, *, expected: int | None = None
) -> Publication:
    """Publish a text as the next version of the tariff, which prices the CDRs recorded after it.

    With ``expected``, the number that a preview named, it is published only as that version. Raises InvalidTariff,
    ChangedMeanwhile, CommandRejected, StoreUnavailable; then nothing was done.
    """
    parse_tariff(text, 0, timezone=ledger.timezone, line_rule=ledger.line_rule, name=name)
    with ledger.operator_session(by, reason) as session:
        position = session.publish_tariff(text)
        if expected is not None and session.appended[-1].version != expected:
            raise ChangedMeanwhile(CHANGED)
    published = next(each.tariff for each in ledger.billing_context().tariffs if each.position == position)
    return Publication(position, published, tariff_notes(published, published.version - 1))


def publication_document(found: PublicationPreview, position: int | None) -> dict[str, Any]:
    """Return the next version as JSON has it; ``position`` is that of its event, None where it is not published."""
    return {
        "dry_run": position is None,
        "position": position,
        "version": found.tariff.version,
        **tariff_facts(found.tariff),
        "notes": [note_document(each) for each in found.notes],
        "diff": [{"kind": line.kind, "line": line.number, "text": line.text} for line in found.diff],
    }


def note_document(found: TariffNote) -> dict[str, Any]:
    """Return a note on a rule as JSON has it."""
    until = times.iso(found.until) if found.until else None
    return {"line": found.line, "rule": found.rule, "until": until, "note": found.text}

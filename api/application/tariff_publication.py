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
from domain.amounts import plain
from domain.billing.charge_changes import ChargeChange, charge_changes
from domain.billing.tariff import Tariff, parse_tariff
from domain.billing.tariff_notes import TariffNote, tariff_notes
from domain.events.log_row import POSITION_MAX
from domain.ledger import Ledger
from domain.operators.author import Author

NAME = "the text"


class PublicationPreview(NamedTuple):
    """The next version of the tariff, the one before it (None: it is the first), notes on its rules, and whom it charges."""

    tariff: Tariff
    text: str
    before: PublishedVersion | None
    notes: list[TariffNote]
    charges: list[ChargeChange]

    @property
    def diff(self) -> list[DiffLine]:
        """The lines that it changes in the version before, with a few lines around them."""
        return list(diff_lines(self.before.event.text, self.text)) if self.before else []


class Publication(NamedTuple):
    """A version that was published, at a position of the log, notes on its rules, and whom it charges."""

    position: int
    tariff: Tariff
    notes: list[TariffNote]
    charges: list[ChargeChange]


def preview_publication(ledger: Ledger, by: str, reason: str, text: str, name: str = NAME) -> PublicationPreview:
    """Read a text as the next version of the tariff; nothing is written.

    ``name`` names the text in errors. Raises InvalidTariff, and CommandRejected for an author without a reason.
    """
    Author(by, reason).check()
    versions = published_versions(ledger)
    before = versions[-1] if versions else None
    version = before.event.version + 1 if before else 1
    tariff = parse_tariff(text, version, timezone=ledger.timezone, line_rule=ledger.line_rule, name=name)
    return PublicationPreview(tariff, text, before, tariff_notes(tariff, version - 1), _charges(ledger, tariff))


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
    notes = tariff_notes(published, published.version - 1)
    return Publication(position, published, notes, _charges(ledger, published))


def _charges(ledger: Ledger, tariff: Tariff) -> list[ChargeChange]:
    """Return whom a tariff charges, beside the version before it."""
    books = ledger.billing_context()
    earlier = [each.tariff for each in books.tariffs if each.tariff.version < tariff.version]
    return charge_changes(tariff.charges, earlier[-1].charges if earlier else {}, books.closed_through(POSITION_MAX))


def publication_document(found: PublicationPreview, position: int | None) -> dict[str, Any]:
    """Return the next version as JSON has it; ``position`` is that of its event, None where it is not published."""
    return {
        "dry_run": position is None,
        "position": position,
        "version": found.tariff.version,
        **tariff_facts(found.tariff),
        "notes": [note_document(each) for each in found.notes],
        "charges": [charge_change_document(each) for each in found.charges],
        "diff": [{"kind": line.kind, "line": line.number, "text": line.text} for line in found.diff],
    }


def note_document(found: TariffNote) -> dict[str, Any]:
    """Return a note on a rule as JSON has it."""
    until = times.iso(found.until) if found.until else None
    return {"line": found.line, "rule": found.rule, "until": until, "note": found.text}


def charge_change_document(found: ChargeChange) -> dict[str, Any]:
    """Return what an account is charged as JSON has it; amounts are exact decimals in US cents."""
    amounts = {name: plain(getattr(found, name)) for name in ("fee", "minimum", "fee_before", "minimum_before")}
    return {"account": found.account, "month": found.month} | amounts

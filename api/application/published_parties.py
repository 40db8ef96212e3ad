"""The published versions of the party file: read from their files, kept in the ledger, and looked up by version (SPEC 9.13)."""

from pathlib import Path
from typing import Any, NamedTuple

from api.application.invoices.document import PartyVersion
from domain import times
from domain.billing.party import InvalidParty, Party, parse_party
from domain.billing.party_record import PartyRecord, decode_party_record
from domain.billing.tariff_findings import TariffFinding
from domain.errors import LedgerError
from domain.events.codec import decode_operator_event
from domain.events.operator_events import PartyPublished
from domain.events.streams import PARTIES
from domain.ledger import Ledger

LOGO_BYTES_MAX = 64 * 1024
LOGO_TYPES = {b"\x89PNG\r\n\x1a\n": "image/png", b"\xff\xd8\xff": "image/jpeg"}


class PartyMissing(LedgerError):
    """A published party file is not in the ledger any more, or is not the one whose digest the log has."""


class PartyEntry(NamedTuple):
    """A published version: the position of its event in the log, and the event."""

    position: int
    event: PartyPublished


def read_party_file(file: Path) -> tuple[Party, PartyRecord]:
    """Read a party file and the logo next to it; raises InvalidParty with file, line, key and what was expected."""
    content = file.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        found = TariffFinding(line, "the file", repr(content[error.start : error.end]), "UTF-8")
        raise InvalidParty(str(file), [found]) from error
    party = parse_party(text, str(file))
    if not party.sender.logo:
        return party, PartyRecord.of_text(text)
    logo, media_type = _read_logo(file, text, party.sender.logo)
    return party, PartyRecord.of_text(text, logo, media_type)


def _read_logo(file: Path, text: str, name: str) -> tuple[bytes, str]:
    path = file.parent / name
    line = next((number for number, each in enumerate(text.split("\n"), 1) if each.lstrip().startswith("logo")), 1)
    try:
        with path.open("rb") as opened:
            logo = opened.read(LOGO_BYTES_MAX + 1)
    except OSError as error:
        raise _unfit_logo(file, line, name, f"a file that can be read ({error.strerror})") from error
    if len(logo) > LOGO_BYTES_MAX:
        raise _unfit_logo(file, line, name, f"a file of at most {LOGO_BYTES_MAX} bytes")
    for begin, media_type in LOGO_TYPES.items():
        if logo.startswith(begin):
            return logo, media_type
    raise _unfit_logo(file, line, name, "a PNG or JPEG image")


def _unfit_logo(file: Path, line: int, name: str, expected: str) -> InvalidParty:
    return InvalidParty(str(file), [TariffFinding(line, "sender.logo", f'"{name}"', expected)])


def published_parties(ledger: Ledger) -> list[PartyEntry]:
    """Return the published versions, in order."""
    found = ((row.position, decode_operator_event(row.topic, row.state)) for row in ledger.history(PARTIES))
    return [PartyEntry(position, event) for position, event in found if isinstance(event, PartyPublished)]


def latest_party(ledger: Ledger) -> PartyVersion:
    """Return the latest published party file; version 0 if there is none."""
    published = published_parties(ledger)
    return load_party(ledger, published[-1].event.version) if published else PartyVersion()


def load_party(ledger: Ledger, version: int) -> PartyVersion:
    """Return a published party file by its version, 0 for none.

    Raises PartyMissing if its content was erased, or does not have the digest that the log has.
    """
    if version == 0:
        return PartyVersion()
    entry = next((each for each in published_parties(ledger) if each.event.version == version), None)
    if entry is None:
        msg = f"there is no party version {version}; `tringledger party list` shows the published versions"
        raise PartyMissing(msg)
    kept = ledger.store.facts().get(PartyRecord.fact_name(version))
    record = decode_party_record(kept) if kept else None
    if record is None or record.digest != entry.event.digest:
        what = "was erased" if record is None else "is not the one that was published"
        msg = f"the content of party version {version} {what}; expected that of the event at position {entry.position}"
        raise PartyMissing(msg)
    return PartyVersion(version, parse_party(record.text), record)


def party_document(entry: PartyEntry) -> dict[str, Any]:
    """Return a version as JSON has it, without its text."""
    return {
        "version": entry.event.version,
        "position": entry.position,
        "published_at": times.iso(entry.event.recorded_at),
        "by": entry.event.by,
        "reason": entry.event.reason,
    }

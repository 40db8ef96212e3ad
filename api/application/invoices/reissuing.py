"""Reissues: a numbered document with corrected names and addresses, under the same number (SPEC 9.13).

What was numbered stays as it is. A reissue has the same number, dates, lines and amounts; who sends it and to whom, the language and the text
of the terms are those of the latest party file. It has an event and a digest of its own.
"""

from api.application.invoices.document import Document, PartyVersion, encode_document, named_parties
from api.application.invoices.numbering import NumberedDocuments, PrintedDocument, check_digest
from api.application.invoices.oddities import lacks_party
from domain import times
from domain.errors import CommandRejected
from domain.events.operator_events import StatementReissued
from domain.operators.session import OperatorSession

# The form never changes: a later one has another name.
FORM = "reissue/1"
CORRECTED = ("language", "sender", "customer", "terms")


def make_reissue(original: PrintedDocument, used: PartyVersion, ordinal: int, at: int) -> Document:
    """Return a document in the form ``reissue/1``: that of ``statement/1`` with corrected parties, and what it is a reissue of."""
    document, event = original.document, original.event
    assert event is not None
    nonce = used.record.nonce(f"{event.number} {ordinal}") if used.record else None
    return {
        **document,
        **named_parties(document["account"], used),
        "form": FORM,
        "nonce": nonce,
        "reissue": ordinal,
        "reissued_at": times.iso(at),
        "original_digest": event.digest,
    }


def last_print(original: PrintedDocument, numbered: NumberedDocuments) -> PrintedDocument:
    """Return the last reissue of a numbered document, or the document itself if it has none; raises DocumentDiffers, PartyMissing."""
    assert original.event is not None
    reissues = numbered.known.reissues_of(original.event.number)
    return _print_reissue(original, reissues[-1], numbered) if reissues else original


def _print_reissue(original: PrintedDocument, event: StatementReissued, numbered: NumberedDocuments) -> PrintedDocument:
    used = numbered.party(event.party)
    document = make_reissue(original, used, event.ordinal, event.recorded_at)
    content = encode_document(document)
    check_digest(content, event, FORM)
    return PrintedDocument(document, content, original.event, used)


def check_reissue(last: PrintedDocument, used: PartyVersion) -> None:
    """Raise CommandRejected where a reissue would have no customer, or would say what the ``last`` print says."""
    account = last.document["account"]
    if lacks_party(used, account):
        msg = f"the latest party file has no [[customers]] for {account!r}; expected one with the corrected name and address"
        raise CommandRejected(msg)
    corrected = named_parties(account, used)
    if all(last.document[name] == corrected[name] for name in CORRECTED):
        msg = (
            f"{last.document['number']} was last printed with what the latest party file, version {used.version}, says; expected a later"
            " version with the corrected name or address"
        )
        raise CommandRejected(msg)


def reissue(session: OperatorSession, original: PrintedDocument, used: PartyVersion) -> PrintedDocument:
    """Record the reissue of a numbered document, and return it."""
    assert original.event is not None

    def write(ordinal: int, at: int) -> bytes:
        return encode_document(make_reissue(original, used, ordinal, at))

    event = session.reissue_document(original.event.number, used.version, FORM, write)
    document = make_reissue(original, used, event.ordinal, event.recorded_at)
    return PrintedDocument(document, encode_document(document), original.event, used)

"""A customer's statement as JSON, form ``statement/1``: what its number's digest is of, and what all other formats show.

The form never changes: a later one has another name. Amounts are texts: ``amount`` in US dollars with two places, ``cents`` in exact
US cents.
"""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, NamedTuple

import msgspec

from api.application.invoices.dollars import dollars, exact_cents, rounding_to, whole_cents
from domain import times
from domain.amounts import plain
from domain.billing.party import Customer, Party
from domain.billing.party_record import PartyRecord
from domain.events.operator_events import CREDIT_NOTE, DEBIT_NOTE, STATEMENT, StatementNumbered
from projections.queries.customer_lines import BilledCall, CustomerLine, CustomerMonth
from projections.rows.entry import CDR, DIFFERENCE

FORM = "statement/1"
CALLS, ROUNDING = "calls", "rounding"
ISSUED, CLOSED, DRAFT = "issued", "closed", "draft"

Document = dict[str, Any]


class PartyVersion(NamedTuple):
    """A published party file: its version, its content and how it is kept; 0 and None without one."""

    version: int = 0
    party: Party | None = None
    record: PartyRecord | None = None


class Issue(NamedTuple):
    """A document's kind, number and time of issue (microseconds, UTC); without number, ``state`` is closed or draft."""

    kind: str = STATEMENT
    number: str = ""
    at: int = 0
    state: str = ISSUED
    corrects: str = ""
    original_period: str = ""


class DocumentLine(NamedTuple):
    """A line of a document before it is rounded: see CustomerLine; ``number`` and ``corrects`` are those of a note."""

    kind: str
    price: int
    day: str = ""
    original_period: str = ""
    text: str = ""
    calls: int | None = None
    billed_seconds: int | None = None
    sip_credits: int = 0
    number: str = ""
    corrects: str = ""


def statement_lines(month: CustomerMonth, notes: Iterable[StatementNumbered]) -> list[DocumentLine]:
    """Return a statement's lines; each note takes the place of the changes that it documents."""
    by_month = {note.original_period: note for note in notes}
    return [line for each in month.lines if (line := _line(each, by_month.get(each.original_period)))]


def _line(line: CustomerLine, note: StatementNumbered | None) -> DocumentLine | None:
    late = line.original_period
    if line.kind == CDR:
        return DocumentLine(CALLS, line.price, line.day, late, "", line.calls, line.billed_seconds, line.sip_credits)
    if line.kind == DIFFERENCE and note:
        return DocumentLine(note.kind, line.price, "", late, number=note.number, corrects=note.corrects)
    if line.kind == DIFFERENCE and not line.price:
        return None
    return DocumentLine(line.kind, line.price, line.day, late, line.text)


def note_line(line: CustomerLine) -> DocumentLine:
    """Return the one line of a note: the changes to a month."""
    return DocumentLine(DIFFERENCE, line.price, "", line.original_period)


def note_kind(price: int) -> str:
    """Return the kind of a note by its amount: a credit note below 0."""
    return CREDIT_NOTE if price < 0 else DEBIT_NOTE


def make_document(month: CustomerMonth, lines: list[DocumentLine], issue: Issue, used: PartyVersion) -> Document:
    """Return a document in the form ``statement/1``; ``month.exact`` is what it comes to."""
    due = whole_cents(month.exact)
    shown = [_line_document(line, whole_cents(line.price)) for line in lines]
    rounding, missing = rounding_to(due, (line.price for line in lines))
    if rounding or missing:
        shown.append(_line_document(DocumentLine(ROUNDING, rounding), missing))
    issued_on = times.to_datetime(issue.at).date() if issue.at else None
    days = used.party.days_for(month.account) if used.party else None
    return {
        "form": FORM,
        "kind": issue.kind,
        "state": issue.state,
        "number": issue.number or None,
        "corrects": issue.corrects or None,
        "original_period": issue.original_period or None,
        "account": month.account,
        "period": month.period,
        "issued_at": times.iso(issue.at) if issue.at else None,
        "due_by": (issued_on + timedelta(days=days)).isoformat() if issued_on and days is not None else None,
        **named_parties(month.account, used),
        "currency": "USD",
        "lines": shown,
        "exact_cents": exact_cents(month.exact),
        "due": dollars(due),
        "nonce": used.record.nonce(issue.number) if used.record and issue.number else None,
    }


def _line_document(line: DocumentLine, cents: int) -> Document:
    return {
        "kind": line.kind,
        "day": line.day or None,
        "original_period": line.original_period or None,
        "text": line.text or None,
        "number": line.number or None,
        "corrects": line.corrects or None,
        "calls": line.calls,
        "billed_seconds": line.billed_seconds,
        "sip_credits": plain(line.sip_credits) if line.sip_credits else None,
        "cents": exact_cents(line.price),
        "amount": dollars(cents),
    }


def named_parties(account: str, used: PartyVersion) -> Document:
    """Return the sender, the customer, the terms and the language, as the party file names them."""
    customer = used.party.customers.get(account) if used.party else None
    if used.party is None:
        return {"party": None, "language": "en", "sender": None, "customer": _customer(account, None), "terms": None}
    sender = used.party.sender
    language = (customer.language if customer else "") or sender.language
    return {
        "party": used.version,
        "language": language,
        "sender": {
            "name": sender.name,
            "address": list(sender.address),
            "contact": list(sender.contact),
            "registration": list(sender.registration),
        },
        "customer": _customer(account, customer),
        "terms": used.party.terms.get(language),
    }


def _customer(account: str, customer: Customer | None) -> Document:
    if customer is None:
        return {"name": account, "address": [], "reference": None}
    return {"name": customer.name, "address": list(customer.address), "reference": customer.reference or None}


def encode_document(document: Document) -> bytes:
    """Return a document as the JSON whose SHA-256 its number keeps."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n"


MonthCalls = list[Document]


def call_documents(calls: Iterable[BilledCall]) -> MonthCalls:
    """Return the list of calls, in exact cents."""
    return [
        {
            "cdr_at": times.iso(call.at),
            "tag": call.tag,
            "src": call.src,
            "billed_seconds": call.billed_seconds,
            "cents": exact_cents(call.price),
        }
        for call in calls
    ]

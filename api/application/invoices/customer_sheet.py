"""A customer's statement in words: what HTML and PDF show of its JSON, in one language."""

from typing import Any, NamedTuple

from api.application.invoices.document import CALLS, DRAFT, ISSUED, ROUNDING, Document
from api.application.invoices.words import Words, words_of
from domain.events.operator_events import CREDIT_NOTE, DEBIT_NOTE, STATEMENT
from projections.rows.entry import ADJUSTMENT, DIFFERENCE

TITLES = {STATEMENT: "Statement", CREDIT_NOTE: "Credit note", DEBIT_NOTE: "Debit note"}
NOTHING = "0.00"
JOINERS = "\u200c\u200d"  # Words of some scripts have them.
UNNAMED_FEE = "monthly fee"
RULE = (
    "Each amount is rounded to a cent, half away from zero. The line “Rounding” has what is missing to the amount due,"
    " which is the exact amount rounded in the same way."
)

REISSUED = "Reissue of {number}: in place of the earlier print. Number, date and amounts are the same."


class Described(NamedTuple):
    """What a line is about: words, a code that is never broken, and more words."""

    words: str
    code: str = ""
    more: str = ""

    @property
    def text(self) -> str:
        """All of it as one text."""
        return f"{self.words} {self.code}{self.more}" if self.code else self.words


class SheetRow(NamedTuple):
    """A line: its day, what it is about, and its numbers in the order of the headings."""

    day: str
    about: Described
    numbers: list[str]


class CallsTable(NamedTuple):
    """The list of calls: a title, headings, and cells."""

    title: str
    headings: list[str]
    rows: list[list[str]]


class CustomerSheet(NamedTuple):
    """A document as texts; ``facts`` are its number, dates and references with their labels."""

    language: str
    title: str
    warning: str
    sender: list[str]
    sender_more: list[str]
    customer: list[str]
    facts: list[tuple[str, str]]
    headings: list[str]
    rows: list[SheetRow]
    due: tuple[str, str]
    notes: list[str]
    calls: CallsTable | None


def customer_sheet(document: Document, calls: list[Document] | None, language: str, *, cents: bool) -> CustomerSheet:
    """Return a document in words; ``cents`` adds the column of exact cents, ``calls`` the list of calls."""
    say = words_of(language)
    sender, customer = document["sender"], document["customer"]
    has_credits = any(line["sip_credits"] for line in document["lines"])
    lines = [line for line in document["lines"] if cents or line["kind"] != ROUNDING or line["amount"] != NOTHING]
    rounded = any(line["kind"] == ROUNDING for line in lines)
    return CustomerSheet(
        language,
        say(TITLES[document["kind"]]),
        _warning(document, say),
        [sender["name"], *sender["address"]] if sender else [],
        [*sender["contact"], *sender["registration"]] if sender else [],
        [visible(customer["name"]), *customer["address"]],
        _facts(document, say),
        _headings(say, has_credits=has_credits, cents=cents),
        [_row(line, say, has_credits=has_credits, cents=cents) for line in lines],
        (say("Amount due in US dollars"), say.dollars(document["due"])),
        [*filter(None, [document["terms"]]), *([say(RULE)] if rounded else [])],
        None if calls is None else _calls(calls, say),
    )


def visible(text: str) -> str:
    """Return a text whose unprintable letters are written as U+ and their number: those that turn the reading order make another code of it."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() or letter in JOINERS else f"U+{ord(letter):04X}" for letter in text)


def _warning(document: Document, say: Words) -> str:
    if document.get("reissue"):
        return say(REISSUED, number=document["number"])
    if document["state"] == ISSUED:
        return ""
    if document["state"] == DRAFT:
        return say("Draft: the month is not closed, and what is still to come may change it.")
    return say("This statement has no number yet.")


def _facts(document: Document, say: Words) -> list[tuple[str, str]]:
    facts = [
        (say("Number"), document["number"]),
        (say("Corrects"), document["corrects"]),
        (say("Correction of"), document["original_period"] and say.month(document["original_period"])),
        (say("Month"), say.month(document["period"])),
        (say("Date"), document["issued_at"] and say.day(document["issued_at"])),
        (say("Reissued"), document.get("reissued_at") and say.day(document["reissued_at"])),
        (say("Due by"), document["due_by"] and say.day(document["due_by"])),
        (say("Account"), visible(document["account"])),
        (say("Your reference"), document["customer"]["reference"]),
    ]
    return [(label, text) for label, text in facts if text]


def _headings(say: Words, *, has_credits: bool, cents: bool) -> list[str]:
    more = [say("SIP credits")] if has_credits else []
    exact = [say("Exact US cents")] if cents else []
    return [say("Day"), say("Description"), say("Calls"), say("Seconds"), *more, *exact, say("US dollars")]


def _row(line: Document, say: Words, *, has_credits: bool, cents: bool) -> SheetRow:
    numbers = ["" if line[name] is None else say.count(line[name]) for name in ("calls", "billed_seconds")]
    if has_credits:
        numbers.append(say.exact(line["sip_credits"]) if line["sip_credits"] else "")
    if cents:
        numbers.append(say.exact(line["cents"]))
    return SheetRow(
        say.day(line["day"]) if line["day"] else "", _about(line, say), [*numbers, say.dollars(line["amount"])]
    )


def _about(line: Document, say: Words) -> Described:
    kind, month = line["kind"], line["original_period"] and say.month(line["original_period"])
    if kind == CALLS:
        return Described(say("Calls of {month}, received late", month=month) if month else say("Calls"))
    if kind in TITLES:
        return Described(say(TITLES[kind]), line["number"], f", {month}")
    if kind == DIFFERENCE:
        return Described(say("Changes to {month}", month=month) if month else say("Changes"))
    own = {ADJUSTMENT: "Adjustment", ROUNDING: "Rounding", "minimum": "Minimum spend", "fee": "Monthly fee"}
    text = line["text"] if line["text"] != UNNAMED_FEE else ""
    return Described(visible(text) if text else say(own.get(kind, "Other")))


def _calls(calls: list[Document], say: Words) -> CallsTable:
    headings = [say("Time (UTC)"), say("Tag"), say("From"), say("Seconds"), say("Exact US cents")]
    return CallsTable(say("Calls"), headings, [_call(call, say) for call in calls])


def _call(call: dict[str, Any], say: Words) -> list[str]:
    at = f"{call['cdr_at'][:10]} {call['cdr_at'][11:19]}"
    return [at, visible(call["tag"]), visible(call["src"]), say.count(call["billed_seconds"]), say.exact(call["cents"])]

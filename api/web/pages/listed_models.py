"""The lists that pages show: of each its filters, its columns, and those of them that it shows unless others are chosen.

The columns that are shown by themselves fit a window of 1440 pixels, with money and flags in sight; ``cols=`` in the address
names others.
"""

from collections.abc import Sequence
from typing import NamedTuple

from domain.events.operator_events import OPERATOR_EVENTS as TOPICS
from projections.queries.time_points import SelectionError
from projections.rows.entry import ADJUSTMENT, DIFFERENCE

COLS = "cols"


class ListedModel(NamedTuple):
    """A list: its read model, title, filters, its columns with their headings, and those that it leaves out by itself."""

    model: str
    title: str
    about: str
    has: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    left_out: tuple[str, ...] = ()
    name: str = ""
    kinds: tuple[str, ...] = ()

    @property
    def path(self) -> str:
        """Its path: by default that of the read model's name."""
        return f"/{self.name or self.model}"

    @property
    def default(self) -> tuple[str, ...]:
        """The columns that it shows by itself."""
        return tuple(name for name, _ in self.columns if name not in self.left_out)

    def chosen_columns(self, given: Sequence[str]) -> list[tuple[str, str]]:
        """Return the columns that an address names, in its order, with their headings; without any the default ones.

        Raises SelectionError for a column that it does not have.
        """
        headings = dict(self.columns)
        names = [name for text in given for name in text.split(",") if name]
        if unknown := [name for name in names if name not in headings]:
            msg = f"{self.model} have no column {unknown[0]!r}: expected some of {', '.join(headings)}"
            raise SelectionError(msg)
        return [(name, headings[name]) for name in dict.fromkeys(names or self.default)]

    def written(self, shown: Sequence[tuple[str, str]]) -> str:
        """Return what stands in an address for these columns: nothing for the default ones."""
        names = tuple(name for name, _ in shown)
        return "" if names == self.default else ",".join(names)


CALLS = ListedModel(
    "calls",
    "Calls",
    "Every call, ended or in progress.",
    ("from", "tag", "number", "state", "disposition", "flag", "waiting", "asof"),
    (
        ("opened_at", "Opened"),
        ("call_id", "Call"),
        ("tag", "Tag"),
        ("src", "Number"),
        ("disposition", "Disposition"),
        ("status", "Status"),
        ("statuses", "Statuses"),
        ("answered_at", "Answered"),
        ("ended_at", "Ended"),
        ("last_at", "Last event"),
        ("events", "Events"),
        ("digits", "Digits"),
        ("has_cdr", "CDR"),
        ("flags", "Flags"),
        ("position", "Position"),
    ),
    ("statuses", "answered_at", "last_at", "digits", "position"),
)
CDRS = ListedModel(
    "cdrs",
    "CDRs",
    "The ledger: one row for each call that was charged.",
    ("from", "period", "tag", "account", "number", "disposition", "flag", "asof"),
    (
        ("cdr_at", "CDR at"),
        ("call_id", "Call"),
        ("tag", "Tag"),
        ("src", "Number"),
        ("disposition", "Disposition"),
        ("status", "Status"),
        ("opened_at", "Opened"),
        ("answered_at", "Answered"),
        ("src_duration", "Source"),
        ("dest_duration", "Destination"),
        ("src_charge", "Source charge"),
        ("dest_charge", "Destination charge"),
        ("src_sip_charge", "Source SIP"),
        ("dest_sip_charge", "Destination SIP"),
        ("cost", "Cost"),
        ("sip_credits", "SIP credits"),
        ("account", "Account"),
        ("tariff", "Tariff"),
        ("billed_seconds", "Billed"),
        ("price", "Price"),
        ("margin", "Margin"),
        ("period", "Month"),
        ("position", "Position"),
        ("flags", "Flags"),
    ),
    (
        *("status", "opened_at", "answered_at", "src_duration", "src_charge", "dest_charge", "src_sip_charge"),
        *("dest_sip_charge", "sip_credits", "tariff", "billed_seconds", "period", "position"),
    ),
)
VOICEMAILS = ListedModel(
    "voicemails",
    "Voicemails",
    "Voicemail messages of callers.",
    ("from", "tag", "number", "asof"),
    (
        ("received_at", "Received"),
        ("email", "Mailbox"),
        ("voicemail", "Message"),
        ("tag", "Tag"),
        ("src", "Number"),
        ("position", "Position"),
    ),
)
CHANNELS = ListedModel(
    "channels",
    "Channels",
    "Notices that a channel was deleted.",
    ("from", "tag", "number", "asof"),
    (("received_at", "Received"), ("src", "Number"), ("tag", "Tag"), ("position", "Position")),
)
POSTINGS = ListedModel(
    "postings",
    "Postings",
    "What was posted besides CDRs: differences to closed months, and adjustments.",
    ("from", "period", "account", "tag", "kind", "asof"),
    (
        ("position", "Position"),
        ("kind", "What"),
        ("day", "Day"),
        ("period", "Month"),
        ("original_period", "Of month"),
        ("account", "Account"),
        ("tag", "Tag"),
        ("call_id", "Call"),
        ("cost", "Cost"),
        ("sip_credits", "SIP credits"),
        ("price", "Price"),
        ("margin", "Margin"),
        ("posted_by", "By"),
        ("reason", "Reason"),
    ),
    ("period", "tag", "sip_credits"),
    kinds=(ADJUSTMENT, DIFFERENCE),
)
OPERATOR_EVENTS = ListedModel(
    "operator-events",
    "What operators did",
    "Who did what, when and why, on what, and how much money it moved.",
    ("from", "kind", "who", "account", "why", "asof"),
    (
        ("position", "Position"),
        ("recorded_at", "Recorded"),
        ("kind", "What"),
        ("about", "About"),
        ("done_by", "By"),
        ("reason", "Reason"),
        ("account", "Account"),
        ("call_id", "Call"),
        ("moved", "Money moved"),
        ("reverses", "Undone"),
    ),
    name="events",
    # As the column `kind` of operator events has them.
    kinds=tuple(sorted(topic.partition(":")[2] for topic in TOPICS)),
)
LISTS = {each.model: each for each in (CALLS, CDRS, VOICEMAILS, CHANNELS, POSTINGS, OPERATOR_EVENTS)}

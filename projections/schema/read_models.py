"""The read models: what each is called, where it is kept, and how it is filtered, sorted, counted and summed (SPEC 7).

This is the one list of them. To add a read model, declare its table and its ReadModel in a file of its own, add it to
READ_MODELS, and make its rows in ``projections/rows``; exports, frames, pages, the JSON API, rebuilds and the reference
follow from the declaration.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from sqlalchemy import Table

from projections.rows.calls import CallRow
from projections.rows.cdrs import CdrRow
from projections.rows.entry import Entry
from projections.rows.exceptions import ExceptionRow, ResolutionRow
from projections.rows.operator_events import ClosingRow, OperatorEventRow, TariffRow
from projections.rows.voicemails_and_channels import ChannelRow, VoicemailRow
from projections.schema import tables
from projections.schema.indexes import CALL_INDEXES, CDR_INDEXES, Index
from projections.schema.tables import METADATA, TOTALS


class ReadModel(NamedTuple):
    """A read model, declared.

    ``row`` is the class of its rows, where ``projections/rows`` makes them; other read models are sums or views of those.
    ``time_column`` holds the time by which rows are filtered (microseconds, UTC); ``date_column`` holds it for models that
    have days or months instead. ``order`` is the order of exports, unique for each row; ``sorts`` are the columns by which
    pages may be sorted, the usual one first; ``facets`` the columns whose values are counted; ``summed`` the columns that
    are summed up. ``meanings`` describes columns that mean something else here than in the other tables.
    """

    name: str
    table: Table
    description: str
    sorts: tuple[str, ...]
    row: type | None = None
    time_column: str = ""
    date_column: str = ""
    order: tuple[str, ...] = ("position",)
    file_sorts: tuple[str, ...] = ()
    """The columns by which files may be sorted besides: no page is cut in their order."""
    facets: tuple[str, ...] = ()
    summed: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    meanings: Mapping[str, str] = MappingProxyType({})
    has_line_numbers: bool = False
    """Whether ``src`` is the number of a line, without what people write between digits."""

    @property
    def is_stored(self) -> bool:
        """Whether it has a table of its own; a view does not."""
        return self.table.metadata is METADATA


CALLS = ReadModel(
    "calls",
    tables.CALLS,
    "The calls, live and ended.",
    row=CallRow,
    time_column="opened_at",
    sorts=("opened_at", "position"),
    facets=("tag", "state", "disposition", "flags"),
    summed=("events",),
    has_line_numbers=True,
    indexes=CALL_INDEXES,
    meanings={
        "position": "The position of the call's first event in the log.",
        "src": "The phone number of the call's line, without separators.",
    },
)

CDRS = ReadModel(
    "cdrs",
    tables.CDRS,
    "The ledger: the calls that have their CDR.",
    row=CdrRow,
    time_column="cdr_at",
    order=("position", "call_id"),
    sorts=("cdr_at", "position", "price", "cost", "margin", "src_duration", "dest_duration"),
    facets=("tag", "account", "disposition", "flags"),
    summed=("src_duration", "dest_duration", "cost", "sip_credits", "billed_seconds", "price", "margin"),
    has_line_numbers=True,
    indexes=CDR_INDEXES,
    meanings={
        "position": "The position of the CDR's event in the log.",
        "period": "The month `YYYY-MM` of `cdr_at` in the billing time zone of the account.",
        "src": "The phone number of the call's line, without separators; the CDR's own under correlation by tag.",
    },
)

BILLING = ReadModel(
    "billing",
    tables.BILLING,
    "What each account's calls cost, by month.",
    date_column="period",
    order=("account", "period"),
    sorts=("account", "period"),
    file_sorts=("price",),
    facets=("account",),
    summed=TOTALS,
)

BILLING_DAYS = ReadModel(
    "billing-days",
    tables.BILLING_DAYS,
    "What each account's calls cost, by day.",
    date_column="day",
    order=("account", "day"),
    sorts=("account", "day"),
    facets=("account",),
    summed=TOTALS,
)

VOICEMAILS = ReadModel(
    "voicemails",
    tables.VOICEMAILS,
    "The voicemails.",
    row=VoicemailRow,
    time_column="received_at",
    sorts=("received_at", "position"),
    facets=("tag",),
)

CHANNELS = ReadModel(
    "channels",
    tables.CHANNELS,
    "The channels that expired.",
    row=ChannelRow,
    time_column="received_at",
    sorts=("received_at", "position"),
    facets=("tag",),
)

EXCEPTIONS = ReadModel(
    "exceptions",
    tables.EXCEPTIONS,
    "Every flag, with the notice that raised it and the money at stake.",
    row=ExceptionRow,
    time_column="received_at",
    order=("position", "flag"),
    sorts=("position", "flag"),
    facets=("flag", "tag"),
    indexes=(Index("exceptions_by_position", "position, flag"),),
    meanings={
        "cost": "The money at stake, in US cents; empty if none is.",
        "position": "The position of the notice that raised the flag.",
        "sip_credits": "The SIP credits at stake; empty if none are.",
    },
)

RESOLUTIONS = ReadModel(
    "resolutions",
    tables.RESOLUTIONS,
    "The exceptions of calls, and the suspects, that operators resolved.",
    row=ResolutionRow,
    time_column="resolved_at",
    order=("position", "flag"),
    sorts=("position", "flag"),
    facets=("flag",),
    meanings={
        "flag": "The flag, or `suspect`.",
        "position": "The position of the notice that raised the flag; of a suspect's CDR.",
        "resolution": "Why the exception was resolved.",
        "resolved_by": "The operator who resolved the exception.",
    },
)

POSTINGS = ReadModel(
    "postings",
    tables.POSTINGS,
    "Postings besides CDRs: differences to closed months, adjustments, and fees and minimums of closed months.",
    row=Entry,
    date_column="day",
    order=("position", "number"),
    sorts=("position",),
    facets=("kind", "account"),
    summed=(*TOTALS, "rounding"),
)

CLOSINGS = ReadModel(
    "closings",
    tables.CLOSINGS,
    "The months that are closed.",
    row=ClosingRow,
    time_column="closed_at",
    sorts=("period",),
    meanings={"period": "The month `YYYY-MM` that was closed."},
)

TARIFFS = ReadModel(
    "tariffs",
    tables.TARIFFS,
    "The tariffs that were published.",
    row=TariffRow,
    time_column="published_at",
    sorts=("version",),
)

OPERATOR_EVENTS = ReadModel(
    "operator-events",
    tables.OPERATOR_EVENTS,
    "What operators did: who, when, why, on what, and how much money it moved.",
    row=OperatorEventRow,
    time_column="recorded_at",
    sorts=("position", "recorded_at"),
    facets=("kind", "done_by", "account"),
    summed=("moved",),
    indexes=(
        Index("operator_events_by_time", "recorded_at, position"),
        Index("operator_events_by_operator", "done_by, position"),
        Index("operator_events_by_account", "account, position"),
        Index("operator_events_by_call", "call_id, position"),
    ),
    meanings={
        "account": "The account whose bill it changed; empty if none.",
        "kind": "What was done, such as `call-voided` or `month-closed`.",
        "reason": "The reason that the operator gave.",
    },
)

ENTRIES = ReadModel(
    "entries",
    tables.ENTRIES,
    "All entries of the books, CDRs and postings: billing is their sum.",
    row=Entry,
    date_column="day",
    order=("position", "number", "call_id"),
    sorts=("position",),
    file_sorts=("price", "cost", "margin"),
    facets=("kind", "account", "tag", "disposition"),
    summed=(*TOTALS, "rounding"),
)

READ_MODELS = (
    CALLS,
    CDRS,
    BILLING,
    BILLING_DAYS,
    VOICEMAILS,
    CHANNELS,
    EXCEPTIONS,
    RESOLUTIONS,
    POSTINGS,
    CLOSINGS,
    TARIFFS,
    OPERATOR_EVENTS,
    ENTRIES,
)
BY_NAME = {model.name: model for model in READ_MODELS}
TABLES = {model.name: model.table for model in READ_MODELS}
STORED_TABLES = {model.name: model.table for model in READ_MODELS if model.is_stored}

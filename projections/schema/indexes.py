"""The indexes by which calls and CDRs are browsed.

Each one slows every page of events down a little, and so does each column that an index carries.
"""

from typing import NamedTuple

IN_PROGRESS_ONLY, FLAGGED_ONLY, NO_CDR_ONLY = "state = 'in-progress'", "flags <> ''", "has_cdr = 0"

# By what CDRs are sorted besides their time.
_SORTED = "price, cost, margin, src_duration, dest_duration"
# With the disposition, the filter that goes with others most.
_SORTED_AND_DISPOSITION = f"{_SORTED}, disposition"


class Index(NamedTuple):
    """An index by which a read model is browsed: its name, its columns, and the condition of the rows that it holds.

    SQLite keeps the columns ``carried`` in it besides, to sort by them without the table. ``unique`` allows no equal rows.
    """

    name: str
    columns: str
    where: str = ""
    carried: str = ""
    unique: bool = False


CALL_INDEXES = (
    Index("calls_by_id", "call_id", unique=True),
    Index("calls_by_time", "opened_at"),
    Index("calls_by_tag", "tag, opened_at"),
    Index("calls_by_account", "account, opened_at"),
    Index("calls_by_src", "src, opened_at"),
    Index("calls_by_ending", "substr(src, -4), src"),
    Index("calls_by_disposition", "disposition, opened_at"),
    Index("calls_by_period", "period, opened_at"),
    Index("calls_flagged", "opened_at, flags", FLAGGED_ONLY),
    Index("calls_in_progress", "opened_at", IN_PROGRESS_ONLY),
    # Has all that counting overdue calls reads, so that it never looks at the table.
    Index(
        "calls_waiting",
        "last_at, state, status, answered_at, has_cdr",
        NO_CDR_ONLY,
        carried="opened_at, disposition",
    ),
)

CDR_INDEXES = (
    Index("cdrs_by_id", "call_id", unique=True),
    # Has all that is summed up: spans that begin or end within a month are, by their rows.
    Index("cdrs_by_time", "cdr_at, position, call_id", carried=f"{_SORTED}, sip_credits, billed_seconds"),
    Index("cdrs_by_tag", "tag, cdr_at, position, call_id", carried=_SORTED_AND_DISPOSITION),
    Index("cdrs_by_account", "account, cdr_at, position, call_id"),
    Index("cdrs_by_account_and_period", "account, period, cdr_at, position, call_id", "", f"{_SORTED}, disposition"),
    Index("cdrs_by_src", "src, cdr_at, position, call_id"),
    Index("cdrs_by_disposition", "disposition, cdr_at, position, call_id", carried=_SORTED),
    Index("cdrs_by_period", "period, cdr_at, position, call_id", carried=_SORTED_AND_DISPOSITION),
    Index("cdrs_by_price", "price, position, call_id", carried="disposition"),
    Index("cdrs_by_cost", "cost, position, call_id", carried="disposition"),
    Index("cdrs_by_margin", "margin, position, call_id", carried="disposition"),
    Index("cdrs_by_src_duration", "coalesce(src_duration, -1), position, call_id", carried="disposition, src_duration"),
    Index(
        "cdrs_by_dest_duration",
        "coalesce(dest_duration, -1), position, call_id",
        carried="disposition, dest_duration",
    ),
    Index("cdrs_flagged", "cdr_at, position, call_id, flags", FLAGGED_ONLY, _SORTED_AND_DISPOSITION),
)

"""What the demo shows: the calls that moved last, and the billing table as it fills."""

from typing import Any

from rich.table import Table
from sqlalchemy import func, select

from domain import amounts, times
from projections.schema.tables import BILLING, CALLS
from projections.stores.generations import ReadStore

CALLS_SHOWN = 10
PLAIN: dict[str, Any] = {"box": None, "title_justify": "left", "caption_justify": "left", "padding": (0, 2, 0, 0)}


def view(store: ReadStore) -> tuple[Table, Table]:
    """Return the tables of the latest calls and of billing, as the read models are now."""
    calls = Table(
        "started", "tag", "number", "state", "disposition", "status", "digits", "flags", title="Calls", **PLAIN
    )
    billing = Table(
        "account", "month", "calls", "answered", "seconds", "cost, cents", "SIP credits", title="Billing", **PLAIN
    )
    with store.snapshot() as connection:
        latest = select(CALLS).order_by(CALLS.c.last_at.desc()).limit(CALLS_SHOWN)
        for row in connection.execute(latest):
            calls.add_row(
                times.iso(row.opened_at)[11:19],
                row.tag,
                row.src,
                row.state,
                row.disposition,
                row.status,
                row.digits,
                row.flags,
            )
        for row in connection.execute(select(BILLING).order_by(BILLING.c.account, BILLING.c.period)):
            counts = (str(row.calls), str(row.answered), str(row.dest_seconds))
            billing.add_row(row.account, row.period, *counts, amounts.plain(row.cost), amounts.plain(row.sip_credits))
        states = connection.execute(select(CALLS.c.state, func.count()).group_by(CALLS.c.state)).all()
    calls.caption = ", ".join(f"{count} {state}" for state, count in states)
    return calls, billing

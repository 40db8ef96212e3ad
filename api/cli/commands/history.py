"""``tringledger history``: every event of a call, and the call's state after each."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

import click

from api.cli.console import note, print_json, print_table
from api.cli.ledger_access import open_ledger
from api.cli.options import CallIdParameter, catch_up_option, format_option, store_option
from domain import amounts, times
from domain.events.log_row import POSITION_MAX

if TYPE_CHECKING:
    from api.application.call_history import CallHistory, HistoryStep
    from domain.events.operator_events import OperatorEvent
    from domain.ledger import Ledger


@click.command()
@click.argument("call_id", required=False, type=CallIdParameter())
@click.option("--tag", help="The call's tag, instead of CALL_ID.")
@click.option("--src", default="", help="With --tag: the phone number, in any spelling.")
@click.option(
    "--ordinal", type=click.IntRange(1), help="With --tag: the call's number on its line (default: the last call)."
)
@click.option(
    "--at",
    metavar="POSITION|TIME",
    help="The history up to that position of the log, or as known at a time or at the beginning of a day or month.",
)
@format_option
@catch_up_option
@store_option
@click.pass_context
def history(
    context: click.Context,
    call_id: str | None,
    tag: str | None,
    src: str,
    ordinal: int | None,
    at: str | None,
    output: str,
    no_catch_up: bool,  # noqa: ARG001
    store: str | None,
) -> None:
    """Show every event of a call, and the call's state after it.

    CALL_ID may be the beginning of an id, from 4 digits on, if no other call begins with it.
    History comes from the log itself, so it is always up to date; --no-catch-up has no effect.

    \b
    Examples:
      tringledger history 0f3c2f0e-4a52-5c5e-9a8e-3a0a6cf6a1d1
      tringledger history --tag acme-000123 --src 18585550001 --at 2026-10-31T23:59:59Z
    """
    from api.application import call_history as histories
    from api.application.call_ids import find_call_id

    if (call_id is None) == (tag is None):
        raise click.UsageError("expected either CALL_ID or --tag")
    with open_ledger(store) as (ledger, _):
        wanted = find_call_id(ledger, call_id) if call_id else _find(ledger, tag or "", src, ordinal)
        found = histories.call_history(ledger, wanted, _until(ledger, at))
    if found is None:
        which = f"call {wanted}" if call_id else f"call of tag {tag!r} and src {src!r}"
        which += f" with ordinal {ordinal}" if ordinal else ""
        note(f"no {which} in this ledger" + (f" at {at}" if at else ""))
        context.exit(1)
    if output == "json":
        print_json(histories.history_document(found))
    else:
        _print(found)


def _find(ledger: Ledger, tag: str, src: str, ordinal: int | None) -> UUID:
    from domain.calls.correlation import BY_TAG
    from domain.events.streams import call_id as id_of_call
    from domain.notices.line_number import line_number

    line = (tag, None if ledger.correlation == BY_TAG else line_number(src, ledger.line_rule))
    last = ledger.last_ordinal(line)
    if ordinal is None and last > 1:
        note(f"call {last} of {last} on this line; --ordinal shows another")
    return id_of_call(line, ordinal or last)


def _until(ledger: Ledger, at: str | None) -> int:
    if at is None:
        return POSITION_MAX
    from projections.queries.log_points import resolve_point
    from projections.queries.time_points import SelectionError

    try:
        return resolve_point(ledger, at).position
    except SelectionError as error:
        msg = f"--at {error}"
        raise click.UsageError(msg) from None


def _print(found: CallHistory) -> None:
    first = next((step.notice.received_at for step in found.steps if step.notice), 0)
    print_table(
        [
            "position",
            "received at",
            "seconds",
            "what",
            "rule",
            "state",
            "disposition",
            "flags",
            "price",
            "source",
            "parameters",
        ],
        [_row(step, first) for step in found.steps],
        title=f"call {found.call_id}: {_line(found)}",
        may_be_records=True,
    )
    click.echo()
    vouchers = [(step.position, step.notice.voucher) for step in found.steps if step.notice and step.notice.voucher]
    if vouchers:
        print_table(
            ["unsigned", "vouched for by", "reason", "row"],
            [(position, voucher.by, voucher.reason, voucher.row) for position, voucher in vouchers if voucher],
        )
        click.echo()
    if found.cdr is None:
        click.echo("no CDR")
    else:
        shown = [(name, value) for name, value in found.cdr.items() if value not in (None, "")]
        print_table(["CDR", ""], shown)


def _line(found: CallHistory) -> str:
    call = next((step.after for step in reversed(found.steps) if step.after), None)
    return f"tag {call['tag']!r}, src {call['src']!r}, ordinal {call['ordinal']}" if call else "merged into another"


def _row(step: HistoryStep, first: int) -> tuple[object, ...]:
    call = step.after or {"state": "", "disposition": "", "flags": ""}
    what = (step.position, *_when(step, first), f"{step.type} {step.status}".strip())
    state = (call["state"], call["disposition"], call["flags"])
    price = step.price["price"] if step.price else ""
    if step.notice:
        from api.application.masking import shown_parameters

        parameters = " ".join(f"{name}={value}" for name, value in shown_parameters(step.notice.params))
        return (*what, step.notice.rule, *state, price, step.notice.source, parameters)
    assert step.operator_event
    return (*what, "", *state, price, step.operator_event.by, _event_text(step.operator_event))


def _when(step: HistoryStep, first: int) -> tuple[str, str]:
    if step.notice:
        # microseconds are millionths of a second
        return times.iso(step.notice.received_at), amounts.plain(step.notice.received_at - first)
    assert step.operator_event
    return times.iso(step.operator_event.recorded_at), ""


def _event_text(event: OperatorEvent) -> str:
    """Return the fields of an operator event, and its reason."""
    from api.application.event_feed import event_fields

    said = [f"{name}={value}" for name, value in event_fields(event).items()]
    return " ".join([*said, f"reason={event.reason}"])

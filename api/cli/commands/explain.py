"""``tringledger explain``: the events, tariff versions and rules behind an amount, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from api.cli.console import note, print_json, print_table
from api.cli.ledger_access import open_ledger, read_models, read_models_as_of
from api.cli.options import CallIdParameter, as_of_option, catch_up_option, format_option, store_option
from domain.events.log_row import POSITION_MAX

if TYPE_CHECKING:
    from domain.ledger import Ledger
    from projections.queries.account_breakdown import AccountMonth
    from projections.queries.price_history import PriceHistory, PriceVersion
    from projections.rows.entry import Entry


@click.command()
@click.argument("call_id", required=False, type=CallIdParameter())
@click.option("--account", help="Explain an account's bill instead of a call.")
@click.option("--period", metavar="YYYY-MM", help="With --account: the month.")
@click.option("--calls", is_flag=True, help="With --account: also list each call, with the position of its CDR.")
@as_of_option
@format_option
@catch_up_option
@store_option
@click.pass_context
def explain(
    context: click.Context,
    call_id: str | None,
    account: str | None,
    period: str | None,
    calls: bool,
    as_of: str | None,
    output: str,
    no_catch_up: bool,
    store: str | None,
) -> None:
    """Explain the price of a call, or an account's bill of a month.

    CALL_ID may be the beginning of an id, from 4 digits on, if no other call begins with it.

    For a call you see every price it ever had: the event behind it, the version and rule of the tariff, each step to the
    price, and the month it was posted to and why. For an account you see how much each rule priced, and all other
    postings with the positions of their events.

    \b
    Examples:
      tringledger explain 0f3c2f0e-4a52-5c5e-9a8e-3a0a6cf6a1d1
      tringledger explain 0f3c2f0e
      tringledger explain --account acme --period 2026-10 --calls
    """
    from api.application.call_ids import find_call_id

    if (call_id is None) == (account is None) or (account is None) != (period is None):
        raise click.UsageError("expected either CALL_ID, or --account and --period")
    with open_ledger(store) as (ledger, _):
        if call_id:
            found = _explain_call(ledger, find_call_id(ledger, call_id), as_of, output)
        else:
            found = _explain_account(
                ledger, (account or "", period or ""), as_of, output, calls=calls, caught_up=not no_catch_up
            )
    context.exit(0 if found else 1)


def _explain_call(ledger: Ledger, call_id: UUID, as_of: str | None, output: str) -> bool:
    from api.application.price_explanation import explanation_document
    from projections.queries.log_points import resolve_point
    from projections.queries.price_history import price_history

    found = price_history(ledger, call_id, POSITION_MAX if as_of is None else resolve_point(ledger, as_of).position)
    if found is None:
        note(f"no call {call_id} in this ledger" + (f" at {as_of}" if as_of else ""))
    elif output == "json":
        print_json(explanation_document(found))
    else:
        _print(found)
    return found is not None


def _print(found: PriceHistory) -> None:
    from api.application.price_explanation import explanation_lines

    tag, src = found.line
    title = f"call {found.call_id}: tag {tag!r}, src {src or ''!r}, ordinal {found.ordinal}"
    if not found.pricings:
        click.echo(f"{title}\nno CDR, so no price")
        return
    rows = [
        (*(_event(pricing) if number == 0 else ("", "")), *line)
        for pricing in found.pricings
        for number, line in enumerate(explanation_lines(pricing))
    ]
    print_table(["position", "event", "step", "how", "US cents"], rows, title=title)
    for (version, number), text in found.rules.items():
        click.echo(f"\nrule {number} of tariff version {version}, as published:\n{text}")


def _event(pricing: PriceVersion) -> tuple[object, str]:
    from api.application.price_explanation import operator_event_document

    said = operator_event_document(pricing.operator_event)
    return pricing.position, pricing.event + (f" by {said['by']}: {said['reason']}" if said["by"] else "")


def _explain_account(
    ledger: Ledger, whose: tuple[str, str], as_of: str | None, output: str, *, calls: bool, caught_up: bool
) -> bool:
    from api.application.account_explanation import account_document
    from api.application.numbered_documents import documents_of
    from api.application.price_explanation import entry_document
    from projections.queries.account_breakdown import account_breakdown, cdrs_of_account
    from projections.queries.conditions import build_selection
    from projections.queries.log_points import resolve_point

    account, period = whose
    build_selection("billing", account=account, period=period, timezone=ledger.timezone)
    with ExitStack() as opened:
        past = None if as_of is None else resolve_point(ledger, as_of)
        looking = read_models_as_of(ledger, past.position) if past else read_models(ledger, caught_up=caught_up)
        store = opened.enter_context(looking)
        connection = opened.enter_context(store.snapshot())
        position = store.position(connection, ledger.store)
        books = ledger.billing_context(position)
        documents = documents_of(ledger, account, period, position)
        found = account_breakdown(connection, account, period, books)
        each = list(cdrs_of_account(connection, account, period)) if calls else []
    if found is None:
        note(f"nothing is posted to account {account!r} in {period}" + (f" as of {as_of}" if as_of else ""))
    elif output == "json":
        print_json(
            account_document(found, documents) | ({"calls": [entry_document(call) for call in each]} if calls else {})
        )
    else:
        _print_account(found, documents, each)
    return found is not None


def _summed(sums: Any) -> dict[str, object]:
    from api.application.account_explanation import sums_document

    return sums_document(sums)


def _print_account(found: AccountMonth, documents: list[dict[str, Any]], calls: Sequence[Entry]) -> None:
    from api.application.account_explanation import plain_sum
    from projections.queries.account_breakdown import SUMMED

    closed = f"closed at position {found.closed}" if found.closed else "not closed"
    rows = [(_by_what(each.tariff, each.rule), *_summed(each).values()) for each in found.groups]
    rows += [(f"{each.kind} at position {each.position}", *_summed(each).values()) for each in found.postings]
    total = ("total", *(plain_sum(name, value) for name, value in found.total.items()))
    print_table(["made by", *SUMMED], [*rows, total], title=f"account {found.account!r}, {found.period}, {closed}")
    if found.postings:
        click.echo()
        print_table(
            ["position", "kind", "call_id", "for", "by", "reason", "price"], [_posting(each) for each in found.postings]
        )
    if found.drafts:
        click.echo()
        print_table(
            ["kind", "reason", "price"],
            [(each.kind, each.reason, plain_sum("price", each.price)) for each in found.drafts],
            title="drafts, which are posted when the month is closed",
        )
    if documents:
        click.echo()
        columns = ["number", "kind", "issued_at", "corrects", "due", "digest"]
        print_table(columns, [[each[column] or "" for column in columns] for each in documents])
    if calls:
        click.echo()
        print_table(["position", "call_id", "for", "tariff", "rule", *SUMMED], [_call(each) for each in calls])


def _posting(entry: Entry) -> tuple[object, ...]:
    from api.application.price_explanation import format_signed

    made = (entry.position, entry.kind, entry.call_id, entry.original_period)
    return (*made, entry.posted_by, entry.reason, format_signed(entry.price))


def _call(entry: Entry) -> tuple[object, ...]:
    made = (entry.position, entry.call_id, entry.original_period, entry.tariff, entry.rule or "")
    return (*made, *_summed(entry).values())


def _by_what(tariff: str, rule: int) -> str:
    if not tariff:
        return "no tariff: the cost"
    return f"tariff {tariff}, rule {rule}"

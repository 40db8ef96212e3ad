"""``tringledger explain``: which events, tariff version and rules made an amount, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any
from uuid import UUID

import click

from api.cli.console import as_json, say, table
from api.cli.ledger_access import read_models, reading, standing_as_of
from api.cli.options import catch_up_option, format_option, store_option
from domain import amounts
from domain.events.log_row import EVER

if TYPE_CHECKING:
    from domain.ledger import Ledger
    from projections.queries.account_breakdown import AccountMonth
    from projections.queries.price_history import Explanation, Pricing
    from projections.rows.entry import Entry


@click.command()
@click.argument("call_id", required=False, type=click.UUID)
@click.option("--account", help="Explain an account's bill, instead of a call.")
@click.option("--period", metavar="YYYY-MM", help="With --account: of which month.")
@click.option("--calls", is_flag=True, help="With --account: also each call, with the position of its CDR.")
@click.option("--as-of", metavar="POSITION|TIME", help="As it stood at that position of the log, or at that time.")
@format_option
@catch_up_option
@store_option
@click.pass_context
def explain(
    context: click.Context,
    call_id: UUID | None,
    account: str | None,
    period: str | None,
    calls: bool,
    as_of: str | None,
    output: str,
    no_catch_up: bool,
    store: str | None,
) -> None:
    """Explain what a call costs, or what an account's bill of a month is made of.

    Of a call: every price that it ever had, the event that made it so, which version and rule of the tariff decided, each
    step to the price, and to which month it was posted and why. Of an account: how much each rule priced, and all that was
    posted besides, with the events' positions.

    \b
    Examples:
      tringledger explain 0f3c2f0e-4a52-5c5e-9a8e-3a0a6cf6a1d1
      tringledger explain --account acme --period 2026-10 --calls
    """
    if (call_id is None) == (account is None) or (account is None) != (period is None):
        raise click.UsageError("expected either CALL_ID, or --account and --period")
    with reading(store) as (ledger, _):
        if call_id:
            found = _explain_call(ledger, call_id, as_of, output)
        else:
            found = _explain_account(
                ledger, (account or "", period or ""), as_of, output, calls=calls, caught_up=not no_catch_up
            )
    context.exit(0 if found else 1)


def _explain_call(ledger: Ledger, call_id: UUID, as_of: str | None, output: str) -> bool:
    from api.application.price_explanation import as_document
    from projections.queries.positions import then
    from projections.queries.price_history import of_call

    found = of_call(ledger, call_id, EVER if as_of is None else then(ledger, as_of).position)
    if found is None:
        say(f"no call {call_id} in this ledger" + (f" at {as_of}" if as_of else ""))
    elif output == "json":
        as_json(as_document(found))
    else:
        _print(found)
    return found is not None


def _print(found: Explanation) -> None:
    from api.application.price_explanation import lines

    tag, src = found.line
    title = f"call {found.call_id}: tag {tag!r}, src {src or ''!r}, ordinal {found.ordinal}"
    if not found.pricings:
        click.echo(f"{title}\nno CDR, so no price")
        return
    rows = [
        (*(_event(pricing) if number == 0 else ("", "")), *line)
        for pricing in found.pricings
        for number, line in enumerate(lines(pricing))
    ]
    table(["position", "event", "step", "how", "US cents"], rows, title=title)
    for (version, number), text in found.rules.items():
        click.echo(f"\nrule {number} of tariff version {version}, as published:\n{text}")


def _event(pricing: Pricing) -> tuple[object, str]:
    from api.application.price_explanation import act

    said = act(pricing.act)
    return pricing.position, pricing.event + (f" by {said['by']}: {said['reason']}" if said["by"] else "")


def _explain_account(
    ledger: Ledger, whose: tuple[str, str], as_of: str | None, output: str, *, calls: bool, caught_up: bool
) -> bool:
    from api.application.price_explanation import entry
    from projections.queries.account_breakdown import cdrs_of, of_account
    from projections.queries.positions import then
    from projections.queries.selection import select

    account, period = whose
    select("billing", account=account, period=period, timezone=ledger.timezone)
    with ExitStack() as opened:
        past = None if as_of is None else then(ledger, as_of)
        looking = standing_as_of(ledger, past.position) if past else read_models(ledger, caught_up=caught_up)
        store = opened.enter_context(looking)
        connection = opened.enter_context(store.reading())
        store.position(connection, ledger.head)
        found = of_account(connection, account, period)
        each = list(cdrs_of(connection, account, period)) if calls else []
    if found is None:
        say(f"nothing is posted to account {account!r} in {period}" + (f" as of {as_of}" if as_of else ""))
    elif output == "json":
        as_json(_document(found) | ({"calls": [entry(call) for call in each]} if calls else {}))
    else:
        _print_account(found, each)
    return found is not None


def _document(found: AccountMonth) -> dict[str, Any]:
    from api.application.price_explanation import entry

    return {
        "account": found.account,
        "period": found.period,
        "closed_at_position": found.closed or None,
        "rules": [_summed(group) | {"tariff": group.tariff, "rule": group.rule or None} for group in found.groups],
        "postings": [entry(posting) for posting in found.postings],
        "total": {name: _plain(name, value) for name, value in found.total.items()},
    }


def _summed(sums: Any) -> dict[str, object]:
    from projections.queries.account_breakdown import SUMMED

    return {name: _plain(name, getattr(sums, name)) for name in SUMMED}


def _plain(name: str, value: int) -> object:
    from api.application.price_explanation import AMOUNTS

    return amounts.plain(value) if name in AMOUNTS else value


def _print_account(found: AccountMonth, calls: Sequence[Entry]) -> None:
    from projections.queries.account_breakdown import SUMMED

    closed = f"closed at position {found.closed}" if found.closed else "not closed"
    rows = [(_by_what(each.tariff, each.rule), *_summed(each).values()) for each in found.groups]
    rows += [(f"{each.kind} at position {each.position}", *_summed(each).values()) for each in found.postings]
    total = ("total", *(_plain(name, value) for name, value in found.total.items()))
    table(["made by", *SUMMED], [*rows, total], title=f"account {found.account!r}, {found.period}, {closed}")
    if found.postings:
        click.echo()
        table(
            ["position", "kind", "call_id", "for", "by", "reason", "price"], [_posting(each) for each in found.postings]
        )
    if calls:
        click.echo()
        table(["position", "call_id", "for", "tariff", "rule", *SUMMED], [_call(each) for each in calls])


def _posting(entry: Entry) -> tuple[object, ...]:
    from api.application.price_explanation import signed

    made = (entry.position, entry.kind, entry.call_id, entry.original_period)
    return (*made, entry.posted_by, entry.reason, signed(entry.price))


def _call(entry: Entry) -> tuple[object, ...]:
    made = (entry.position, entry.call_id, entry.original_period, entry.tariff, entry.rule or "")
    return (*made, *_summed(entry).values())


def _by_what(tariff: str, rule: int) -> str:
    if not tariff:
        return "no tariff: the cost"
    return f"tariff {tariff}, rule {rule}"

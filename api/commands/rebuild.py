"""``tringledger rebuild``: make the read models anew from the log, or check them against it."""

import click

from api.commands.common import catch_up_option, reading, store_option
from api.showing import progress, say, table
from domain import amounts, times
from projections import rebuild as rebuilding
from projections.rebuild import Difference, Report
from projections.tables import Kind


@click.command()
@click.option("--check", is_flag=True, help="Change nothing: compare, and exit with 1 where the read models differ.")
@catch_up_option
@store_option
@click.pass_context
def rebuild(context: click.Context, check: bool, no_catch_up: bool, store: str | None) -> None:
    """Build the read models anew from the log, beside the live ones, and swap.

    Nobody waits meanwhile. What differed from the log until then is printed. With --check nothing is swapped, and the
    exit code is 1 where rows differ.

    \b
    Examples:
      tringledger rebuild
      tringledger rebuild --check || mail -s "the ledger's read models differ" ops@example.com
    """
    with reading(store) as (ledger, _), progress("Rebuilding", ledger.head(), "events") as moved:
        if check:
            report = rebuilding.check(ledger, lambda done, _: moved(done), catch_up_first=not no_catch_up)
        else:
            report = rebuilding.rebuild(ledger, lambda done, _: moved(done))
    _print(report)
    context.exit(1 if check and report.found else 0)


def _print(report: Report) -> None:
    if report.position is None:
        say("the read models were unfit to be compared with; they have been made anew from the log")
        return
    if not report.found:
        say(f"the read models agree with the log, up to position {report.position}")
        return
    table(
        ["read model", "row", "column", "read model has", "log says", "by"], [_row(each) for each in report.differences]
    )
    more = report.found - len(report.differences)
    say(f"{report.found} differences at position {report.position}" + (f" ({more} not shown)" if more else ""))


def _row(difference: Difference) -> tuple[object, ...]:
    model, row, column, live, fresh, kind = difference
    is_money = kind in (Kind.AMOUNT, Kind.TOTAL)
    by = amounts.plain(fresh - live) if is_money and isinstance(live, int) and isinstance(fresh, int) else ""
    return model, row, column, _shown(live, kind), _shown(fresh, kind), by


def _shown(value: object, kind: Kind | None) -> object:
    if kind in (Kind.AMOUNT, Kind.TOTAL) and isinstance(value, int):
        return amounts.plain(value)
    return times.iso(value) if kind is Kind.TIME and isinstance(value, int) else value

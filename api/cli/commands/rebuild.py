"""``tringledger rebuild``: build the read models again from the log, or check them against it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

import click

from api.cli.commands.certificate import print_certificate
from api.cli.console import note, print_json, print_table, progress
from api.cli.ledger_access import open_ledger
from api.cli.options import catch_up_option, format_option, store_option
from domain import amounts, times

if TYPE_CHECKING:
    from domain.ledger import Ledger
    from projections.building.comparison import RowDifference
    from projections.building.dask_cluster import DaskFolding
    from projections.building.partitions import FoldStrategy
    from projections.building.rebuild import RebuildReport
    from projections.schema.column_kinds import ColumnKind

JOBS_MAX = 256


@click.command()
@click.option("--check", is_flag=True, help="Change nothing; compare, and exit with 1 if the read models differ.")
@click.option(
    "--jobs",
    type=click.IntRange(1, JOBS_MAX),
    help="Number of processes (default: one per core for a large log, else one).",
)
@click.option("--dask", metavar="ADDRESS", help="Use the Dask cluster of this scheduler, such as tcp://host:8786.")
@click.option(
    "--unproven",
    is_flag=True,
    help="Continue with a log that does not match its proofs; the certificate says so.",
)
@format_option
@catch_up_option
@store_option
@click.pass_context
def rebuild(
    context: click.Context,
    check: bool,
    jobs: int | None,
    dask: str | None,
    unproven: bool,
    output: str,
    no_catch_up: bool,
    store: str | None,
) -> None:
    """Build the read models again from the log, and swap them in.

    They are built alongside the live ones, which stay available meanwhile. Rows that differed from the log are printed.
    With --check nothing is swapped, and the exit code is 1 if rows differ. The result is the same with one process, with
    --jobs processes or with the workers of a Dask cluster, which need the same version of tringledger and the same store
    URL.

    A log that does not match its proofs is refused, so that nothing wrong is certified. `tringledger certificate` shows the
    certificate of the last rebuild, which names the size and root of the proof tree.

    \b
    Examples:
      tringledger rebuild
      tringledger rebuild --jobs 8
      tringledger rebuild --dask tcp://scheduler.example.com:8786
      tringledger rebuild --check || mail -s "the ledger's read models differ" ops@example.com
    """
    from projections.building import rebuild as rebuilding

    if jobs and dask:
        raise click.UsageError("expected --jobs or --dask, not both")
    with (
        open_ledger(store) as (ledger, _),
        _folding(ledger, jobs, dask) as who,
        progress("Rebuilding", ledger.head(), "events") as moved,
    ):
        if check:
            report = rebuilding.check_read_models(
                ledger, lambda done, _: moved(done), who, catch_up_first=not no_catch_up
            )
        else:
            report = rebuilding.rebuild(ledger, lambda done, _: moved(done), who, unproven=unproven)
    if output == "json":
        print_json(_document(report))
    else:
        _print(report)
        if not check:
            click.echo()
            print_certificate(report.certificate)
    context.exit(1 if check and report.found else 0)


@contextmanager
def _folding(ledger: Ledger, jobs: int | None, dask: str | None) -> Iterator[FoldStrategy]:
    from projections.building.process_pool import choose_folding

    if dask:
        with closing(_cluster(dask)) as cluster:
            yield cluster
    else:
        yield choose_folding(ledger.head(), jobs)


def _cluster(address: str) -> DaskFolding:
    try:
        # Half a second to load, and an extra.
        from projections.building.dask_cluster import DaskFolding
    except ModuleNotFoundError as error:
        msg = f"--dask needs an extra that is not installed ({error}). Install it with `pip install '.[dask]'`."
        raise click.UsageError(msg) from None
    return DaskFolding(address)


def _document(report: RebuildReport) -> dict[str, object]:
    """Return the certificate of what was built, with what the live read models had in its place."""
    import msgspec

    names = ("read_model", "row", "column", "read_model_has", "log_says", "by")
    rows = [dict(zip(names, _row(each), strict=True)) for each in report.differences]
    compared = {"compared_at": report.position, "found": report.found, "differences": rows}
    document: dict[str, object] = msgspec.to_builtins(report.certificate)
    return document | compared


def _print(report: RebuildReport) -> None:
    if report.position is None:
        note("there were no read models that could be compared; they were built from the log")
        return
    if not report.found:
        note(f"the read models agree with the log, up to position {report.position}")
        return
    print_table(
        ["read model", "row", "column", "read model has", "log says", "by"], [_row(each) for each in report.differences]
    )
    more = report.found - len(report.differences)
    note(f"{report.found} differences at position {report.position}" + (f" ({more} not shown)" if more else ""))


def _row(difference: RowDifference) -> tuple[object, ...]:
    from projections.schema.column_kinds import ColumnKind

    model, row, column, live, fresh, kind = difference
    is_money = kind in (ColumnKind.AMOUNT, ColumnKind.TOTAL)
    by = amounts.plain(fresh - live) if is_money and isinstance(live, int) and isinstance(fresh, int) else ""
    return model, row, column, _shown(live, kind), _shown(fresh, kind), by


def _shown(value: object, kind: ColumnKind | None) -> object:
    from projections.schema.column_kinds import ColumnKind

    if kind in (ColumnKind.AMOUNT, ColumnKind.TOTAL) and isinstance(value, int):
        return amounts.plain(value)
    return times.iso(value) if kind is ColumnKind.TIME and isinstance(value, int) else value

"""A reconciliation's totals and differing records: as tables for people, as JSON or CSV for programs."""

import csv
import sys
from collections.abc import Iterator

import click
import msgspec

from api.application.reconciliation.classes import ClassTotal, MatchClass
from api.application.reconciliation.columns import CENTS, CREDITS, format_number
from api.application.reconciliation.record_spool import MatchRecord
from api.application.reconciliation.run import ClassifiedPair, ReconciliationResult
from api.cli.console import TABLE_ROWS_MAX, print_more, print_table
from domain.amounts import plain
from domain.times import iso


def report_columns(outcome: ReconciliationResult) -> list[str]:
    """Return the names of a record's columns."""
    sides = [f"{name}_{side}" for name in outcome.compared for side in ("here", "there")]
    return ["class", "tag", "src", "call_id", "cdr_at", "line", "time", *sides]


def report_row(found: ClassifiedPair, outcome: ReconciliationResult) -> list[str | None]:
    """Return a record as a row; values that one side does not have are None."""
    here, there = found.pair
    record = here or there
    assert record is not None
    numbers = [
        None if side is None else format_number(name, side.numbers[place])
        for place, name in enumerate(outcome.compared)
        for side in (here, there)
    ]
    return [found.verdict, record.tag, record.src, *_place(here), *_place(there), *numbers]


def _place(record: MatchRecord | None) -> tuple[str | None, str | None]:
    return (record.ref, iso(record.at)) if record else (None, None)


def report_csv(records: Iterator[ClassifiedPair], outcome: ReconciliationResult) -> None:
    """Print the records as CSV (RFC 4180), as they come."""
    out = csv.writer(sys.stdout, lineterminator="\r\n")
    out.writerow(report_columns(outcome))
    out.writerows(report_row(found, outcome) for found in records)


def report_json(records: Iterator[ClassifiedPair], outcome: ReconciliationResult) -> None:
    """Print the records as they come, and then the totals, as one JSON document."""
    names = report_columns(outcome)
    before = '{"records": [\n'
    for found in records:
        click.echo(f"{before}{_encoded(dict(zip(names, report_row(found, outcome), strict=True)))}", nl=False)
        before = ",\n"
    click.echo('{"records": [' if before.startswith("{") else "")
    click.echo(f'], "classes": {_encoded(list(_classes(outcome)))},\n"totals": {_encoded(list(_totals(outcome)))},')
    click.echo(f'"unreadable": {outcome.unreadable}}}')


def report_tables(records: Iterator[ClassifiedPair], outcome: ReconciliationResult) -> None:
    """Print the totals by class, then by class and tag, and then the first records."""
    first: list[list[str | None]] = []
    more = 0
    for found in records:
        if len(first) < TABLE_ROWS_MAX:
            first.append(report_row(found, outcome))
        else:
            more += 1
    print_table(*_tabled(list(_classes(outcome))))
    totals = [total for total in _totals(outcome) if total["class"] != MatchClass.EXACT]
    if totals:
        click.echo()
        print_table(*_tabled(totals[:TABLE_ROWS_MAX]))
        print_more(len(totals) - TABLE_ROWS_MAX, "json")
    if first:
        click.echo()
        print_table(report_columns(outcome), first)
        print_more(more, "csv")


def _tabled(rows: list[dict[str, object]]) -> tuple[list[str], list[list[object]]]:
    return list(rows[0]), [list(row.values()) for row in rows]


def _classes(outcome: ReconciliationResult) -> Iterator[dict[str, object]]:
    for verdict, total in outcome.by_class().items():
        yield {"class": verdict} | _amounts(total, outcome)


def _totals(outcome: ReconciliationResult) -> Iterator[dict[str, object]]:
    order = list(MatchClass)
    for (verdict, tag), total in sorted(outcome.totals.items(), key=lambda each: (order.index(each[0][0]), each[0][1])):
        yield {"class": verdict, "tag": tag} | _amounts(total, outcome)


def _amounts(total: ClassTotal, outcome: ReconciliationResult) -> dict[str, object]:
    """Return a total's money here, there, and the difference (there minus here), in the units of the statement."""
    told: dict[str, object] = {"records": total.records}
    for unit, names, here, there in (
        ("cost", CENTS, total.here.cents, total.there.cents),
        ("sip_credits", CREDITS, total.here.credits, total.there.credits),
    ):
        if any(name in outcome.compared for name in names):
            told |= {f"{unit}_here": plain(here), f"{unit}_there": plain(there), f"{unit}_more": plain(there - here)}
    return told


def _encoded(content: object) -> str:
    return msgspec.json.encode(content).decode()

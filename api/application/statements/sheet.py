"""A statement in words and plain decimals: the cells that HTML and PDF share."""

from typing import NamedTuple

from domain import times
from domain.amounts import plain
from projections.queries.statement import CALLS, ROUNDING, Heading, Statement, StatementLine, StatementSums
from projections.rows.entry import ADJUSTMENT, DIFFERENCE, FEE, MINIMUM

HEADINGS = (
    "Day",
    "What",
    "Calls",
    "Seconds, source",
    "Seconds, destination",
    "Seconds, billed",
    "Cost",
    "SIP credits",
    "Price",
)
TEXT_COLUMNS = 2
_KINDS = {
    DIFFERENCE: "Change",
    ADJUSTMENT: "Adjustment",
    FEE: "Fee",
    MINIMUM: "Top-up to the minimum",
    ROUNDING: "Rounding of each call",
}
UNITS = "Cost and price are in US cents, SIP credits in credits."
NOT_CLOSED = "not closed"


class Sheet(NamedTuple):
    """A statement as texts; ``ends`` are the lines below the total, each with its amount."""

    title: str
    account: str
    state: str
    is_draft: bool
    rows: list[list[str]]
    total: list[str]
    ends: list[tuple[str, str]]
    notes: list[str]


def statement_sheet(statement: Statement) -> Sheet:
    """Return a statement in words."""
    heading = statement.heading
    return Sheet(
        f"Statement for {heading.period}",
        heading.account or "(no account)",
        _state(heading),
        heading.closed is None,
        [[line.day, line_label(line), *_cells(line)] for line in statement.lines],
        ["", "Total", *sum_cells(statement.total)],
        [*_roundings(statement), ("Amount due, in US cents", plain(statement.due))],
        [UNITS, *_tariffs(statement)],
    )


def line_label(line: StatementLine) -> str:
    """Return the description of a line."""
    about = f", for {line.original_period}" if line.original_period else ""
    if line.kind == CALLS:
        return f"{line.text or '(in progress)'}{f'{about}, received late' if about else ''}"
    return f"{_KINDS[line.kind]}{about}{f': {line.text}' if line.kind != ROUNDING else ''}"


def sum_cells(sums: StatementSums) -> list[str]:
    """Return the numbers of a line, in the order of the headings."""
    numbers = (sums.calls, sums.src_seconds, sums.dest_seconds, sums.billed_seconds)
    return [*map(str, numbers), plain(sums.cost), plain(sums.sip_credits), plain(sums.price)]


def _cells(line: StatementLine) -> list[str]:
    """Return a line's numbers; lines that are not calls have mostly money, and empty cells for the rest."""
    *numbers, price = sum_cells(line.sums)
    return [*numbers, price] if line.kind == CALLS else [*("" if each == "0" else each for each in numbers), price]


def _state(heading: Heading) -> str:
    if heading.closed is None:
        return f"Draft, {NOT_CLOSED}: as of position {heading.position} of the log, and what is still to come may change it."
    return f"Closed on {times.iso(heading.closed.at)} by {heading.closed.by}."


def _roundings(statement: Statement) -> list[tuple[str, str]]:
    return [
        (f"Rounding of the statement ({level_words(level)})", plain(added))
        for level, added in statement.roundings.items()
    ]


def level_words(level: str) -> str:
    """Return a way of rounding such as ``half-up:2`` in words."""
    mode, _, places = level.partition(":")
    return f"{mode}, to {places} places of a cent"


def _tariffs(statement: Statement) -> list[str]:
    return [
        f"Tariff version {used.version}, published on {times.iso(used.published_at)}: {used.reason}"
        for used in statement.tariffs
    ] or ["No tariff applied: prices are what the calls cost."]

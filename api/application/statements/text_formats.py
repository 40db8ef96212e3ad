"""Statements as CSV and JSON; amounts are plain decimals, in JSON as texts (SPEC 8)."""

import csv
import io
from typing import Any

import msgspec

from api.application.masking import masked_value
from domain import times
from domain.amounts import plain
from projections.export.text_formats import excel_safe_text
from projections.queries.statement import CALLS, Statement, StatementLine, StatementSums
from projections.rows.entry import FEE, MINIMUM

TOTAL, STATEMENT_ROUNDING, DUE = "total", "statement-rounding", "due"
_NOT_OPERATORS = (CALLS, FEE, MINIMUM)  # The texts of these lines are of the call or of the tariff.
_TEXTS = ("account", "period", "state", "kind", "day", "original_period", "text")


def as_csv(statement: Statement, *, excel_safe: bool = False) -> bytes:
    """Return CSV as in RFC 4180: a row for each line, the total, each rounding of the statement, and the amount due."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([*_TEXTS, *StatementSums._fields])
    for line, names in _rows(statement):
        numbers = _numbers(line.sums)
        texts = [*_state(statement), line.kind, line.day, line.original_period, line.text]
        cells = [
            excel_safe_text(text) if excel_safe and name not in ("period", "day", "original_period") else text
            for name, text in zip(_TEXTS, texts, strict=True)
        ]
        writer.writerow([*cells, *(numbers[name] if name in names else "" for name in StatementSums._fields)])
    return out.getvalue().encode()


def _rows(statement: Statement) -> list[tuple[StatementLine, tuple[str, ...]]]:
    """Return the rows, each with the names of the sums that it shows."""
    rows = [(line, StatementSums._fields) for line in statement.lines]
    rows.append((StatementLine(TOTAL, "", "", "", statement.total), StatementSums._fields))
    ends = [
        StatementLine(STATEMENT_ROUNDING, "", "", level, StatementSums(price=added))
        for level, added in statement.roundings.items()
    ]
    ends.append(StatementLine(DUE, "", "", "", StatementSums(price=statement.due)))
    return rows + [(line, ("price",)) for line in ends]


def _state(statement: Statement) -> tuple[str, str, str]:
    heading = statement.heading
    return heading.account, heading.period, "closed" if heading.closed else "draft"


def as_json(statement: Statement) -> bytes:
    """Return the document as a JSON object."""
    return msgspec.json.format(msgspec.json.encode(statement_document(statement)), indent=2) + b"\n"


def statement_document(statement: Statement) -> dict[str, Any]:
    """Return a statement as JSON has it; ``closed_at`` is None if the month is not closed."""
    account, period, state = _state(statement)
    heading = statement.heading
    return {
        "account": account,
        "period": period,
        "state": state,
        "closed_at": times.iso(heading.closed.at) if heading.closed else None,
        "closed_by": heading.closed.by if heading.closed else None,
        "position": heading.position,
        "lines": [_line(line) for line in statement.lines],
        "total": _numbers(statement.total),
        "roundings": [{"rounding": level, "price": plain(added)} for level, added in statement.roundings.items()],
        "due": plain(statement.due),
        "tariffs": [
            {"version": used.version, "published_at": times.iso(used.published_at), "reason": used.reason}
            for used in statement.tariffs
        ],
    }


def _line(line: StatementLine) -> dict[str, Any]:
    return {
        "kind": line.kind,
        "day": line.day or None,
        "original_period": line.original_period or None,
        "text": line.text,
        **_numbers(line.sums),
    }


def masked_statement(statement: Statement) -> Statement:
    """Return a statement as users without the role ``pii`` see it: operators' texts are masked."""
    lines = [
        line if line.kind in _NOT_OPERATORS else line._replace(text=masked_value("reason", line.text))
        for line in statement.lines
    ]
    tariffs = [used._replace(reason=masked_value("reason", used.reason)) for used in statement.tariffs]
    return statement._replace(lines=lines, tariffs=tariffs)


def _numbers(sums: StatementSums) -> dict[str, Any]:
    amounts = {name: plain(getattr(sums, name)) for name in ("cost", "sip_credits", "price")}
    return sums._asdict() | amounts

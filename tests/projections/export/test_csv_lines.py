"""Lines of CSV are those of Python's csv module, byte for byte, whatever the values."""

import csv
import io
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Column

from domain.amounts import plain
from domain.times import LAST, iso
from projections.export.csv_lines import csv_lines
from projections.queries.arrow_chunks import arrays_of_rows
from projections.schema.column_kinds import ColumnKind, text_column, whole_column
from tests.support.effort import examples

YEAR = 365 * 86_400 * 1_000_000
WHOLE = st.integers(-(1 << 63), (1 << 63) - 1)
TEXTS = st.text(st.sampled_from("a,\"\r\n '\t;é€😀\0=") | st.characters(codec="utf-8"), max_size=6)
COLUMNS: list[Column[Any]] = [
    text_column("text"),
    *(whole_column(str(kind), kind, nullable=True) for kind in ColumnKind if kind not in ("text", "internal")),
]
ROWS = st.tuples(
    st.none() | TEXTS,
    st.none() | WHOLE,
    st.none() | WHOLE | st.integers(-9, 9) | st.integers(-9, 9).map(lambda whole: whole * 1_000_000),
    st.none() | WHOLE,
    st.none() | st.integers(0, LAST - 1),
    st.sampled_from((0, 1)),
)


def as_text(kind: str, value: Any) -> Any:
    if value is None or kind in {"text", "number"}:
        return value
    if kind == "boolean":
        return "true" if value else "false"
    return iso(value) if kind == "time" else plain(value)


def written(rows: list[tuple[Any, ...]], columns: list[Any]) -> bytes:
    out = io.StringIO(newline="")
    kinds = [column.info["kind"] for column in columns]
    changed = [[as_text(kind, value) for kind, value in zip(kinds, row, strict=True)] for row in rows]
    csv.writer(out, lineterminator="\r\n").writerows(changed)
    return out.getvalue().encode()


@given(st.lists(ROWS, min_size=1, max_size=5))
@example([(None, None, None, None, None, 0), ('a"b,c\r\n', 0, -1, 10, 0, 1)])
@examples(100)
def test_all_kinds_of_values_are_written_as_the_csv_module_writes_them(rows: list[tuple[Any, ...]]) -> None:
    assert csv_lines(COLUMNS, arrays_of_rows(COLUMNS, rows)) == written(rows, COLUMNS)


def test_a_time_after_the_year_9999_is_written_with_all_its_digits() -> None:
    assert (
        csv_lines(COLUMNS[4:5], arrays_of_rows(COLUMNS[4:5], [(LAST + YEAR,)])) == b"10000-01-01T00:00:00.000000Z\r\n"
    )


@given(st.lists(st.none() | TEXTS, min_size=1, max_size=3))
@examples(50)
def test_a_single_column_has_a_line_for_each_row_also_where_it_is_empty(texts: list[str | None]) -> None:
    rows = [(text,) for text in texts]
    assert csv_lines(COLUMNS[:1], arrays_of_rows(COLUMNS[:1], rows)) == written(rows, COLUMNS[:1])

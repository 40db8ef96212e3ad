"""What is declared of read models fits their tables and their rows."""

import pytest

from projections import frames
from projections.rows.entry import Entry, EntryAmounts
from projections.schema.column_kinds import ColumnKind, column_kind, exported_columns
from projections.schema.column_meanings import meaning_of
from projections.schema.read_models import READ_MODELS, ReadModel
from projections.schema.rollups import COMPARED_TABLES, ROLLUPS, Rollup
from projections.schema.tables import METADATA, PROGRESS, TOTALS

every_model = pytest.mark.parametrize("model", READ_MODELS, ids=lambda model: model.name)


@every_model
def test_the_fields_of_a_row_are_the_columns_of_its_table(model: ReadModel) -> None:
    if model.row is None:
        assert model.name in ("billing", "billing-days")
    else:
        fields = getattr(model.row, "__struct_fields__", None) or model.row._fields  # type: ignore[attr-defined]
        assert [*fields] == model.table.columns.keys()


@every_model
def test_what_is_declared_names_columns_of_the_table(model: ReadModel) -> None:
    declared = {*model.order, *model.sorts, *model.facets, *model.summed, *model.meanings}
    assert declared <= {*model.table.columns.keys()}


@every_model
def test_a_read_model_is_filtered_by_times_or_by_dates(model: ReadModel) -> None:
    assert bool(model.time_column) != bool(model.date_column)
    column = model.table.c[model.time_column or model.date_column]
    assert column_kind(column) is (ColumnKind.TIME if model.time_column else ColumnKind.TEXT)


@every_model
def test_the_order_of_a_read_model_tells_all_its_rows_apart(model: ReadModel) -> None:
    keys = [{column.name for column in model.table.primary_key}, *({c.name} for c in model.table.c if c.unique)]
    # Of these two, each event makes one row, and position is its own.
    one_row_an_event = model.name in ("closings", "tariffs")
    assert one_row_an_event or any(key <= {*model.order} for key in keys)


@every_model
def test_only_numbers_are_summed(model: ReadModel) -> None:
    kinds = {column_kind(model.table.c[name]) for name in model.summed}
    assert kinds <= {ColumnKind.NUMBER, ColumnKind.AMOUNT, ColumnKind.TOTAL}


@every_model
def test_every_column_that_is_shown_is_described(model: ReadModel) -> None:
    assert all(meaning_of(model.table.name, column.name) for column in exported_columns(model.table))


@every_model
def test_a_read_model_has_a_frame(model: ReadModel) -> None:
    assert getattr(frames, model.name.replace("-", "_")).model == model.name


def test_every_table_belongs_to_a_read_model_or_is_its_rollup_or_tracks_their_position() -> None:
    assert {table.name for table in COMPARED_TABLES.values()} | {PROGRESS.name} == {*METADATA.tables}


@pytest.mark.parametrize("rollup", ROLLUPS.values(), ids=ROLLUPS)
def test_a_rollup_has_what_its_read_model_is_counted_by_and_its_sums(rollup: Rollup) -> None:
    sums = (*(each for each in rollup.model.facets if each not in rollup.keys), *rollup.model.summed)
    assert tuple(rollup.table.columns.keys()) == ("month", *rollup.keys, "rows", *sums)


def test_the_amounts_of_an_entry_are_billings_and_the_rounding() -> None:
    assert EntryAmounts._fields == (*TOTALS, "rounding")
    start = Entry._fields.index(TOTALS[0])
    assert Entry._fields[start : start + len(EntryAmounts._fields)] == EntryAmounts._fields

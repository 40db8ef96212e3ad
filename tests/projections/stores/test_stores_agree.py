"""SQLite and PostgreSQL show the same, byte for byte, and by whatever way the read models came to be (SPEC 7)."""

import io
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.ledger import Ledger
from projections import frames
from projections.building.catch_up import catch_up
from projections.building.rebuild import check_read_models, rebuild
from projections.export.writer import Format, write_export
from projections.queries import call_health as calls
from projections.queries.selection import Selection
from projections.schema.read_models import STORED_TABLES
from projections.stores.generations import open_current
from tests.projections.building.test_read_models import (
    NAMES,
    Rules,
    batches,
    flat,
    fresh,
    lines,
    pages,
    rules,
    take,
    traffic,
)
from tests.support.export_ledgers import Case, a_ledger, record_sample
from tests.support.ledgers import opened, record, tables
from tests.support.notices import cdr
from tests.support.postgres_server import Postgres

EXAMPLES = 8
HUGE = {"srccharge": "999999999.999999", "destcharge": "999999999.999999"}


@pytest.fixture(scope="module", params=NAMES)
def both(
    request: pytest.FixtureRequest, postgres: Postgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Case, Case]]:
    """Return a ledger on SQLite and one on PostgreSQL that hold the same sample."""
    sqlite = f"sqlite:///{tmp_path_factory.mktemp('both')}/t.db"
    with postgres.database() as url, a_ledger(url) as theirs, a_ledger(sqlite) as ours:
        for case in (ours, theirs):
            record_sample(case, request.param)
        yield ours, theirs


def exported(case: Case, model: str, form: str) -> bytes | dict[str, bytes]:
    """Return a file's bytes; of an Excel file those of all its parts but the one that says when it was made."""
    out = io.BytesIO()
    write_export(case.ledger, case.store, model, Selection(), form, out)
    if form != Format.XLSX:
        return out.getvalue()
    with zipfile.ZipFile(out) as parts:
        return {name: parts.read(name) for name in parts.namelist() if name != "docProps/core.xml"}


@pytest.mark.parametrize("form", Format)
@pytest.mark.parametrize("model", STORED_TABLES)
def test_a_sample_is_exported_to_the_same_bytes(both: tuple[Case, Case], model: str, form: str) -> None:
    ours, theirs = both
    assert exported(theirs, model, form) == exported(ours, model, form)


def test_an_export_that_fails_half_way_spoils_nothing_for_the_next(both: tuple[Case, Case]) -> None:
    def fail(_rows: int) -> None:
        raise RuntimeError

    for case in both:
        for form in Format:
            with pytest.raises(RuntimeError):
                write_export(case.ledger, case.store, "calls", Selection(), form, io.BytesIO(), progress=fail)
        with case.store.snapshot() as connection:
            assert case.store.position(connection, case.ledger.store) == case.ledger.head()


@pytest.mark.parametrize("model", STORED_TABLES)
def test_a_sample_makes_the_same_frames(both: tuple[Case, Case], model: str) -> None:
    ours, theirs = (getattr(frames, model.replace("-", "_"))(case.url) for case in both)
    pd.testing.assert_frame_equal(theirs, ours)


def test_a_sample_has_the_same_calls_that_wait_and_tags_that_lack_their_openings(both: tuple[Case, Case]) -> None:
    found = []
    for ledger, store, _ in both:
        latest = ledger.notice_at(ledger.head()).received_at
        with store.snapshot() as connection:
            waiting = calls.count_overdue(connection, ledger.options.window, latest + 10**12)
            found.append((waiting, calls.tags_without_openings(connection, ledger.head())))
    assert found[0] == found[1]


@contextmanager
def fresh_postgres(postgres: Postgres, chosen: Rules = Rules()) -> Iterator[Ledger]:  # noqa: B008
    with postgres.database() as url, opened(url, chosen.terms, formula=chosen.formula) as ledger:
        yield ledger


def log(ledger: Ledger) -> list[tuple[int, str, int, str]]:
    """Return the log without what differs from one recording to the next: its clock."""
    return [(row.position, row.stream, row.version, row.topic) for row in ledger.store.page(0, 1 << 31, 1 << 62)]


@settings(max_examples=EXAMPLES)
@given(data=st.data())
def test_any_log_is_shown_the_same_however_the_read_models_came_to_be(data: st.DataObject, postgres: Postgres) -> None:
    chosen = data.draw(rules)
    heard = data.draw(traffic(chosen.formula))
    sizes = data.draw(st.lists(st.integers(1, 30), min_size=1, max_size=4))
    with fresh(chosen) as (ours, store), fresh_postgres(postgres, chosen) as theirs:
        with closing(open_current(theirs)) as followed:
            for batch in batches(heard, sizes):
                take(ours, batch)
                take(theirs, batch)
                with pages(data.draw(st.sampled_from((1, 3, 60, 4000)))):
                    catch_up(theirs, followed, data.draw(st.none() | st.integers(0, theirs.head())))
            catch_up(theirs, followed)
        catch_up(ours, store)
        expected = tables(ours)
        assert log(theirs) == log(ours)
        assert tables(theirs) == expected
        assert check_read_models(theirs)[:3] == rebuild(theirs)[:3] == ([], 0, theirs.head())
        assert tables(theirs) == expected
        same = zip(flat(tables(theirs)), flat(expected), strict=True)
        assert all(type(one) is type(other) for one, other in same)


def test_sums_beyond_what_a_float_holds_stay_exact(postgres: Postgres) -> None:
    with fresh_postgres(postgres) as ledger, closing(open_current(ledger)) as store, pages(50):
        record(ledger, *[cdr(number, srcduration=str(number), **HUGE) for number in range(101)])
        catch_up(ledger, store)
        ((_, _, _, _, _, _, cost, *_),) = tables(ledger)["billing"]
        assert cost == 999_999_999_999_999 * 202
        assert check_read_models(ledger).found == 0


def test_followers_at_once_beside_a_writer_leave_the_read_models_as_one_would(postgres: Postgres) -> None:
    with fresh_postgres(postgres) as ledger, pages(5), ThreadPoolExecutor(3) as threads:
        done: list[bool] = []

        def follow(_: int) -> None:
            with closing(open_current(ledger)) as store:
                while not done:
                    catch_up(ledger, store)
                catch_up(ledger, store)

        followers = threads.map(follow, range(3))
        for batch in batches(lines("busy-lines")[:400], [17, 3]):
            take(ledger, batch)
        done.append(True)
        list(followers)
        followed = tables(ledger)
        assert rebuild(ledger).found == 0
        assert tables(ledger) == followed
        assert len(followed["calls"]) > 60

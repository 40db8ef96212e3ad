"""Read models on PostgreSQL: schemas that several make at once, none dropped under a reader, and turns that are taken over."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import psycopg
import pytest
from psycopg import conninfo
from sqlalchemy import select

from domain.errors import StoreUnavailable
from domain.log.advisory_lock import CHANNEL
from domain.log.open import open_log
from projections.schema.rollups import COMPARED_TABLES
from projections.schema.tables import CHANNELS
from projections.stores import postgres as store_postgres
from projections.stores.base import ReadModelsUnusable, ReadStore, RebuildRunning
from projections.stores.postgres import PostgresGenerations
from projections.stores.postgres_build import PostgresBuildWriter
from projections.stores.postgres_follower_lock import PostgresFollowerLock
from projections.stores.upsert import ARRAYS_FROM, find_rows, put_rows
from tests.support.postgres_server import Postgres

LEDGER = "a ledger's id"


@pytest.fixture
def kept(database: str) -> PostgresGenerations:
    return PostgresGenerations(database, LEDGER)


@pytest.fixture
def execute(postgres: Postgres, database: str) -> Callable[..., list[tuple[object, ...]]]:
    """Return a function that runs a statement in the test's database, as its administrator."""
    name = conninfo.conninfo_to_dict(database)["dbname"]
    return lambda statement: postgres.execute(statement, database=str(name))


@pytest.fixture
def stamps(execute: Callable[..., list[tuple[int]]]) -> Callable[[], list[int]]:
    """Return a function that tells which generations there are."""
    found = " UNION ALL ".join(f"SELECT number FROM tringledger_read_{slot}.generation" for slot in (1, 2))
    return lambda: sorted(number for (number,) in execute(found))


def channels(store: ReadStore) -> list[tuple[object, ...]]:
    with store.snapshot() as connection:
        return [tuple(row) for row in connection.execute(select(CHANNELS).order_by(CHANNELS.c.src))]


def written(database: str, token: str, *rows: tuple[object, ...]) -> None:
    with closing(PostgresBuildWriter(database, 2, token)) as writer:
        writer.write({CHANNELS: rows})


def put(store: ReadStore, *sources: str) -> None:
    with store.transaction() as connection:
        put_rows(connection, CHANNELS, [(number, 1, src, "") for number, src in enumerate(sources, start=1)])


def put_and_be_cut(store: ReadStore, cut: Callable[[], object]) -> None:
    with store.transaction() as connection:
        put_rows(connection, CHANNELS, [(1, 1, "lost", "")])
        cut()
        put_rows(connection, CHANNELS, [(number, 1, "lost", "") for number in range(2, 1000)])


@contextmanager
def taking(database: str) -> Iterator[PostgresFollowerLock]:
    with closing(PostgresFollowerLock(database)) as turn:
        yield turn


def waited(turn: PostgresFollowerLock, stopping: threading.Event | None = None) -> float:
    began = time.monotonic()
    turn.wait(stopping or threading.Event())
    return time.monotonic() - began


def soon(holds: Callable[[], bool]) -> None:
    """Wait until the server has noticed what happened to a connection."""
    until = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.02)


class TestMakingThem:
    def test_many_that_open_at_once_make_them_once(self, kept: PostgresGenerations, database: str) -> None:
        together = threading.Barrier(8)

        def opened(_: int) -> list[int]:
            together.wait()
            with closing(kept.open(1)) as store, store.snapshot() as connection, closing(open_log(database)) as log:
                return [store.position(connection, log)]

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(opened, range(8))) == [[0]] * 8

    def test_a_role_that_may_not_is_told_what_it_needs(
        self, kept: PostgresGenerations, database: str, execute: Callable[..., object]
    ) -> None:
        execute("DROP ROLE IF EXISTS reader")
        execute("CREATE ROLE reader LOGIN")
        theirs = PostgresGenerations(database.replace("postgres@", "reader@"), LEDGER)
        with pytest.raises(StoreUnavailable, match=r"tringledger_read_1.* cannot be made: .*run `tringledger migrate`"):
            theirs.open(1)
        kept.open(1).close()
        with pytest.raises(StoreUnavailable, match="tringledger_read_1 cannot be used now: permission denied"):
            theirs.open(1)

    def test_that_somebody_dropped_are_noticed_and_made_anew(
        self, kept: PostgresGenerations, execute: Callable[..., object]
    ) -> None:
        with closing(kept.open(1)) as store:
            assert store.still_exists()
            execute("DROP SCHEMA tringledger_read_1 CASCADE")
            assert not store.still_exists()
            with pytest.raises(StoreUnavailable, match=r"tringledger_read_1 cannot be used now: .*generation"):
                channels(store)
        with closing(kept.open(1)) as store:
            assert channels(store) == []

    def test_a_server_that_is_down_is_unavailable_by_name(self, kept: PostgresGenerations, postgres: Postgres) -> None:
        postgres.stop()
        with pytest.raises(StoreUnavailable, match="schema tringledger_read_1 cannot be used now"):
            kept.open(1)
        with pytest.raises(StoreUnavailable, match="cannot be used now"), kept.rebuild_lock():
            pass


class TestRows:
    @pytest.mark.parametrize("count", [1, ARRAYS_FROM - 1, ARRAYS_FROM, 3 * ARRAYS_FROM])
    def test_put_twice_are_replaced(self, kept: PostgresGenerations, count: int) -> None:
        with closing(kept.open(1)) as store:
            put(store, *["before"] * (count + 1))
            put(store, *["after"] * count)
            assert [row[2] for row in channels(store)] == ["after"] * count + ["before"]

    def test_are_found_once_each_however_often_their_key_is_asked_for(self, kept: PostgresGenerations) -> None:
        with closing(kept.open(1)) as store:
            put(store, "one", "two", "three")
            with store.snapshot() as connection:
                found = find_rows(connection, CHANNELS, [CHANNELS.c.position], [(1,), (3,), (1,), (9,)])
                assert sorted(str(row[2]) for row in found) == ["one", "three"]

    def test_hold_any_text(self, kept: PostgresGenerations) -> None:
        texts = ["", "\\N", "\\.", "a\tb\nc\r", "é", "𝄞", "'\"", "{1,2}", "%s"] * 20
        with closing(kept.open(1)) as store:
            put(store, *texts)
            assert sorted(str(row[2]) for row in channels(store)) == sorted(texts)

    def test_are_ordered_by_code_points(self, kept: PostgresGenerations) -> None:
        texts = ["a", "B", "é", "z", "Z", "-", "😀", "\ufffd", "ä", "_", "A", "10", "9"]
        with closing(kept.open(1)) as store:
            put(store, *texts)
            assert [row[2] for row in channels(store)] == sorted(texts)

    def test_are_so_whatever_language_the_database_is_for(
        self, kept: PostgresGenerations, execute: Callable[..., object]
    ) -> None:
        kept.open(1).close()
        found = execute(
            "SELECT DISTINCT collation_name FROM information_schema.columns"
            " WHERE table_schema = 'tringledger_read_1' AND data_type = 'text' AND table_name <> 'progress'"
        )
        assert found == [("C",)]

    def test_of_a_transaction_that_is_cut_are_gone_and_the_next_one_works(
        self, kept: PostgresGenerations, postgres: Postgres, database: str
    ) -> None:
        with closing(kept.open(1)) as store:
            with pytest.raises(StoreUnavailable, match="cannot be used now"):
                put_and_be_cut(store, lambda: postgres.kill_backends(database))
            put(store, "kept")
            assert [row[2] for row in channels(store)] == ["kept"]

    def test_seen_by_a_reader_do_not_change_under_it(self, kept: PostgresGenerations) -> None:
        with closing(kept.open(1)) as store:
            put(store, "before")
            with store.snapshot() as connection:
                before = connection.execute(select(CHANNELS)).all()
                put(store, "after", "more")
                assert connection.execute(select(CHANNELS)).all() == before


class TestRemovingThem:
    def test_leaves_what_is_open_until_it_is_closed(
        self, kept: PostgresGenerations, stamps: Callable[[], list[int]], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(store_postgres, "REMOVAL_TIMEOUT_SECONDS", 1)
        with closing(kept.open(1)) as old, closing(kept.open(2)):
            kept.remove_before(2)
            assert stamps() == [1, 2]
            assert channels(old) == []
            with pytest.raises(StoreUnavailable, match="generation 1 cannot be used now"):
                kept.remove(1)
            with pytest.raises(
                StoreUnavailable, match=r"tringledger_read_1 is still in use, .*: process \d+, role postgres, "
            ):
                kept.clear(3)
            assert channels(old) == []
        kept.remove_before(2)
        assert stamps() == [2]
        kept.remove(4)
        assert stamps() == [2]
        kept.remove(2)
        kept.remove(2)
        assert stamps() == []

    def test_waits_for_nobody_who_looks_by_hand(
        self, kept: PostgresGenerations, database: str, stamps: Callable[[], list[int]]
    ) -> None:
        for generation in (1, 2):
            kept.open(generation).close()
        with psycopg.connect(database) as session:
            session.execute("SELECT * FROM tringledger_read_1.progress")
            kept.remove_before(2)
            assert stamps() == [1, 2]

    def test_makes_room_for_the_next_but_one(self, kept: PostgresGenerations, stamps: Callable[[], list[int]]) -> None:
        with closing(kept.open(1)) as store:
            put(store, "old")
        with pytest.raises(ReadModelsUnusable, match="are of generation 1; expected 3"):
            kept.open(3)
        kept.clear(3)
        with closing(kept.open(3)) as store:
            assert channels(store) == []
        assert stamps() == [3]

    def test_is_met_by_a_store_whose_connections_and_locks_were_cut(
        self, kept: PostgresGenerations, postgres: Postgres, database: str
    ) -> None:
        with closing(kept.open(1)) as stale:
            postgres.kill_backends(database)
            kept.clear(3)
            with closing(kept.open(3)):
                with pytest.raises(StoreUnavailable, match="a rebuild has replaced them"):
                    channels(stale)
                with pytest.raises(StoreUnavailable, match="a rebuild has replaced them"):
                    put(stale, "late")
                assert not stale.still_exists()

    def test_leaves_the_tables_and_what_others_have_built_on_them(
        self, kept: PostgresGenerations, execute: Callable[..., list[object]]
    ) -> None:
        kept.open(1).close()
        execute("CREATE VIEW public.mine AS SELECT src FROM tringledger_read_1.channels")
        kept.clear(3)
        assert execute("SELECT * FROM public.mine") == []


class TestRebuilds:
    def test_one_is_let_in_at_a_time(self, kept: PostgresGenerations, database: str) -> None:
        another = PostgresGenerations(database, LEDGER)
        with kept.rebuild_lock(), pytest.raises(RebuildRunning), another.rebuild_lock():
            pass
        with kept.rebuild_lock():
            pass


class TestTurns:
    def test_one_has_it_until_it_gives_it_up(self, database: str) -> None:
        with taking(database) as first, taking(database) as second:
            assert (first.acquire(), second.acquire()) == (True, False)
            assert (first.acquire(), second.acquire()) == (True, False)
            first.close()
            soon(second.acquire)
            assert not first.acquire()

    def test_whose_connection_is_cut_is_noticed_and_may_go_to_another(self, database: str, postgres: Postgres) -> None:
        with taking(database) as first, taking(database) as second:
            assert first.acquire()
            postgres.kill_backends(database)
            soon(second.acquire)
            with pytest.raises(StoreUnavailable, match="cannot be used now"):
                first.acquire()
            assert not first.acquire()

    def test_is_taken_again_after_the_server_was_restarted(self, database: str, postgres: Postgres) -> None:
        with taking(database) as turn:
            assert turn.acquire()
            postgres.stop()
            for _ in range(3):
                with pytest.raises(StoreUnavailable):
                    turn.acquire()
            postgres.start()
            assert turn.acquire()

    def test_waits_for_a_word_but_no_longer_than_a_second(self, database: str, execute: Callable[..., object]) -> None:
        with taking(database) as turn:
            assert turn.acquire()
            assert 0.9 < waited(turn) < 1.5
            execute(f"NOTIFY {CHANNEL}")
            assert waited(turn) < 0.7
            assert 0.9 < waited(turn) < 1.5

    def test_waits_no_longer_than_until_told_to_stop(self, database: str) -> None:
        with taking(database) as first, taking(database) as second:
            assert (first.acquire(), second.acquire()) == (True, False)
            for turn in (first, second):
                stopping = threading.Event()
                telling = threading.Timer(0.2, stopping.set)
                telling.start()
                assert waited(turn, stopping) < 0.7
                telling.join()

    def test_a_wait_on_a_cut_connection_ends_at_once(self, database: str, postgres: Postgres) -> None:
        with taking(database) as turn:
            assert turn.acquire()
            postgres.kill_backends(database)
            assert waited(turn) < 0.7


def test_every_read_model_is_made_in_its_own_schema(
    kept: PostgresGenerations, execute: Callable[..., list[tuple[str]]]
) -> None:
    kept.open(7).close()
    found = execute("SELECT tablename FROM pg_tables WHERE schemaname = 'tringledger_read_1'")
    assert {row[0] for row in found} == {table.name for table in COMPARED_TABLES.values()} | {"progress", "generation"}


def test_several_processes_write_into_a_build_and_what_one_had_written_before_it_was_lost_is_there_once(
    database: str, kept: PostgresGenerations
) -> None:
    with closing(kept.open(2, building=True)) as building:
        token = building.share_build()
        with building.transaction():
            written(database, token, (1, 1, "a", "x"), (2, 1, "b", ""))
            written(database, token, (3, 1, "c", ""))
            written(database, token, (1, 1, "a", "x"), (2, 1, "b", ""))
        assert channels(building) == [(1, 1, "a", "x"), (2, 1, "b", ""), (3, 1, "c", "")]


def test_what_is_written_into_a_build_that_was_dropped_is_refused(database: str, kept: PostgresGenerations) -> None:
    with closing(kept.open(2, building=True)) as building:
        token = building.share_build()
    kept.remove(2)
    with pytest.raises(StoreUnavailable, match="were deleted, or a rebuild has replaced them"):
        written(database, token, (1, 1, "a", ""))


def test_what_comes_late_is_refused_once_a_build_has_its_position_or_was_begun_anew(
    database: str, kept: PostgresGenerations
) -> None:
    """A worker that was given up may still be folding: what it has is older than what has followed the log since."""
    with closing(kept.open(2, building=True)) as building:
        late, token = building.share_build(), building.share_build()
        written(database, token, (1, 1, "new", ""))
        with pytest.raises(StoreUnavailable, match="takes no more rows: got position 0"):
            written(database, late, (1, 1, "old", ""))
        with building.transaction() as connection:
            building.set_position(connection, 5, "")
        with pytest.raises(StoreUnavailable, match="takes no more rows: got position 5"):
            written(database, token, (1, 1, "old", ""))
        assert channels(building) == [(1, 1, "new", "")]

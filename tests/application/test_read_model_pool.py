"""What pages and the API read from: always the current read models, whoever rebuilds or reads meanwhile."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

from sqlalchemy import func, select

from api.application.read_model_pool import ReadModelPool, ReadSession
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.building.rebuild import rebuild
from projections.schema.tables import CALLS
from projections.stores.generations import generation_of, open_current
from tests.support.ledgers import opened, record
from tests.support.notices import callstatus


def calls(room: ReadSession) -> int:
    return room.connection.execute(select(func.count()).select_from(CALLS)).scalar_one()


def follow(ledger: Ledger) -> None:
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)


def test_a_room_shows_one_position_whoever_writes_meanwhile(store_url: str) -> None:
    with opened(store_url) as ledger, closing(ReadModelPool(ledger)) as shelf:
        record(ledger, callstatus("SRCANSWERED"))
        follow(ledger)
        with shelf.session() as room:
            record(ledger, callstatus("SRCANSWERED", tag="other"))
            follow(ledger)
            assert (room.position, calls(room)) == (1, 1)
        with shelf.session() as room:
            assert (room.position, calls(room)) == (2, 2)


def test_after_a_rebuild_the_next_reader_sees_the_new_ones_and_who_reads_goes_on(store_url: str) -> None:
    with opened(store_url) as ledger, closing(ReadModelPool(ledger)) as shelf:
        record(ledger, callstatus("SRCANSWERED"))
        with shelf.session() as before:
            assert calls(before) == 0
            rebuild(ledger)
            with shelf.session() as room:
                assert (room.position, calls(room)) == (1, 1)
            assert calls(before) == 0
        assert generation_of(ledger) == 2


def test_many_threads_read_at_once(store_url: str) -> None:
    with opened(store_url) as ledger, closing(ReadModelPool(ledger)) as shelf:
        record(ledger, callstatus("SRCANSWERED"))
        follow(ledger)

        def look(_: int) -> int:
            with shelf.session() as room:
                return calls(room)

        with ThreadPoolExecutor(12) as threads:
            assert set(threads.map(look, range(100))) == {1}


def test_what_nobody_reads_any_more_is_let_go_after_a_rebuild(store_url: str) -> None:
    with opened(store_url) as ledger, closing(ReadModelPool(ledger)) as pool:
        with pool.session():
            pass
        rebuild(ledger)
        pool.let_go()
        # On PostgreSQL this one needs the place of the first.
        rebuild(ledger)
        assert generation_of(ledger) == 3

"""The log on PostgreSQL: what heals without help, who waits for whom, and what is refused (its own cases)."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread
from time import monotonic

import psycopg
import pytest

from domain.errors import LedgerError, NoLedger, StoreUnavailable, UnknownStore
from domain.ledger import Ledger
from domain.log import urls
from domain.log.postgres import connections as postgres_connections
from domain.log.postgres import line_calls as postgres_lines
from domain.log.postgres.log import PostgresLog
from domain.log.postgres.transaction import PostgresTransaction
from domain.notices.signature import Keyring
from domain.outcomes import Duplicate, Recorded
from projections.building.catch_up import catch_up
from projections.stores.generations import open_current
from tests.support.ledgers import opened, record
from tests.support.notices import GRACE, callstatus, cdr, signed
from tests.support.postgres_server import Postgres
from tests.support.tcp_proxy import Network, network

OTHERS_TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'tringledger'"


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    with opened(database) as found:
        yield found


@pytest.fixture
def far(ledger: Ledger, postgres: Postgres) -> Iterator[tuple[Ledger, Network]]:
    """Return the same ledger as somebody sees it across a network, and that network."""
    name = postgres.name_of(ledger.url)
    with (
        network(postgres.directory / ".s.PGSQL.5432") as way,
        opened(f"postgresql://postgres@127.0.0.1:{way.port}/{name}?sslmode=disable") as seen,
    ):
        yield seen, way


def positions(ledger: Ledger) -> list[int]:
    return [row.position for row in ledger.store.page(0, 1000, 1000)]


# What breaks, and heals


def test_a_connection_that_was_cut_while_nobody_used_it_costs_nothing(ledger: Ledger, postgres: Postgres) -> None:
    record(ledger, cdr(1))
    assert postgres.kill_backends(ledger.url) == 1
    record(ledger, cdr(2))
    assert postgres.kill_backends(ledger.url) == 1
    assert ledger.head() == 2


def test_a_connection_cut_in_a_transaction_costs_that_transaction_and_nothing_more(
    ledger: Ledger, postgres: Postgres
) -> None:
    deliveries = [ledger.verify_delivery(signed(cdr(1).pairs).encode(), cdr(1).at)]
    with pytest.raises(StoreUnavailable, match="cannot be used now"), ledger.recording() as recording:  # noqa: PT012
        recording.record_all(deliveries)
        postgres.kill_backends(ledger.url)
    assert ledger.head() == 0
    assert [type(answer) for answer in ledger.record(deliveries)] == [Recorded]
    assert positions(ledger) == [1]


def test_while_the_server_is_down_the_store_is_unavailable_and_afterwards_it_is_not(
    ledger: Ledger, postgres: Postgres
) -> None:
    record(ledger, cdr(1))
    postgres.stop()
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match="cannot be used now"):
            record(ledger, cdr(2))
        with pytest.raises(StoreUnavailable, match="cannot be used now"):
            ledger.head()
    postgres.start()
    assert ledger.head() == 1
    record(ledger, cdr(2))
    assert positions(ledger) == [1, 2]


def test_where_the_commits_answer_is_lost_it_is_unavailable_and_coming_again_is_harmless(
    ledger: Ledger, far: tuple[Ledger, Network]
) -> None:
    seen, way = far
    record(seen, cdr(1))
    way.is_last = lambda sent: b"COMMIT\0" in sent
    with pytest.raises(StoreUnavailable):
        record(seen, cdr(2))
    way.is_last = lambda _: False
    assert ledger.head() == 2
    assert record(seen, cdr(2)) == [Duplicate(2)]


def test_a_server_that_falls_silent_is_unavailable_not_waited_for(
    ledger: Ledger, far: tuple[Ledger, Network], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_connections, "ANSWER_SECONDS_MAX", 1)
    seen, way = far
    record(seen, cdr(1))
    way.freeze()
    begun = monotonic()
    with pytest.raises(StoreUnavailable, match="has not answered for 1 s"):
        record(seen, cdr(2))
    assert monotonic() < begun + 8
    assert ledger.head() == 1


# Who waits for whom


def test_a_lock_held_for_long_by_somebody_else_is_unavailable_and_then_is_not(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_connections._SESSION, "lock_timeout", "500ms")
    with opened(database) as ledger, psycopg.connect(database) as other:
        other.execute("LOCK TABLE tringledger.stored_events IN EXCLUSIVE MODE")
        with pytest.raises(StoreUnavailable, match="lock timeout"):
            record(ledger, cdr(1))
        assert ledger.head() == 0
        other.rollback()
        assert isinstance(record(ledger, cdr(1))[0], Recorded)


def test_a_writer_that_stops_in_the_middle_does_not_stop_the_others(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(postgres_connections._SESSION, "idle_in_transaction_session_timeout", "500ms")
    with opened(database) as stopped, opened(database) as other:
        with pytest.raises(StoreUnavailable), stopped.recording() as recording:  # noqa: PT012
            recording.record_all([stopped.verify_delivery(signed(cdr(1).pairs).encode(), 1)])
            waiting = Thread(target=record, args=(other, cdr(2)))
            waiting.start()
            waiting.join(10)
        assert positions(other) == [1]
        assert b"".join(row.state for row in other.store.page(0, 9, 9)).count(b'"r","2"') == 1


def test_a_commit_is_durable_whatever_the_server_is_set_to(database: str, postgres: Postgres) -> None:
    name = postgres.name_of(database)
    postgres.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    with opened(database) as ledger, ledger.store.transaction() as log:
        assert isinstance(log, PostgresTransaction)
        assert log._connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
    postgres.execute(f"ALTER DATABASE {name} RESET synchronous_commit")


def test_who_listens_is_woken_by_every_commit_of_events(database: str) -> None:
    with opened(database) as ledger, psycopg.connect(database, autocommit=True) as listener:
        listener.execute("LISTEN tringledger")
        record(ledger, cdr(1), cdr(2))
        record(ledger, cdr(3))
        assert [each.channel for each in listener.notifies(timeout=5, stop_after=2)] == ["tringledger"] * 2


def test_no_line_is_walked_and_no_table_scanned(database: str) -> None:
    with opened(database) as ledger:
        record(ledger, *[callstatus("SRCANSWERED", number * GRACE) for number in range(50)])
    with psycopg.connect(database) as connection:
        connection.execute("SET enable_seqscan = off")
        for query in (postgres_lines.LATEST_CALLS, postgres_lines.OVERLAPPING_CALLS, postgres_lines.LATEST_BEGUN):
            literal = query.replace("%b::text[]", "'{line}'::text[]").replace("%b::bigint[]", "'{1}'::bigint[]")
            literal = literal.replace("line = %s", "line = 'line'").replace("%s", "1")
            plan = "\n".join(row[0] for row in connection.execute(f"EXPLAIN {literal}".encode()))
            assert "Seq Scan" not in plan
            assert "Sort" not in plan
            assert "Index" in plan


def test_delivery_keys_are_looked_up_many_at_once(ledger: Ledger) -> None:
    record(ledger, cdr(1), cdr(2, srccharge="x"))
    keys = [
        ledger.verify_delivery(signed(notice.pairs).encode(), 1).notification.key
        for notice in (cdr(1), cdr(2, srccharge="x"), cdr(3))
    ]
    assert ledger.store.positions(keys) == {keys[0]: 1}
    assert ledger.store.quarantined_keys(keys) == {keys[1]}
    assert (ledger.store.positions([]), ledger.store.quarantined_keys([])) == ({}, set())


# What an address may be, and what is shown of it


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("sqlite:///a:b@c.db", "sqlite:///a:b@c.db"),
        ("postgresql://host/db", "postgresql://host/db"),
        ("postgresql://user@host:5432/db", "postgresql://user@host:5432/db"),
        ("postgresql://user:s3cret@host:5432/db", "postgresql://user:***@host:5432/db"),
        ("postgresql://user:s3cret@one:1,two:2/db?a=b@c", "postgresql://user:***@one:1,two:2/db?a=b@c"),
        ("postgresql://user:s3@cret@host/db", "postgresql://user:***@host/db"),
        ("postgresql://user:s3/cret@host/db", "postgresql://user:***@host/db"),
        ("postgres://user:s3?cret@host/db", "postgres://user:***@host/db"),
        ("postgresql://host/db?user=u&password=s3cret&sslpassword=s3cret", None),
    ],
)
def test_a_password_is_never_shown(url: str, shown: str | None) -> None:
    assert "s3" not in urls.redacted(url).replace("sqlite", "")
    assert urls.redacted(url) == (shown or "postgresql://host/db?user=u&password=***&sslpassword=***")


@pytest.mark.parametrize(
    "url", ["postgresql://", "postgresql://u:s3cret@h:1/", "postgresql://u:s3%cret@h/d", "postgresql://h/d?s3cret=1"]
)
def test_an_address_that_the_driver_cannot_read_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(UnknownStore, match=r"expected sqlite:///PATH, such as .* or postgresql://USER") as refused:
        Ledger(url)
    assert "u:s3" not in str(refused.value)


def test_a_server_that_cannot_be_reached_is_named_without_the_password() -> None:
    with pytest.raises(
        StoreUnavailable, match=r"postgresql://u:\*\*\*@127.0.0.1:1/d cannot be used now: .*refused"
    ) as no:
        Ledger("postgresql://u:s3cret@127.0.0.1:1/d")
    assert "s3cret" not in str(no.value)
    assert "\n" not in str(no.value)


def test_without_its_driver_it_says_what_to_install_and_sqlite_does_not_need_it() -> None:
    code = "import sys; sys.modules['psycopg'] = None; from api.cli.main import main; main()"
    command = [sys.executable, "-c", code, "status", "--store", "postgresql://h/d"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[3], check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert "pip install '.[postgres]'" in done.stderr
    assert "Traceback" not in done.stderr


# The schema


def test_where_nobody_has_migrated_there_is_no_ledger_and_none_is_made(database: str) -> None:
    with pytest.raises(NoLedger, match="`tringledger migrate` creates one"):
        Ledger(database)
    with psycopg.connect(database) as connection:
        assert connection.execute(OTHERS_TABLES).fetchone() == (0,)


def test_an_older_schema_is_upgraded_where_asked_for_and_a_newer_one_refused(
    database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened(database) as ledger:
        assert ledger.found_schema == 0
    monkeypatch.setattr(PostgresLog, "schema", 4)
    with pytest.raises(
        LedgerError, match="has schema 3, and this version of tringledger knows 4: run `tringledger migr"
    ):
        Ledger(database)
    with opened(database) as ledger:
        assert ledger.found_schema == 3
    monkeypatch.undo()
    for create in (False, True):
        with pytest.raises(LedgerError, match="has schema 4, and this version of tringledger knows 3: use the newer"):
            Ledger(database, create=create)


def test_a_database_that_cannot_hold_every_text_is_refused(postgres: Postgres) -> None:
    postgres.execute("CREATE DATABASE narrow ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    try:
        with pytest.raises(LedgerError, match="the encoding LATIN1; expected UTF8"):
            Ledger(postgres.url("narrow"), create=True)
    finally:
        postgres.execute("DROP DATABASE narrow WITH (FORCE)")


def test_the_longest_texts_that_are_allowed_find_room(database: str) -> None:
    longest = ["".join(chr(0x1F300 + (number * step) % 700) for number in range(256)) for step in (17, 31)]
    control = "".join(chr(1 + number * 7 % 30) for number in range(256))
    r = "".join(chr(0x4E00 + number * 13 % 9000) for number in range(5000))
    with closing(Ledger(database, Keyring("md5-r-key", ["k"]), create=True)) as ledger:
        for tag, src in (longest, (control, control)):
            notice = cdr(1, tag=tag, src=src, r=r)
            delivery = ledger.verify_delivery(signed(notice.pairs, "k", "md5-r-key").encode(), notice.at)
            assert isinstance(ledger.record([delivery])[0], Recorded)
        assert ledger.notice_at(2).nonce_reused == 1


# The names of connections


def names(postgres: Postgres, url: str) -> set[str]:
    """Return the names of the connections to a database."""
    query = "SELECT application_name FROM pg_stat_activity WHERE datname = %s"
    return {name for (name,) in postgres.execute(query, postgres.name_of(url))}


def test_every_connection_says_what_it_is_for(database: str, postgres: Postgres) -> None:
    with opened(database) as ledger, closing(ledger.store.lock("forward")) as lock:
        record(ledger, cdr(1))
        assert lock.acquire()
        with closing(open_current(ledger)) as read_models:
            catch_up(ledger, read_models)
            found = names(postgres, database)
    assert found == {"tringledger-log", "tringledger-lock-forward", "tringledger_read_1"}


def test_a_name_in_the_address_is_used(database: str, postgres: Postgres) -> None:
    with opened(f"{database}&application_name=ours") as ledger:
        record(ledger, cdr(1))
        assert names(postgres, database) == {"ours"}

"""``tringledger copy``: a ledger moves to another store and goes on there, whatever happens on the way."""

import asyncio
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import psycopg
import pytest

from domain.copying import copy_marks
from domain.errors import StoreUnavailable
from domain.ledger import Ledger
from domain.log import open as address
from domain.log import urls
from domain.log.sqlite.copy_access import SQLiteFill
from domain.log.tables import LogTable, TableRow
from domain.notices.signature import Keyring
from projections.stores.generations import GENERATION
from tests.conftest import SQLITE_FIRST, new_store
from tests.support import http_client as caller
from tests.support import store_copies as copies
from tests.support.asgi_service import eventually
from tests.support.command import SECONDS_MAX, Said, run, run_alone, serving
from tests.support.http_client import Replies, ask, deliver, get
from tests.support.ledger_inspection import SHOWN, head
from tests.support.notices import KEY, OTHER_KEY, callstatus, line, signed
from tests.support.samples import SAMPLES
from tests.support.store_copies import dump

DONE, FINDING, USAGE, UNAVAILABLE = 0, 1, 2, 3
COMPLETE = "the copy is complete: "
SLOWLY = "from domain.copying import copy; copy.ROWS_A_TRANSACTION = 2; from api.cli.main import main; main()"


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fill a ledger once for all tests here; each works with a file of its own."""
    path = tmp_path_factory.mktemp("filled") / "ledger.db"
    copies.fill(f"sqlite:///{path}")
    return path


@pytest.fixture
def source(filled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a ledger in a file, with something in every table."""
    monkeypatch.setenv("TRINGME_PRIVATE_KEY", KEY)
    (tmp_path / "source").mkdir()
    shutil.copy(filled, tmp_path / "source" / "ledger.db")
    return f"sqlite:///{tmp_path}/source/ledger.db"


@pytest.fixture(params=SQLITE_FIRST)
def target(request: pytest.FixtureRequest) -> str:
    """Return the address of an empty store of each kind."""
    return new_store(request.param, request)


def copied(origin: str, to: str) -> Said:
    """Copy; it must succeed."""
    said = run("copy", origin, to)
    assert (said.code, said.out) == (DONE, ""), said.err
    assert COMPLETE in said.err
    return said


def digest(said: Said) -> str:
    found = re.search(r"digest ([0-9a-f]{64}),", said.err)
    assert found
    return found[1]


def exports(store: str) -> list[str]:
    return [run("export", model, "--store", store).out for model in SHOWN]


def refusal(origin: str, to: str, code: int = USAGE) -> str:
    said = run("copy", origin, to)
    assert (said.code, said.out) == (code, ""), said.err
    return said.err


def record(store: str, *queries: str, key: str = KEY) -> Any:
    """Record notices into a ledger as an import does, and return what was said."""
    return run("import", "-", "--store", store, stdin="".join(map(line, queries)), TRINGME_PRIVATE_KEY=key)


class TestWhatIsCopied:
    def test_there_is_something_in_every_table(self, source: str) -> None:
        found = dump(source)
        assert min(len(rows) for rows in found.values()) >= 3
        assert {"forwarded", "forwarding_skipped:14", "signature_fitted", "id"} <= dict(found["ledger"]).keys()
        assert len({bool(row[-1]) for row in found["quarantine"]}) == 2, "some are settled, and some are not"

    def test_there_and_back_again_it_is_the_same_to_the_byte(self, source: str, database: str, tmp_path: Path) -> None:
        back = f"sqlite:///{tmp_path}/back.db"
        there, again = copied(source, database), copied(database, back)
        assert dump(database) == dump(back) == dump(source)
        assert digest(there) == digest(again)
        events, keys, quarantined = (
            len(dump(source)[name]) for name in ("stored_events", "delivery_keys", "quarantine")
        )
        assert f"{COMPLETE}{events} events, {keys} delivery keys, " in there.err
        assert f"{quarantined} in quarantine, digest " in there.err
        assert "meanwhile" not in there.err

    def test_every_export_is_the_same(self, source: str, target: str) -> None:
        copied(source, target)
        assert exports(target) == exports(source)

    def test_an_empty_ledger_can_be_copied(self, tmp_path: Path, target: str) -> None:
        empty = f"sqlite:///{tmp_path}/empty.db"
        with Ledger(empty, create=True) as ledger:
            ledger_id = ledger.id
        copied(empty, target)
        with Ledger(target) as ledger:
            assert (ledger.id, ledger.head()) == (ledger_id, 0)

    def test_what_is_said_of_a_store_stays_with_it(self, source: str, target: str) -> None:
        assert GENERATION in copy_marks.NOT_CARRIED
        run("rebuild", "--store", source)
        copied(source, target)
        assert copies.facts(source)[GENERATION] == "2"
        assert GENERATION not in copies.facts(target)

    def test_copied_again_only_what_is_new_is_written(self, source: str, target: str) -> None:
        copied(source, target)
        run("status", "--store", target)
        record(source, signed(callstatus(r=900, tag="new")), signed(callstatus(r=901, tag="new"), "a wrong key"))
        record(source, *(signed(callstatus(r=number, tag="later"), OTHER_KEY) for number in range(2)))
        copied(source, target)
        assert dump(target) == dump(source)
        assert exports(target) == exports(source)


class TestGoingOnThere:
    def test_the_service_goes_on_where_the_ledger_was(self, source: str, target: str, tmp_path: Path) -> None:
        first = signed(callstatus(r=1, tag="moving", src="1"))
        record(source, first)
        last = head(source)
        copied(source, target)
        with serving(tmp_path, "--store", target) as server:
            again = asyncio.run(ask(server.port, get(first)))
            new = asyncio.run(ask(server.port, get(signed(callstatus(r=2, tag="moving", src="1", status="SRCFAILED")))))
        assert again.json() == {"status": "duplicate", "position": last}
        assert new.json() == {"status": "recorded", "position": last + 1}
        with Ledger(target) as ledger:
            assert ledger.last_ordinal(("moving", "1")) == 2

    def test_what_waits_in_quarantine_is_reprocessed_there(self, source: str, target: str) -> None:
        waiting = signed(callstatus(r=77, tag="waiting"), OTHER_KEY)
        record(source, waiting)
        copied(source, target)
        said = run("quarantine", "reprocess", "--all", "--store", target, TRINGME_PRIVATE_KEY=OTHER_KEY)
        assert f"recorded, position {head(source) + 1}\n" in said.out

    def test_no_number_of_the_quarantine_is_given_again(self, source: str, database: str, tmp_path: Path) -> None:
        with Ledger(source) as ledger, ledger.store.transaction() as log:
            log.drop_unauthentic(log.unauthentic_totals().notices, 0)
        with copies.rows(source) as query:
            ((given_last,),) = query("SELECT seq FROM sqlite_sequence WHERE name = 'quarantine'")
            ((highest,),) = query("SELECT max(id) FROM quarantine")
        assert highest < given_last
        back = f"sqlite:///{tmp_path}/back.db"
        copied(source, database)
        copied(database, back)
        for store in (source, database, back):
            record(store, signed(callstatus(r=5000), "a wrong key"))
            assert dump(store)["quarantine"][-1][0] == given_last + 1

    @pytest.mark.parametrize(
        "kinds",
        [
            ("sqlite", "sqlite"),
            pytest.param(("sqlite", "postgres"), marks=pytest.mark.thorough),
            pytest.param(("postgres", "sqlite"), marks=pytest.mark.thorough),
        ],
        ids="-to-".join,
    )
    def test_what_was_written_meanwhile_is_said_and_fetched_by_the_next(
        self, source: str, kinds: tuple[str, str], request: pytest.FixtureRequest, tmp_path: Path
    ) -> None:
        origin, target = source, new_store(kinds[1], request)
        if kinds[0] == "postgres":
            origin = request.getfixturevalue("database")
            copied(source, origin)
        queries = [signed(callstatus(r=number, tag="meanwhile")) for number in range(6000)]
        replies: Replies = {}
        with serving(tmp_path, "--store", origin) as server:
            process = subprocess.Popen(
                [sys.executable, "-c", SLOWLY, "copy", origin, target], stderr=subprocess.PIPE, text=True
            )
            sent = 0
            while process.poll() is None and sent < len(queries):
                asyncio.run(deliver(server.port, queries[sent : sent + 50], replies))
                sent += 50
            _, said = process.communicate(timeout=4 * SECONDS_MAX)  # Two rows a transaction take a busy machine long.
        assert {reply.status for reply in replies.values()} == {200}
        assert (process.returncode, "new events since then" in said) == (DONE, True), said
        part, whole = dump(target), dump(origin)
        assert part["stored_events"] == whole["stored_events"][: len(part["stored_events"])]
        missing = len(whole["stored_events"]) - len(part["stored_events"])
        assert missing == len(whole["delivery_keys"]) - len(part["delivery_keys"]) > 0
        with Ledger(target) as ledger:
            assert ledger.head() == len(part["stored_events"])
        assert "meanwhile" not in copied(origin, target).err
        assert dump(target) == dump(origin)


def is_being_copied(store: str) -> bool:
    return "copying" in _facts_if_any(store)


def has_third_event(store: str) -> bool:
    if not is_being_copied(store):
        return False
    with copies.rows(store) as query:
        return bool(query("SELECT 1 FROM stored_events WHERE position = 3"))


def kill_midway(origin: str, to: str, random: Random, has_come: Callable[[str], bool] = is_being_copied) -> bool:
    """Begin a copy in small steps, and kill it some time after it ``has_come`` so far; return whether that was before its end."""
    command = [sys.executable, "-c", SLOWLY, "copy", origin, to]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + SECONDS_MAX
        while not has_come(to) and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        try:
            process.wait(random.uniform(0.05, 0.6))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        ended = process.wait()
    if urls.is_postgres(to):
        _wait_for_its_sessions(to)
    return ended != DONE


def _wait_for_its_sessions(store: str) -> None:
    """Wait until the server has noticed that a killed process is gone: until then its copy counts as one that runs."""
    others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    with psycopg.connect(store, autocommit=True) as connection:
        eventually(lambda: not connection.execute(others).fetchall())


def _facts_if_any(store: str) -> dict[str, str]:
    if not address.may_exist(store):
        return {}
    with closing(address.open_log(store)) as log:
        return log.facts()


class TestInterrupted:
    @pytest.mark.thorough
    def test_killed_at_any_moment_it_goes_on_where_it_was(self, source: str, target: str) -> None:
        random = Random(3)
        counts = [0]
        for _ in range(4):
            assert kill_midway(source, target, random)
            counts.append(sum(len(rows) for name, rows in dump(target).items() if name != "ledger"))
            said = run("status", "--store", target)
            assert said.code == UNAVAILABLE
            assert f"is a copy of {source} that is not complete: run `tringledger copy`" in said.err
        assert counts == sorted(counts)
        assert 0 < counts[-1] < sum(len(rows) for rows in dump(source).values()), "it was killed in the middle"
        copied(source, target)
        assert dump(target) == dump(source)
        assert "copying" not in copies.facts(target)

    def test_what_the_source_forgot_meanwhile_goes_from_the_copy_too(self, source: str, target: str) -> None:
        record(source, *(signed(callstatus(r=number), "a wrong key") for number in range(5000, 5030)))
        copied(source, target)
        with Ledger(source) as ledger, ledger.store.transaction() as log:
            log.drop_unauthentic(20, 0)
        record(source, *(signed(callstatus(r=number), "a wrong key") for number in range(5010, 5050)))
        copied(source, target)
        assert dump(target) == dump(source)

    def test_nothing_else_can_use_the_store_meanwhile(self, source: str, target: str, tmp_path: Path) -> None:
        with closing(address.open_log(target)) as log:
            log.create()
            with Ledger(source) as ledger, log.fill() as filling:
                filling.set_fact("copying", copy_marks.mark_in_progress(ledger, 0))
        sample = str(SAMPLES / "traffic.ndjson")
        for command in (("status",), ("export", "cdrs"), ("import", sample), ("serve", "--port", "0"), ("rebuild",)):
            started = run_alone if "serve" in command else run
            said = started(*command, "--store", target)
            assert (said.code, said.out) == (UNAVAILABLE, "")
            assert "that is not complete" in said.err
            assert "Traceback" not in said.err
        said = run("copy", target, f"sqlite:///{tmp_path}/third.db")
        assert (said.code, "that is not complete" in said.err) == (UNAVAILABLE, True)
        copied(source, target)
        assert dump(target) == dump(source)


class TestWhatWasOpenBefore:
    """A service that began on a fresh, empty ledger, which a copy then takes over."""

    def test_it_records_nothing_neither_meanwhile_nor_afterwards(self, source: str, target: str) -> None:
        with Ledger(target, Keyring("md5-params", [KEY]), create=True) as open_before:
            delivery = open_before.verify_delivery(signed(callstatus(r=1, tag="stray")).encode(), 0)
            with Ledger(source) as ledger, open_before.store.fill() as filling:
                filling.set_fact("copying", copy_marks.mark_in_progress(ledger, 0))
            with pytest.raises(StoreUnavailable, match="that is not complete"):
                open_before.record([delivery])
            copied(source, target)
            with pytest.raises(StoreUnavailable, match="no longer " + open_before.id):
                open_before.record([delivery])
        assert dump(target) == dump(source)

    def test_read_models_made_of_it_are_not_taken_for_the_ledgers(self, source: str, target: str) -> None:
        Ledger(target, create=True).close()
        assert run("status", "--store", target).code == DONE
        copied(source, target)
        assert exports(target) == exports(source)


class TestRefusals:
    def ledger(self, store: str, *queries: str) -> str:
        """Make another ledger and return its id."""
        with Ledger(store, Keyring("md5-params", [KEY]), create=True) as ledger:
            ledger.record([ledger.verify_delivery(query.encode(), 0) for query in queries])
            return ledger.id

    @pytest.mark.parametrize("key", [KEY, "a wrong key"])
    def test_a_store_with_another_ledger_is_left_alone(self, source: str, target: str, key: str) -> None:
        other = self.ledger(target, signed(callstatus(r=1), key))
        before = dump(target)
        said = refusal(source, target)
        with Ledger(source) as ledger:
            assert f"has ledger {other}, and {source} has ledger {ledger.id}: expected an empty store" in said
        assert dump(target) == before
        assert run("status", "--store", target).code == DONE

    def test_a_copy_begun_of_another_ledger_is_left_alone(self, source: str, target: str, tmp_path: Path) -> None:
        other = f"sqlite:///{tmp_path}/other.db"
        other_id = self.ledger(other, signed(callstatus(r=1)))
        kill_midway(source, target, Random(1))
        before = dump(target)
        assert re.search(rf"a copy of ledger \S+ was begun in .*, and .* has ledger {other_id}", refusal(other, target))
        assert dump(target) == before

    @pytest.mark.parametrize("key", [KEY, "a wrong key"])
    def test_a_copy_that_has_been_used_is_left_alone(self, source: str, target: str, key: str) -> None:
        copied(source, target)
        record(target, signed(callstatus(r=8000), key))
        record(source, signed(callstatus(r=8001)), signed(callstatus(r=8002)))
        before = dump(target)
        assert "has been used since it was made a copy of ledger" in refusal(source, target)
        assert dump(target) == before
        assert run("status", "--store", target).code == DONE

    def test_a_copy_of_a_source_that_went_another_way_is_left_alone(
        self, source: str, target: str, tmp_path: Path
    ) -> None:
        before = tmp_path / "before.db"
        shutil.copy(tmp_path / "source" / "ledger.db", before)
        record(source, signed(callstatus(r=8000)))
        copied(source, target)
        for queries in ((), (signed(callstatus(r=8001)), signed(callstatus(r=8002)))):
            record(f"sqlite:///{before}", *queries)
            assert "have different events at position" in refusal(f"sqlite:///{before}", target)
        assert run("status", "--store", target).code == DONE

    def test_a_store_cannot_be_copied_onto_itself(self, source: str, target: str, tmp_path: Path) -> None:
        (tmp_path / "link.db").symlink_to(tmp_path / "source" / "ledger.db")
        for same in (source, f"sqlite:///{tmp_path}/link.db"):
            assert "itself, not a copy of it: expected another store" in refusal(source, same)
        copied(source, target)
        assert "are one store" in refusal(target, target)
        assert "itself, not a copy of it" in refusal(target, source)
        assert run("status", "--store", target).code == DONE

    def test_a_missing_source_or_an_unknown_store_makes_nothing(self, source: str, tmp_path: Path) -> None:
        new = tmp_path / "new.db"
        assert "there is no ledger at" in refusal(f"sqlite:///{tmp_path}/none.db", f"sqlite:///{new}", UNAVAILABLE)
        assert "expected sqlite:///PATH" in refusal(source, "mysql://x")
        assert "none/new.db" in refusal(source, f"sqlite:///{tmp_path}/none/new.db", UNAVAILABLE)
        assert not new.exists()

    def test_two_copies_into_one_store_do_not_run_at_once(self, source: str, target: str) -> None:
        Ledger(target, create=True).close()
        with closing(address.open_log(target)) as log, closing(log.lock("copy")) as other:
            assert other.acquire()
            said = refusal(source, target, UNAVAILABLE)
        assert f"another copy into {urls.redacted(target)} is running" in said
        copied(source, target)

    def test_passwords_are_not_shown(self, source: str) -> None:
        said = refusal(source, "postgresql://ledger:secret@127.0.0.1:1/x?connect_timeout=1", UNAVAILABLE)
        assert "secret" not in said


class TestTheComparison:
    """What goes wrong on the way is found; the store stays marked, and a further copy mends what can be mended."""

    @pytest.fixture
    def losing(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
        """Return a function that makes a SQLite store lose one row of a table."""

        def lose(name: str) -> None:
            put = SQLiteFill.put

            def losing_one(filling: SQLiteFill, table: LogTable, rows: Sequence[TableRow]) -> None:
                put(filling, table, [*rows[:2], *rows[3:]] if table.name == name else rows)

            monkeypatch.setattr(SQLiteFill, "put", losing_one)

        return lose

    @pytest.mark.parametrize("table", copies.TABLES)
    def test_a_lost_row_is_named(
        self, source: str, tmp_path: Path, losing: Callable[[str], None], table: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        target = f"sqlite:///{tmp_path}/ledger.db"
        with monkeypatch.context():
            losing(table)
            said = refusal(source, target, FINDING)
        assert f"{table} of {target} differ at " in said
        assert table != "stored_events" or "differ at 3:" in said
        assert run("status", "--store", target).code == UNAVAILABLE
        monkeypatch.undo()
        copied(source, target)
        assert dump(target) == dump(source)

    def test_an_event_that_was_changed_in_between_is_never_written_over(self, source: str, target: str) -> None:
        kill_midway(source, target, Random(1), has_third_event)
        assert "copying" in _facts_if_any(target)
        with copies.rows(target) as query:
            assert query("UPDATE stored_events SET topic = 'other' WHERE position = 3 RETURNING 1")
        assert "has stored_events at 3 that" in refusal(source, target, FINDING)
        assert run("status", "--store", target).code == UNAVAILABLE


def test_progress_goes_to_a_terminal_only(source: str, target: str) -> None:
    said = run_alone("copy", source, target)
    assert (said.code, said.out, said.err.count("\n")) == (DONE, "", 1)


@pytest.fixture
def served(source: str, tmp_path: Path) -> Iterator[int]:
    with serving(tmp_path, "--store", source) as server:
        yield server.port


def test_the_source_answers_as_ever_while_it_is_copied(source: str, target: str, served: int) -> None:
    copied(source, target)
    assert caller.health(served)["status"] == "ok"

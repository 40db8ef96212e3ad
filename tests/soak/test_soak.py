"""The soak itself: a short one finds nothing, its disk knows what a power cut leaves, and its judges see what they are for."""

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from uuid import UUID

import pytest

from domain.events.log_row import LogRow
from tests.soak import power_rounds
from tests.soak.interposer import Interposer, Rule, compile_interposer
from tests.soak.jobs import Said, Step, was_killed, writer
from tests.soak.oracle import Promises, check_acts, check_log, rows_of
from tests.soak.placing import check_places
from tests.soak.power_cuts import (
    CREATED,
    SYNC_BEGUN,
    SYNC_ENDED,
    WRITTEN,
    Change,
    Disk,
    StoredFile,
    Write,
    read_journal,
)
from tests.soak.power_rounds import run_power_round
from tests.soak.rounds import Round, new_round
from tests.soak.service_rounds import heal, run_service_round
from tests.soak.traffic import notices
from tests.soak.writer_rounds import run_writer_round
from tests.support.command import Server
from tests.support.ledgers import opened, record
from tests.support.model.corrections import Moved
from tests.support.model.stored_log import facts_of, stored
from tests.support.notices import SECOND, START, callstatus
from tests.support.ports import free_port
from tests.support.postgres_server import Postgres
from tests.support.programs import require_program

SEED = 7
LOG, FOLDER = "/store/ledger.db-wal", "/store"


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_program("cc")
    return compile_interposer(tmp_path_factory.mktemp("interposer"))


@pytest.fixture
def on_file(library: Path, tmp_path: Path) -> Iterator[Round]:
    with new_round(SEED, 1, "sqlite", tmp_path / "round", library) as made:
        yield made


def queries(count: int) -> list[str]:
    made = notices(Random(SEED))
    return [next(made) for _ in range(count)]


def merged_log() -> list[LogRow]:
    """Return a log with two calls of a line that were merged, and a notice that comes after."""
    with TemporaryDirectory() as folder, opened(f"sqlite:///{folder}/ledger.db") as ledger:
        record(ledger, callstatus("SRCANSWERED", r="1"), callstatus("SRCFAILED", 100 * SECOND, r="2"))
        first, second = dict.fromkeys(UUID(row.stream) for row in rows_of(ledger))
        with ledger.operator_session("ann", "one call") as session:
            session.merge_calls(second, first)
        record(ledger, callstatus("COMPLETED", 101 * SECOND, r="3"))
        return rows_of(ledger)


def recorded(this: Round, rules: list[Rule], count: int = 6) -> list[Said]:
    """Have a writer record some notices of its own, one at a time, under rules."""
    with writer(this.interposer) as by:
        this.interposer.arm(rules)
        return list(by.work(this.store.url, [Step("record", [query]) for query in queries(count)]))


class TestTheInterposer:
    def test_a_call_fails_as_it_was_told_and_says_so(self, on_file: Round) -> None:
        said = recorded(on_file, [Rule("fsync", "fail", errno.EIO, left=3, path="ledger.db-wal")])
        assert on_file.interposer.fired() == {"fail fsync EIO": 1}
        assert [each.what for each in said].count("refused") == 1

    def test_a_process_is_killed_in_the_middle_of_a_write(self, on_file: Round) -> None:
        said = recorded(on_file, [Rule("write", "tear", left=30, path="ledger.db")])
        assert on_file.interposer.fired() == {"tear write": 1}
        assert was_killed(said[-1])

    @pytest.mark.thorough
    def test_other_files_are_left_alone(self, on_file: Round, library: Path, tmp_path: Path) -> None:
        on_file.interposer.close()
        on_file.interposer = Interposer(library, tmp_path / "round", tmp_path / "elsewhere", 0)
        said = recorded(on_file, [Rule("write", "fail", errno.EIO, every=1)])
        assert not on_file.interposer.fired()
        assert {each.what for each in said} == {"done", "ended"}


def test_a_read_that_fails_for_a_moment_is_no_damage(on_file: Round) -> None:
    """SQLite has one error for both; and after damage a service takes nothing until somebody has acted."""
    by_itself, after = queries(40)[:20], queries(40)[20:]
    with writer(on_file.interposer) as by:
        list(by.work(on_file.store.url, [Step("record", by_itself)]))
        for number, query in enumerate(after[2::2], start=3):
            on_file.interposer.arm([Rule("read", "fail", errno.EIO, left=number, path="ledger.db")])
            said = list(by.work(on_file.store.url, [Step("record", [query])] * 3))
            is_opened = all(each.step >= 0 for each in said[:-1])
            assert not is_opened or said[2].what == "done", said[2].text
    assert on_file.interposer.fired()["fail read EIO"] > 3


class TestTheDisk:
    def written(self, *changes: tuple[int, str, int, bytes, int]) -> Disk:
        disk = Disk()
        for change in changes:
            disk.apply(Change(*change, 0))
        return disk

    def left(self, disk: Disk) -> set[tuple[tuple[str, bytes], ...]]:
        chance = Random(SEED)
        return {tuple(disk.after_cut(chance).items()) for _ in range(200)}

    def test_a_file_without_a_sync_may_be_missing_empty_or_there(self) -> None:
        disk = self.written((CREATED, LOG, 0, b"", 0), (WRITTEN, LOG, 0, b"ab", 0))
        assert self.left(disk) >= {(), ((LOG, b""),), ((LOG, b"ab"),)}

    def test_what_was_written_before_a_sync_began_is_kept(self) -> None:
        disk = self.written(
            (CREATED, LOG, 0, b"", 0),
            (SYNC_BEGUN, FOLDER, 1, b"", 0),
            (SYNC_ENDED, FOLDER, 1, b"", 0),
            (WRITTEN, LOG, 0, b"ab", 0),
            (SYNC_BEGUN, LOG, 2, b"", 0),
            (WRITTEN, LOG, 2, b"cd", 0),
            (SYNC_ENDED, LOG, 2, b"", 0),
        )
        assert self.left(disk) == {((LOG, b"ab"),), ((LOG, b"abcd"),)}

    def test_what_a_failed_sync_should_have_kept_is_lost_unless_it_is_written_again(self) -> None:
        file = StoredFile()
        file.pending.append(Write(0, b"ab"))
        file.begin_sync(1)
        file.end_sync(1, is_done=False)
        file.pending.append(Write(2, b"cd"))
        file.begin_sync(2)
        file.end_sync(2, is_done=True)
        assert file.after_cut(Random(SEED), 1.0) == b"\0\0cd"

    def test_a_write_may_be_torn_where_a_sector_ends(self) -> None:
        file, chance = StoredFile(), Random(SEED)
        file.pending.append(Write(0, b"a" * 1024))
        found = {file.after_cut(chance, 0.5) for _ in range(200)}
        assert found == {b"", b"a" * 1024, b"a" * 512, bytes(512) + b"a" * 512}

    def test_a_file_that_was_cut_and_not_synced_may_have_either_length(self) -> None:
        file, chance = StoredFile(), Random(SEED)
        file.durable += b"abcd"
        file.pending.append(Write(1, None))
        assert {file.after_cut(chance, 0.5) for _ in range(50)} == {b"a", b"abcd"}


class TestTheJudges:
    @pytest.mark.thorough
    def test_a_disk_that_does_not_sync_is_found_out(self, on_file: Round, monkeypatch: pytest.MonkeyPatch) -> None:
        def lying(file: Path) -> list[Change]:
            return [
                each
                for each in read_journal(file)
                if each.kind not in (SYNC_BEGUN, SYNC_ENDED) or not each.path.endswith("-wal")
            ]

        monkeypatch.setattr(power_rounds, "read_journal", lying)
        with pytest.raises(AssertionError, match="promised at position"):
            run_power_round(on_file, states=60)

    def log_of(self, *queries: str) -> list[LogRow]:
        """Return a log with these notices."""
        with TemporaryDirectory() as folder, opened(f"sqlite:///{folder}/ledger.db") as ledger:
            for query in queries:
                ledger.record([ledger.verify_delivery(query.encode(), START)])
            return rows_of(ledger)

    def test_a_promise_that_is_not_kept_is_found_out(self) -> None:
        first, second = queries(2)
        promises = Promises()
        promises.send([first, second])
        promises.answer(first, 1)
        check_log(self.log_of(first), promises)
        promises.answer(second, 2)
        with pytest.raises(AssertionError, match="promised at position 2, and not there"):
            check_log(self.log_of(first), promises)

    def test_what_was_never_sent_is_found_out(self) -> None:
        first, second = queries(2)
        promises = Promises()
        promises.send([first])
        with pytest.raises(AssertionError, match="never sent"):
            check_log(self.log_of(first, second), promises)

    def test_a_notice_in_another_call_than_corrections_leave_it_is_found_out(self) -> None:
        facts = facts_of([stored(row.position, row.stream_id, row.topic, row.state) for row in merged_log()])
        check_places(facts)
        without = [fact for fact in facts if not isinstance(fact, Moved)]
        with pytest.raises(AssertionError, match="position 5 is in call"):
            check_places(without)

    def test_half_a_move_and_an_act_that_was_lost_are_found_out(self) -> None:
        promises, log = Promises(), merged_log()
        promises.tried.add("one call")
        promises.acted["one call"] = 4
        check_acts(log, promises)
        with pytest.raises(AssertionError, match="no other half"):
            check_acts([row for row in log if row.position != 3], promises)
        with pytest.raises(AssertionError, match="promised at position 4, and not done"):
            check_acts(log[:2], promises)

    def test_two_answers_to_one_notice_that_differ_are_found_out(self) -> None:
        promises = Promises()
        promises.answer("one", 1)
        with pytest.raises(AssertionError, match="position 1, and now with 2"):
            promises.answer("one", 2)


class TestHealing:
    @pytest.fixture
    def dying(self, tmp_path: Path) -> Server:
        """Return a service that is about to be killed."""
        process = subprocess.Popen(["sh", "-c", "sleep 0.2; kill -9 $$"])
        (tmp_path / "log").touch()
        return Server(process, free_port(), tmp_path / "log")

    def test_a_kill_that_comes_late_is_not_held_against_the_service(
        self, on_file: Round, dying: Server, tmp_path: Path
    ) -> None:
        on_file.fresh(1)
        (tmp_path / "round" / "fired").write_text("1 kill recv 0 socket\n")
        heal(on_file, [dying])
        assert "  a service was killed late" in on_file.told

    def test_a_death_that_no_rule_has_brought_is_found_out(self, on_file: Round, dying: Server) -> None:
        on_file.fresh(1)
        with pytest.raises(AssertionError, match="ended by itself with -9"):
            heal(on_file, [dying])


def test_a_short_soak_finds_nothing(on_file: Round) -> None:
    run_writer_round(on_file, jobs=4)
    assert on_file.interposer.fired()


def test_no_power_cut_loses_what_was_answered(on_file: Round) -> None:
    run_power_round(on_file, states=25)
    assert on_file.all_counts()["power cut"] == 25


@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_services_in_trouble_keep_what_they_promise(
    kind: str, library: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    server: Postgres | None = request.getfixturevalue("own_server") if kind == "postgres" else None
    with new_round(SEED, 2, kind, tmp_path / "round", library, server=server) as this:
        run_service_round(this, bouts=1)
        assert sum(this.all_counts().values()) > 3


@pytest.fixture
def own_server() -> Iterator[Postgres]:
    """Return a database server that may be killed."""
    server = Postgres()
    yield server
    server.end()

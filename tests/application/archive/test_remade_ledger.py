"""A ledger made anew from its archive is the ledger that was archived, on each kind of store."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from api.application.archive import remade_ledger
from api.application.archive.archive_manifest import is_archived
from domain.ledger import Ledger
from projections.proofs.proof_store import open_proofs
from tests.support.archives import archived, contents, rewrite_part
from tests.support.command import Said, run
from tests.support.ledgers import opened, record, tables
from tests.support.notices import callstatus
from tests.support.postgres_server import Postgres
from tests.support.provers import KEY, World, world
from tests.support.store_copies import TABLES, dump, fill

pytestmark = pytest.mark.only_on("sqlite")
NOT_ARCHIVED = {"quarantine", "ledger"}


@pytest.fixture(autouse=True)
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINGLEDGER_SIGNATURE", "off")


@pytest.fixture
def signed(store_url: str) -> Iterator[World]:
    with world(store_url) as made:
        made.record(60)
        made.run()
        yield made


def remade(dest: Path, url: str) -> Said:
    return run("archive", "restore", str(dest), url)


def assert_same(one: str, other: str) -> None:
    """Compare two ledgers in full: all tables that follow from events, the read models, and the root of their trees."""
    before, after = dump(one), dump(other)
    for table in TABLES.keys() - NOT_ARCHIVED:
        assert after[table] == before[table], table
    facts = {name: value for name, value in after["ledger"] if name != "certificate"}
    assert facts.items() <= dict(before["ledger"]).items()
    assert run("rebuild", "--store", one).code == 0
    with Ledger(one) as first, Ledger(other) as second:
        assert tables(second) == tables(first)
    assert run("rebuild", "--check", "--store", other).code == 0
    assert run("proof", "verify", "--store", other).code == 0


class TestALedgerMadeAnew:
    @pytest.fixture
    def full(self, store_url: str, tmp_path: Path) -> tuple[str, Path]:
        """Return a ledger with something in every table, and its archive."""
        fill(store_url)
        with Ledger(store_url) as ledger:
            archived(ledger, tmp_path / "archive")
        return store_url, tmp_path / "archive"

    def test_is_the_ledger_that_was_archived(self, full: tuple[str, Path], tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/new/ledger.db"
        said = remade(full[1], url)
        assert said.code == 0, said.err
        assert_same(full[0], url)
        assert {path.name for path in (tmp_path / "new").iterdir()} >= {"ledger.db", "ledger.db.proofs.db"}
        assert list(tmp_path.rglob("*restoring*")) == []

    def test_is_the_same_in_a_database_and_so_is_an_archive_of_that(
        self, full: tuple[str, Path], postgres: Postgres, tmp_path: Path
    ) -> None:
        with postgres.database() as url:
            said = remade(full[1], url)
            assert said.code == 0, said.err
            assert_same(full[0], url)
            assert remade(full[1], url).code == 2, "it is not empty any more"
            with Ledger(url) as ledger:
                again = archived(ledger, tmp_path / "again").manifest
            before = {name: content for name, content in contents(full[1]).items() if name.startswith("events/")}
            assert {name: content for name, content in contents(tmp_path / "again").items() if name in before} == before
            assert [part.name for part in again.events] == sorted(before)

    def test_has_all_facts_but_those_of_stores_and_services(self, full: tuple[str, Path]) -> None:
        with Ledger(full[0]) as ledger, ledger.store.snapshot() as now:
            left = {name for name in now.facts() if not is_archived(name)}
        # Another fact has to be decided about: does it say what events mean?
        assert {name.split(":")[0] for name in left} == {"schema", "forwarded", "forwarding_skipped"}

    def test_goes_on_where_the_archive_ends(self, full: tuple[str, Path], tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path}/new.db"
        assert remade(full[1], url).code == 0
        with opened(full[0]) as before, opened(url) as after:
            sent = [callstatus("SRCANSWERED", number, r=f"after-{number}") for number in range(3)]
            for one, other in zip(record(before, *sent), record(after, *sent), strict=True):
                assert one == other
            assert archived(after, full[1]).added == 3

    def test_is_not_signed_before_somebody_shows_the_latest_checkpoint(self, signed: World, tmp_path: Path) -> None:
        archived(signed.ledger, tmp_path / "archive")
        url = f"sqlite:///{tmp_path}/new.db"
        assert remade(tmp_path / "archive", url).code == 0
        with opened(url) as ledger, closing(open_proofs(url, ledger.id)) as store:
            again = World(ledger, store)
            again.record(1)
            assert (again.run().checkpoint, again.state().mark) == (None, remade_ledger.MARK)
        with signed.store.reading() as rows:
            last = rows.last_checkpoint(1)
        assert last
        (tmp_path / "last").write_bytes(last.note)
        adopted = run("proof", "adopt", str(tmp_path / "last"), "--key", KEY.verifier.text, "--store", url)
        assert adopted.code == 0, adopted.err


class TestAnArchiveThatDoesNotHold:
    def test_makes_nothing(self, signed: World, tmp_path: Path) -> None:
        archived(signed.ledger, tmp_path / "archive")

        def change(rows: list[dict[str, object]]) -> None:
            rows[8]["version"] = 2

        rewrite_part(tmp_path / "archive", 0, change)
        said = remade(tmp_path / "archive", f"sqlite:///{tmp_path}/new.db")
        assert (said.code, "does not hold: the event at position 9 is not" in said.err) == (1, True)
        assert list(tmp_path.glob("*new.db*")) == []

    def test_goes_where_nothing_is(self, signed: World, tmp_path: Path) -> None:
        archived(signed.ledger, tmp_path / "archive")
        (tmp_path / "new.db").write_bytes(b"somebody's")
        said = remade(tmp_path / "archive", f"sqlite:///{tmp_path}/new.db")
        assert (said.code, (tmp_path / "new.db").read_bytes()) == (2, b"somebody's")

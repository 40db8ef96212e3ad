"""A backup is made beside whoever writes, verified as a whole before anything can use it, and whole again afterwards."""

import hashlib
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from api.web.auth import users
from api.web.auth.roles import Role
from api.web.auth.store import open_access_store
from domain import times
from domain.events.operator_events import LogForked
from projections.proofs.proof_store import open_proofs
from projections.proofs.prover import LogDiverged
from tests.support.command import Said, run
from tests.support.ledgers import opened
from tests.support.postgres_server import Postgres
from tests.support.provers import KEY, World
from tests.support.store_copies import dump

AUTHOR = ("--by", "kim", "--reason", "the disk is gone")


@pytest.fixture(autouse=True)
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRINGLEDGER_SIGNATURE", "off")


@pytest.fixture
def world(store_url: str) -> Iterator[World]:
    """Return a ledger with a signed tree, on each kind of store."""
    with opened(store_url) as ledger, closing(open_proofs(store_url, ledger.id)) as store:
        made = World(ledger, store)
        made.record(300)
        made.run()
        yield made


def backed_up(world: World, folder: Path, *options: str) -> Path:
    said = run("backup", str(folder), *options, "--store", world.ledger.url)
    assert said.code == 0, said.err
    return Path(said.out.strip())


def checkpoint_of(world: World, file: Path) -> Path:
    """Write the last signed checkpoint into a file, as it has left the house."""
    with world.store.reading() as rows:
        last = rows.last_checkpoint(rows.state().epoch)
    assert last
    file.write_bytes(last.note)
    return file


def restored(folder: Path, to: Path, *options: str) -> Said:
    return run("restore", str(folder), f"sqlite:///{to}", *options)


class TestABackup:
    def test_has_the_whole_ledger_its_proofs_and_a_manifest_that_says_so(self, world: World, tmp_path: Path) -> None:
        before = dump(world.ledger.url)
        made = backed_up(world, tmp_path / "backups")
        manifest = json.loads((made / "manifest.json").read_bytes())
        assert made.name == f"{world.ledger.id}-300"
        assert (manifest["ledger"], manifest["head"], manifest["tree_size"]) == (world.ledger.id, 300, 300)
        assert {file["name"] for file in manifest["files"]} == {"ledger.db", "ledger.db.proofs.db"}
        assert sorted(each.name for each in made.iterdir()) == ["ledger.db", "ledger.db.proofs.db", "manifest.json"]
        assert dump(f"sqlite:///{made}/ledger.db") == before

    def test_never_has_proofs_of_events_that_it_does_not_have(self, world: World, tmp_path: Path) -> None:
        world.record(20)  # The prover has not seen them.
        manifest = json.loads((backed_up(world, tmp_path / "backups") / "manifest.json").read_bytes())
        assert (manifest["head"], manifest["tree_size"]) == (320, 300)

    def test_keeps_the_newest_and_leaves_alone_what_is_no_backup(self, world: World, tmp_path: Path) -> None:
        folder = tmp_path / "backups"
        (folder / f"{world.ledger.id}-notes").mkdir(parents=True)
        made = []
        for _ in range(3):
            world.record(1)
            made.append(backed_up(world, folder, "--keep", "2"))
        assert {each.name for each in folder.iterdir()} == {made[1].name, made[2].name, f"{world.ledger.id}-notes"}

    def test_of_the_same_head_takes_the_place_of_the_one_before(self, world: World, tmp_path: Path) -> None:
        assert backed_up(world, tmp_path / "backups") == backed_up(world, tmp_path / "backups")

    def test_that_cannot_be_written_leaves_nothing_behind(self, world: World, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        said = run("backup", str(tmp_path / "file" / "below"), "--store", world.ledger.url)
        assert (said.code, "cannot be written" in said.err) == (3, True)


@contextmanager
def reading_role(url: str, *schemas: str) -> Iterator[str]:
    """Return a database's address for a new role that may read these schemas, and write nothing."""
    name = f"reader_{uuid4().hex}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {name} LOGIN".encode())
        connection.execute(f"ALTER ROLE {name} SET default_transaction_read_only = on".encode())
        for schema in schemas:
            connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO {name}".encode())
            connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {name}".encode())
        try:
            yield url.replace("//postgres@", f"//{name}@")
        finally:
            connection.execute(f"DROP OWNED BY {name}".encode())
            connection.execute(f"DROP ROLE {name}".encode())


@pytest.mark.only_on("postgres")
class TestARoleThatOnlyReads:
    @pytest.fixture(autouse=True)
    def user(self, world: World) -> None:
        assert run("user", "add", "kim", "--role", "read", "--store", world.ledger.url).code == 0

    def test_saves_the_whole_ledger(self, world: World, tmp_path: Path) -> None:
        with reading_role(world.ledger.url, "tringledger", "tringledger_proofs", "tringledger_access") as url:
            said = run("backup", str(tmp_path / "backups"), "--store", url)
        assert said.code == 0, said.err
        assert dump(f"sqlite:///{said.out.strip()}/ledger.db") == dump(world.ledger.url)
        assert restored(Path(said.out.strip()), tmp_path / "new.db").code == 0

    @pytest.mark.parametrize("schemas", [("tringledger",), ("tringledger", "tringledger_proofs")])
    def test_that_may_not_read_a_part_makes_no_backup_and_says_which(
        self, world: World, tmp_path: Path, schemas: tuple[str, ...]
    ) -> None:
        with reading_role(world.ledger.url, *schemas) as url:
            said = run("backup", str(tmp_path / "backups"), "--store", url)
        missing = "tringledger_access" if len(schemas) > 1 else "tringledger_proofs"
        assert (said.code, f"permission denied for schema {missing}" in said.err) == (3, True)
        assert list((tmp_path / "backups").iterdir()) == []


class TestARestoredLedger:
    def test_is_what_was_saved_and_its_read_models_agree(self, world: World, tmp_path: Path) -> None:
        run("rebuild", "--store", world.ledger.url)
        world.record(5)
        made = backed_up(world, tmp_path / "backups")
        said = restored(made, tmp_path / "new.db", "--checkpoint", str(checkpoint_of(world, tmp_path / "last")))
        assert said.code == 0, said.err
        url = f"sqlite:///{tmp_path}/new.db"
        before, after = dump(world.ledger.url), dump(url)
        assert {name: after[name] for name in before if name != "ledger"} == {
            name: before[name] for name in before if name != "ledger"
        }
        assert run("rebuild", "--check", "--store", url).code == 0
        assert "access log" in said.err
        assert [each.name for each in tmp_path.glob(".*restoring*")] == []

    def test_can_be_in_a_database_of_its_own(self, world: World, tmp_path: Path, postgres: Postgres) -> None:
        made = backed_up(world, tmp_path / "backups")
        with postgres.database() as url:
            said = run("restore", str(made), url)
            assert said.code == 0, said.err
            assert dump(url)["stored_events"] == dump(world.ledger.url)["stored_events"]
            with closing(open_proofs(url, world.ledger.id)) as kept, kept.reading() as rows:
                assert rows.state().size == 300
            assert run("rebuild", "--check", "--store", url).code == 0
            assert run("restore", str(made), url).code == 2, "it is not empty any more"

    def test_has_the_users(self, world: World, tmp_path: Path) -> None:
        with closing(open_access_store(world.ledger.url, durable=True)) as access:
            users.add_user(access, "ann", [Role.READ], times.now())
        made = backed_up(world, tmp_path / "backups")
        assert restored(made, tmp_path / "new.db").code == 0
        assert "ann" in run("user", "list", "--store", f"sqlite:///{tmp_path}/new.db").out

    def test_is_not_signed_before_somebody_shows_the_latest_checkpoint(self, world: World, tmp_path: Path) -> None:
        made = backed_up(world, tmp_path / "backups")
        said = restored(made, tmp_path / "new.db")
        assert "proof adopt" in said.err
        url = f"sqlite:///{tmp_path}/new.db"
        adopted = run("proof", "adopt", str(checkpoint_of(world, tmp_path / "last")), "--store", url)
        assert adopted.code == 0, adopted.err

    def test_goes_where_nothing_is(self, world: World, tmp_path: Path) -> None:
        made = backed_up(world, tmp_path / "backups")
        (tmp_path / "new.db").write_bytes(b"somebody's")
        said = restored(made, tmp_path / "new.db")
        assert (said.code, "expected no file whose name begins with new.db" in said.err) == (2, True)
        assert (tmp_path / "new.db").read_bytes() == b"somebody's"


class TestABackupThatIsOlderThanTheLatestCheckpoint:
    @pytest.fixture
    def older(self, world: World, tmp_path: Path) -> tuple[Path, Path]:
        """Return a backup, and a checkpoint of 40 events more."""
        made = backed_up(world, tmp_path / "backups")
        world.record(40)
        world.run()
        return made, checkpoint_of(world, tmp_path / "last")

    def test_is_refused_with_the_positions_that_are_missing(self, older: tuple[Path, Path], tmp_path: Path) -> None:
        made, last = older
        said = restored(made, tmp_path / "new.db", "--checkpoint", str(last))
        assert (said.code, "40 events are missing that were signed: positions 301 to 340" in said.err) == (1, True)
        assert list(tmp_path.glob("new.db*")) == []

    def test_goes_on_as_a_new_epoch_where_the_loss_is_accepted(self, older: tuple[Path, Path], tmp_path: Path) -> None:
        made, last = older
        said = restored(made, tmp_path / "new.db", "--checkpoint", str(last), "--accept-loss", *AUTHOR)
        assert said.code == 0, said.err
        url = f"sqlite:///{tmp_path}/new.db"
        with opened(url) as ledger, closing(open_proofs(url, ledger.id)) as store:
            (forked,) = ledger.store.page(300, 9, 400)
            assert forked.topic == LogForked.TOPIC
            again = World(ledger, store)
            again.run()
            assert (again.state().epoch, again.state().origin) == (2, f"{KEY.name}/2")
            again.record(3)
            again.run()

    def test_is_found_by_its_key_alone_if_nothing_was_signed_yet(
        self, older: tuple[Path, Path], tmp_path: Path
    ) -> None:
        made, last = older
        other = "elsewhere.example/log+" + KEY.verifier.text.split("+", 1)[1]
        said = restored(made, tmp_path / "new.db", "--checkpoint", str(last), "--key", other)
        assert said.code != 0
        assert list(tmp_path.glob("new.db*")) == []


@pytest.mark.only_on("sqlite")
class TestABackupInWhichAByteWasChanged:
    @pytest.mark.parametrize("name", ["ledger.db", "ledger.db.proofs.db"])
    @pytest.mark.parametrize("part", [0.0, 0.3, 0.7, 0.999])
    def test_is_refused_by_its_digest(self, world: World, tmp_path: Path, name: str, part: float) -> None:
        made = backed_up(world, tmp_path / "backups")
        content = bytearray((made / name).read_bytes())
        content[int(len(content) * part)] ^= 1
        (made / name).write_bytes(content)
        said = restored(made, tmp_path / "new.db")
        assert (said.code, f"{name} is not the file that manifest.json names" in said.err) == (1, True)
        assert list(tmp_path.glob("new.db*")) == []

    @pytest.mark.parametrize(
        ("field", "value"),
        [("ledger", "x"), ("head", 299), ("tree_size", 2), ("root", "00"), ("checkpoint", "x"), ("format", "x/1")],
    )
    def test_is_refused_where_it_is_the_manifests(
        self, world: World, tmp_path: Path, field: str, value: object
    ) -> None:
        made = backed_up(world, tmp_path / "backups")
        path = made / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_bytes()) | {field: value}))
        assert restored(made, tmp_path / "new.db").code == 1
        assert list(tmp_path.glob("new.db*")) == []

    def test_is_refused_though_the_manifest_was_made_to_fit(self, world: World, tmp_path: Path) -> None:
        made = backed_up(world, tmp_path / "backups")
        with closing(sqlite3.connect(made / "ledger.db")) as file, file:
            file.execute("UPDATE stored_events SET state = replace(state, '1', '2') WHERE position = 7")
            file.execute("UPDATE stored_events SET state = CAST(state AS BLOB)")
        path = made / "manifest.json"
        manifest = json.loads(path.read_bytes())
        content = (made / "ledger.db").read_bytes()
        manifest["files"][0] |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
        path.write_text(json.dumps(manifest))
        said = restored(made, tmp_path / "new.db")
        assert (said.code, "the event at position 7 is not the event in the tree" in said.err) == (1, True)
        assert list(tmp_path.glob("new.db*")) == []

    def test_is_refused_where_a_file_is_missing(self, world: World, tmp_path: Path) -> None:
        made = backed_up(world, tmp_path / "backups")
        (made / "ledger.db.proofs.db").unlink()
        assert restored(made, tmp_path / "new.db").code == 1

    def test_is_refused_where_there_is_no_manifest(self, world: World, tmp_path: Path) -> None:
        made = backed_up(world, tmp_path / "backups")
        said = restored(made.parent, tmp_path / "new.db")
        assert (said.code, made.name in said.err) == (1, True)


@pytest.mark.only_on("sqlite")
def test_a_log_that_was_restored_alone_diverges_from_its_proofs(world: World, tmp_path: Path) -> None:
    made = backed_up(world, tmp_path / "backups")
    world.record(10)
    world.run()
    path = Path(world.ledger.path)
    world.ledger.close()
    shutil.copyfile(made / "ledger.db", path)
    with (
        opened(f"sqlite:///{path}") as ledger,
        closing(open_proofs(ledger.url, ledger.id)) as store,
        pytest.raises(LogDiverged),
    ):
        World(ledger, store).run()

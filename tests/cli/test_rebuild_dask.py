"""``tringledger rebuild --dask``: real schedulers and workers; the same comes out, and what is missing is said by name."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection

from domain.ledger import Ledger
from projections.building.catch_up import write_batch
from projections.building.full_build import fill_rows
from projections.rows.projector import RowBatch
from tests.support.command import Said, run, run_alone
from tests.support.dask_cluster import DaskCluster, dask_cluster
from tests.support.operator_events import act_in_every_way
from tests.support.ports import free_port
from tests.support.samples import SAMPLES

pytestmark = pytest.mark.only_on("sqlite")

DONE, USAGE, UNAVAILABLE = 0, 2, 3
HALTING = """
import sys
from domain.ledger import Ledger
from projections.building.certificate import encode_certificate
from projections.building.dask_cluster import DaskFolding
from projections.building.rebuild import rebuild

def halt(done, total):
    if done < total:
        print("half-way", flush=True)
        sys.stdin.readline()
        sys.stdin.close()

half_way = iter([halt])
report = rebuild(Ledger(sys.argv[1]), lambda *told: next(half_way, lambda *_: None)(*told), DaskFolding(sys.argv[2]))
print(encode_certificate(report.certificate))
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    with dask_cluster(tmp_path_factory.mktemp("dask"), 2) as running:
        yield running


@pytest.fixture(autouse=True)
def imported(store: str) -> None:
    run("import", str(SAMPLES / "adverse.ndjson"), "--store", store)
    with Ledger(store) as ledger:
        act_in_every_way(ledger)


def digests(said: Said) -> object:
    assert said.code == DONE, said.err
    return {name: sealed["digest"] for name, sealed in said.json()["read_models"].items()}


def test_the_same_comes_out_as_from_one_process_though_the_store_is_named_from_here(
    cluster: DaskCluster, tmp_path: Path, store: str
) -> None:
    assert run("prove", "--once").code == DONE
    alone = run("rebuild", "--jobs", "1", "--format", "json")
    expected = digests(alone)
    relative = f"sqlite:///{Path(store.removeprefix('sqlite:///')).relative_to(tmp_path)}"
    said = run_alone("rebuild", "--dask", cluster.address, "--format", "json", "--store", relative, cwd=tmp_path)
    assert digests(said) == expected
    assert (said.json()["jobs"], said.json()["found"]) == (2, 0)
    assert said.json()["tree"] == alone.json()["tree"]
    assert said.json()["tree"]["holds"]


@pytest.mark.only_on("postgres")
def test_on_postgresql_its_workers_write_the_rows_and_the_same_comes_out(
    cluster: DaskCluster, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = digests(run("rebuild", "--jobs", "1", "--format", "json", "--store", store))
    written = [0]

    def write(connection: Connection, batch: RowBatch) -> None:
        written[0] += sum(map(len, batch.rows.values()))
        write_batch(connection, batch)

    monkeypatch.setitem(fill_rows.__wrapped__.__kwdefaults__, "write", write)  # type: ignore[attr-defined]
    assert digests(run("rebuild", "--dask", cluster.address, "--format", "json", "--store", store)) == expected
    assert written == [0]


@pytest.mark.thorough
@pytest.mark.only_on("sqlite", "postgres")
def test_a_worker_that_is_killed_costs_no_rows(tmp_path: Path, store: str) -> None:
    expected = digests(run("rebuild", "--jobs", "1", "--format", "json"))
    pipe = subprocess.PIPE
    with dask_cluster(tmp_path / "dask", 2) as cluster:
        command = [sys.executable, "-c", HALTING, store, cluster.address]
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as rebuilding:
            assert rebuilding.stdout
            assert rebuilding.stdout.readline() == "half-way\n"
            cluster.workers[0].kill()  # And with it the rows that it has and nobody has fetched.
            out, _ = rebuilding.communicate("go on\n", timeout=60)
    assert digests(Said(rebuilding.returncode, out, "")) == expected


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:PORT", "nonsense", "xyz://1"])
def test_without_a_scheduler_it_says_so(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.building.dask_cluster.CONNECT_SECONDS", 0.5)
    nowhere = address.replace("PORT", str(free_port()))
    said = run("rebuild", "--dask", nowhere)
    assert (said.code, f"there is no Dask scheduler at {nowhere}" in said.err) == (UNAVAILABLE, True), said


def test_without_workers_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("projections.building.dask_cluster.CONNECT_SECONDS", 5)
    with dask_cluster(tmp_path / "dask", 0) as cluster:
        said = run("rebuild", "--dask", cluster.address)
    assert (said.code, "has no workers" in said.err) == (UNAVAILABLE, True), said


def test_workers_that_cannot_open_the_store_are_named_with_the_reason(cluster: DaskCluster, tmp_path: Path) -> None:
    # What a worker on another host sees: no such file there.
    script = (
        "import sys; from domain.ledger import Ledger; from projections.building import dask_cluster;"
        "from projections.building.rebuild import rebuild\n"
        "there = dask_cluster.DaskFolding(sys.argv[2])\n"
        "dask_cluster.absolute = lambda _: 'sqlite:////nowhere/ledger.db'\n"
        "rebuild(Ledger(sys.argv[1]), folding=there)"
    )
    command = [sys.executable, "-c", script, f"sqlite:///{tmp_path}/ledger.db", cluster.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "cannot read the store: there is no ledger at sqlite:////nowhere/ledger.db" in done.stderr
    assert "WorkersIncompatible: the Dask worker tcp://127.0.0.1:" in done.stderr


@pytest.mark.thorough
def test_workers_of_another_version_are_refused_with_both_versions(cluster: DaskCluster, tmp_path: Path) -> None:
    script = (
        "import sys; from domain.ledger import Ledger; from projections.building import dask_cluster;"
        "from projections.building.rebuild import rebuild\n"
        "there = dask_cluster.DaskFolding(sys.argv[2])\n"
        "dask_cluster.version = lambda _: '99.9'\n"
        "rebuild(Ledger(sys.argv[1]), folding=there)"
    )
    command = [sys.executable, "-c", script, f"sqlite:///{tmp_path}/ledger.db", cluster.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "has tringledger 0.1.0: expected 99.9, as here" in done.stderr


def test_without_the_extra_it_names_it(tmp_path: Path) -> None:
    (tmp_path / "distributed.py").write_text("raise ModuleNotFoundError('no distributed here')")
    script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); from api.cli.main import main; main(sys.argv[1:])"
    command = [sys.executable, "-c", script, "rebuild", "--dask", "tcp://127.0.0.1:1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "pip install '.[dask]'" in done.stderr) == (USAGE, True), done.stderr


def test_jobs_and_a_cluster_are_not_both_taken() -> None:
    said = run("rebuild", "--jobs", "2", "--dask", "tcp://127.0.0.1:1")
    assert (said.code, "not both" in said.err) == (USAGE, True)

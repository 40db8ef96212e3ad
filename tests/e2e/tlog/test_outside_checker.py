"""A published log is checked by a program that shares no code with ours: Go's sumdb/note and sumdb/tlog, from Debian."""

import os
import shutil
import subprocess
from hashlib import sha256
from pathlib import Path

import pytest

from domain.proofs.entry import hash_leaf
from domain.proofs.keys import SigningKey, write_key_file
from domain.proofs.tiles import TileId, decode_bundle, encode_bundle
from tests.support.command import run
from tests.support.notices import callstatus, line, signed

KEY = SigningKey("ledger.example/calls", bytes(range(32)))
SIZE, OLD = 600, 300
PROGRAM = Path(__file__).with_name("check.go")
SECONDS_MAX = 120
GO_PACKAGES = Path("/usr/share/gocode/src/golang.org/x/mod/sumdb/tlog")


@pytest.fixture(scope="module")
def checker(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the program; Debian's packages golang-go and golang-golang-x-mod-dev have all that it needs."""
    if not (shutil.which("go") and GO_PACKAGES.exists()):
        pytest.skip("Go and its packages for transparency logs are not installed")
    program = tmp_path_factory.mktemp("go") / "check"
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOPATH": "/usr/share/gocode",  # Debian keeps its packages here.
        "GOCACHE": str(program.parent / "cache"),
        "GOFLAGS": "",
    }
    command = ["go", "build", "-o", str(program), str(PROGRAM)]
    subprocess.run(command, check=True, env=environment, timeout=SECONDS_MAX)
    return program


@pytest.fixture
def published(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory with the published log of SIZE events."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRINGME_PRIVATE_KEY", "s3cr3t-private-key")
    write_key_file(tmp_path / "log.key", KEY)
    monkeypatch.setenv("TRINGLEDGER_LOG_KEY", str(tmp_path / "log.key"))
    texts = [line(signed(callstatus(r=number), "s3cr3t-private-key")) for number in range(SIZE)]
    assert run("import", "-", stdin="".join(texts)).code == 0
    assert run("prove", "--once").code == 0
    assert run("proof", "publish", "www").code == 0
    return tmp_path / "www"


def checked(checker: Path, published: Path, key: str = KEY.verifier.text) -> subprocess.CompletedProcess[str]:
    command = [str(checker), str(published), key, str(OLD)]
    return subprocess.run(command, capture_output=True, text=True, timeout=SECONDS_MAX, check=False)


def test_the_checker_makes_the_same_roots_and_tiles_and_accepts_every_proof(checker: Path, published: Path) -> None:
    found = checked(checker, published)
    assert (found.returncode, found.stderr) == (0, "")
    root = (published / "checkpoint").read_text().splitlines()[2]
    assert found.stdout.startswith(f"{SIZE} events, root {root}, ")


def test_the_checker_refuses_another_key_and_a_changed_checkpoint(checker: Path, published: Path) -> None:
    assert checked(checker, published, SigningKey(KEY.name, bytes(32)).verifier.text).returncode == 1
    checkpoint = published / "checkpoint"
    checkpoint.write_text(checkpoint.read_text().replace(f"\n{SIZE}\n", f"\n{SIZE - 1}\n"))
    assert checked(checker, published).returncode == 1


def test_the_checker_refuses_an_entry_that_was_forged_together_with_its_tile(checker: Path, published: Path) -> None:
    tile = TileId(0, 1, 256)
    bundle = published / tile.bundle_path
    entries = decode_bundle(bundle.read_bytes(), 256)
    entries[7] = entries[7].replace(entries[7].split(b"\n")[5], sha256(b"forged").hexdigest().encode())
    bundle.write_bytes(encode_bundle(entries))
    (published / tile.path).write_bytes(b"".join(map(hash_leaf, entries)))
    found = checked(checker, published)
    assert (found.returncode, "do not make the signed root" in found.stderr) == (1, True)


def test_the_checker_refuses_a_tile_that_was_changed_alone(checker: Path, published: Path) -> None:
    tile = published / TileId(1, 0, 2).path
    tile.write_bytes(tile.read_bytes()[:-1] + b"\0")
    found = checked(checker, published)
    assert (found.returncode, "is not what its entries make" in found.stderr) == (1, True)

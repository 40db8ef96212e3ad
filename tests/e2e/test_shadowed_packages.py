"""Another ``api``, ``domain`` or ``projections`` on Python's path is named as what it is: the cause, not a missing module."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tringledger import PACKAGES, require

ROOT = Path(__file__).parents[2]
PROGRAM = "from tringledger import main; main()"
NOTEBOOK = "from projections import frames; print(frames.cdrs)"


def run(code: str, *arguments: str, cwd: Path, path: list[Path]) -> subprocess.CompletedProcess[str]:
    """Run code in a new process, in a directory that it imports from first, as a notebook does; then from ``path``."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, [*path, ROOT])), "COLUMNS": "200"}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("name", PACKAGES)
class TestTheProgram:
    def test_names_a_module_that_hides_a_package(self, name: str, tmp_path: Path) -> None:
        theirs = tmp_path / f"{name}.py"
        theirs.touch()
        self.check(name, theirs, run(PROGRAM, "--version", cwd=tmp_path, path=[]))

    def test_names_a_folder_in_pythonpath_that_hides_a_package(self, name: str, tmp_path: Path) -> None:
        theirs = tmp_path / "lib" / name
        theirs.mkdir(parents=True)
        (theirs / "__init__.py").touch()
        self.check(name, theirs, run(PROGRAM, "--version", cwd=tmp_path, path=[theirs.parent]))

    @staticmethod
    def check(name: str, theirs: Path, ended: subprocess.CompletedProcess[str]) -> None:
        assert (ended.returncode, ended.stdout) == (2, "")
        assert f"another {name!r}" in ended.stderr
        assert f"got {theirs}; expected {ROOT / name}" in ended.stderr
        assert "environment of its own" in ended.stderr
        assert "Traceback" not in ended.stderr

    def test_starts_beside_a_folder_that_hides_nothing(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).mkdir()
        (tmp_path / name / "notes.txt").touch()
        ended = run(PROGRAM, "--version", cwd=tmp_path, path=[])
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.strip()


class TestANotebook:
    def test_beside_another_domain_is_told_of_it(self, tmp_path: Path) -> None:
        (tmp_path / "domain").mkdir()
        (tmp_path / "domain" / "__init__.py").touch()
        ended = run(NOTEBOOK, cwd=tmp_path, path=[])
        assert ended.returncode == 1
        assert ended.stderr.splitlines()[-1].startswith("ImportError: another 'domain' hides tringledger's package")
        assert f"got {tmp_path / 'domain'}" in ended.stderr

    def test_beside_another_api_which_it_does_not_need_works(self, tmp_path: Path) -> None:
        (tmp_path / "api.py").touch()
        ended = run(NOTEBOOK, cwd=tmp_path, path=[])
        assert (ended.returncode, ended.stderr) == (0, "")


def test_another_package_that_is_loaded_already_is_named(tmp_path: Path) -> None:
    (tmp_path / "domain.py").touch()
    code = "import domain, sys; sys.path.pop(0); from projections import frames"
    ended = run(code, cwd=tmp_path, path=[])
    assert f"got {tmp_path / 'domain.py'}" in ended.stderr


def test_our_own_packages_are_accepted() -> None:
    require(*PACKAGES)

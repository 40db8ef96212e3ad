"""The wheel as users have it: built, installed with all that it needs into a fresh environment, tried from another directory.

It takes a package index and a minute: ``make wheel``, which CI runs. Prints what it tries; the exit code is 1 at the first
thing that is not as it should be.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("api", "domain", "projections")
SOURCES = (*PACKAGES, "tringledger.py", "pyproject.toml", "README.md", "LICENSE")
SAMPLE = ROOT / "tests/samples/traffic.ndjson"
KEY = "s3cr3t-private-key"
FRAMES = "from projections import frames; print(len(frames.cdrs('sqlite:///tringledger.db')))"
FINDING, USAGE = 1, 2


class Installed:
    """The installed program, in a directory that is not the repository's."""

    def __init__(self, environment: Path, directory: Path) -> None:
        self.environment = environment
        self._bin = environment / "bin"
        self.directory = directory

    def run(
        self, *words: str, path: Path | None = None, cwd: Path | None = None, log_key: str = ""
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment; ``path`` becomes PYTHONPATH, and ``log_key`` names the key that signs."""
        variables = {
            name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "TRINGLEDGER"))
        }
        variables |= {"TRINGME_PRIVATE_KEY": KEY} | ({"PYTHONPATH": str(path)} if path else {})
        variables |= {"TRINGLEDGER_LOG_KEY": log_key} if log_key else {}
        command = [str(self._bin / words[0]), *words[1:]]
        return subprocess.run(
            command, cwd=cwd or self.directory, env=variables, capture_output=True, text=True, check=False, timeout=300
        )

    def output(self, *words: str) -> str:
        """Return what a program prints; it must succeed."""
        ended = self.run(*words)
        assert ended.returncode == 0, f"{words}: exit code {ended.returncode}: {ended.stdout}{ended.stderr}"
        return ended.stdout


def build(directory: Path) -> Path:
    """Build the wheel from a copy of the sources, since a build leaves files behind that a later one would pack."""
    copy = directory / "sources"
    copy.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, copy)
    pip(sys.executable, "wheel", "--no-deps", "--wheel-dir", str(directory), str(copy))
    (wheel,) = directory.glob("tringledger-*.whl")
    return wheel


def pip(python: str | Path, *arguments: str) -> None:
    """Run pip of an interpreter."""
    subprocess.run([str(python), "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments], check=True)


def missing_files(wheel: Path) -> list[str]:
    """Return the files of the packages that the wheel does not hold: modules, templates, static files, type marks."""
    files = (path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file())
    expected = {str(path.relative_to(ROOT)) for path in files if "__pycache__" not in path.parts}
    return sorted(expected - set(zipfile.ZipFile(wheel).namelist()))


def try_program(installed: Installed) -> None:
    """Record a sample, and read it in each way that needs files of the package or its larger libraries."""
    assert installed.output("tringledger", "--version").startswith("tringledger ")
    installed.output("tringledger", "migrate")
    installed.output("tringledger", "import", str(SAMPLE))
    status = json.loads(installed.output("tringledger", "status", "--format", "json"))
    assert status["events"] > 0, status
    cdrs = installed.output("tringledger", "export", "cdrs").splitlines()[1:]
    assert int(installed.output("python", "-c", FRAMES)) == len(cdrs) > 0
    account = json.loads(installed.output("tringledger", "export", "billing", "--format", "json"))[0]
    assert "<html" in installed.output("tringledger", "statement", account["account"], account["period"])
    installed.output("tringledger", "export", "cdrs", "--format", "xlsx", "-o", "cdrs.xlsx")


def try_auditor(installed: Installed, directory: Path) -> None:
    """Verify a bill where nothing is but the program, the bundle and the public key; then a dozen changes of it."""
    vkey = installed.output("tringledger", "proof", "key", "--generate", "log.key").strip()
    installed.run("tringledger", "prove", "--once", log_key="log.key")
    billed = json.loads(installed.output("tringledger", "export", "billing", "--format", "json"))[0]
    words = ("--account", billed["account"], "--period", billed["period"], "-o", str(directory / "bill.zip"))
    installed.output("tringledger", "proof", "bill", *words)
    clean = directory / "auditor"
    clean.mkdir()
    shutil.move(directory / "bill.zip", clean / "bill.zip")
    auditor = Installed(installed.environment, clean)
    verify = ("tringledger", "verify", "bill.zip", "--key", vkey, "--format", "json")
    found = json.loads(auditor.output(*verify))
    assert (found["cost"], found["price"]) == (billed["cost"], billed["price"]), (found, billed)
    whole = (clean / "bill.zip").read_bytes()
    for place in range(0, len(whole), len(whole) // 12):
        (clean / "bill.zip").write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert auditor.run(*verify).returncode == FINDING, place
    assert [file.name for file in clean.iterdir()] == ["bill.zip"]


def measure(installed: Installed) -> None:
    """Print what processor time some commands take, user and system."""
    for words in (("--help",), ("adjust", "--help"), ("status",)):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        installed.output("tringledger", *words)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        print(f"tringledger {' '.join(words)}: {seconds:.2f} s of processor time")


def clashes(directory: Path) -> Iterator[tuple[str, Path]]:
    """Make a module and a package that hide each of ours, and yield the name and where it lies."""
    for name in PACKAGES:
        for form in (f"{name}.py", f"{name}/__init__.py"):
            file = directory / f"with-{form.replace('/', '-')}" / form
            file.parent.mkdir(parents=True)
            file.touch()
            yield name, file if file.name == f"{name}.py" else file.parent


def try_clashes(installed: Installed, directory: Path) -> None:
    """Try the program, and a notebook's import, where other code has the names of our packages."""
    for name, theirs in clashes(directory):
        ended = installed.run("tringledger", "--version", path=theirs.parent)
        assert ended.returncode == USAGE, (theirs, ended)
        assert f"another {name!r}" in ended.stderr, ended
        assert str(theirs) in ended.stderr, ended
        # The command does not look into the directory in which it is called.
        assert installed.run("tringledger", "--version", cwd=theirs.parent).returncode == 0, theirs
        if name == "domain":
            ended = installed.run("python", "-c", "from projections import frames", cwd=theirs.parent)
            assert "ImportError: another 'domain'" in ended.stderr, ended


def main(arguments: Sequence[str] = ()) -> int:
    """Build, install and try; the wheel is left in the directory that is named, if any."""
    with tempfile.TemporaryDirectory() as temporary:
        directory = Path(temporary)
        wheel = build(directory)
        missing = missing_files(wheel)
        if missing:
            print("not in the wheel:", *missing, sep="\n  ")
            return 1
        print(f"{wheel.name} built; installing")
        venv.create(directory / "environment", with_pip=True)
        pip(directory / "environment/bin/python", "install", str(wheel))
        elsewhere = directory / "elsewhere"
        elsewhere.mkdir()
        installed = Installed(directory / "environment", elsewhere)
        try_program(installed)
        try_auditor(installed, directory)
        measure(installed)
        try_clashes(installed, directory)
        print("the installed program works, verifies a bill by itself, and says what hides its packages")
        if arguments:
            shutil.copy(wheel, arguments[0])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

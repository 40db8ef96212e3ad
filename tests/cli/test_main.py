"""The command ``tringledger`` as a whole: its help, where it says what, and with which exit code it ends."""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest

from api.cli import console as showing
from api.cli.main import main
from domain.calls.correlation import CorrelationWindow
from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from domain.log.sqlite import connections as sqlite
from tests.support.command import SECONDS_MAX, run, run_alone, spawn
from tests.support.ledger_inspection import READERS, head
from tests.support.notices import KEY, OTHER_KEY, callstatus, line, signed
from tests.support.samples import SAMPLES
from tests.support.write_lock import write_lock

DONE, FINDING, USAGE, UNAVAILABLE = 0, 1, 2, 3


def commands(group: click.Group = main, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Return every command with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command
        yield (*path, name), command
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))


COMMANDS = dict(commands())

NO_LEDGER = ("signature", "register", "trigger", "rehearse", "verify")
TWO_STORES = ("copy", "restore")
OF_FILES = (("party", "check"), ("spool", "list"))
OF_ARCHIVES = (("archive", "restore"), ("archive", "verify"))


class TestItsHelp:
    @pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
    def test_every_command_has_one(self, words: tuple[str, ...]) -> None:
        said = run(*words, "--help")
        assert (said.code, said.err) == (DONE, "")
        assert f"Usage: tringledger {' '.join(words)}" in said.out
        assert (COMMANDS[words].help or "").strip()
        assert "\b" not in said.out

    @pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
    def test_every_option_says_what_it_does(self, words: tuple[str, ...]) -> None:
        options = [each for each in COMMANDS[words].params if isinstance(each, click.Option)]
        assert [each.name for each in options if not each.help] == []

    @pytest.mark.parametrize("words", [words for words in COMMANDS if words[0] != "quarantine" or "reprocess" in words])
    def test_what_does_something_shows_an_example(self, words: tuple[str, ...]) -> None:
        if not isinstance(COMMANDS[words], click.Group):
            assert re.search(r"Examples?:\n +.*tringledger", run(*words, "--help").out)

    def test_every_command_on_a_ledger_takes_the_store(self) -> None:
        for words, command in COMMANDS.items():
            if isinstance(command, click.Group) or words in OF_ARCHIVES or words in OF_FILES:
                continue
            if words[0] not in (*NO_LEDGER, *TWO_STORES):
                assert "--store" in {name for each in command.params for name in each.opts}, words

    def test_the_command_tells_its_exit_codes(self) -> None:
        told = " ".join(run("--help").out.split())
        assert re.search(r"Exit codes: 0 done, 1 a finding, 2 .*usage, 3 .*store .*unavailable", told)

    def test_the_installed_program_tells_its_version(self) -> None:
        assert re.fullmatch(r"tringledger \d+\.\d+\.\d+\n", run_alone("--version").out)

    @pytest.mark.parametrize(
        "words", [("sing",), ("import",), ("import", "/no/such/file"), ("import", "/"), ("status", "--chekc")]
    )
    def test_wrong_usage_is_2_and_says_so_on_stderr(self, words: tuple[str, ...]) -> None:
        said = run(*words)
        assert (said.code, said.out) == (USAGE, "")
        assert "Usage: tringledger" in said.err


@pytest.mark.only_on("sqlite")
@pytest.mark.usefixtures("store")
class TestOnAnEmptyStore:
    @pytest.mark.parametrize("words", READERS, ids=" ".join)
    def test_reading_creates_none_and_says_what_would(self, words: tuple[str, ...], tmp_path: Path) -> None:
        said = run(*words)
        assert (said.code, said.out) == (UNAVAILABLE, "")
        assert "tringledger: there is no ledger at sqlite:///" in said.err
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("url", ["postgres://x", "sqlite:///", "ledger.db"])
    def test_a_store_of_no_known_kind_is_wrong_usage(self, url: str) -> None:
        said = run("status", "--store", url)
        assert (said.code, said.out) == (USAGE, "")
        assert repr(url) in said.err
        assert "expected sqlite:///PATH" in said.err

    def test_a_file_that_is_no_store_is_unavailable(self, tmp_path: Path) -> None:
        (tmp_path / "ledger.db").write_text("no database at all, " * 1000)
        said = run("status")
        assert (said.code, "cannot be used now" in said.err) == (UNAVAILABLE, True)

    def test_a_directory_that_is_not_there_is_unavailable(self, tmp_path: Path, log: Callable[..., str]) -> None:
        said = run("import", log(), "--store", f"sqlite:///{tmp_path}/no/such/ledger.db")
        assert (said.code, "cannot be used now" in said.err) == (UNAVAILABLE, True)

    def test_importing_creates_the_ledger(self, store: str, log: Callable[..., str]) -> None:
        assert run("import", log(line(signed(callstatus())))).code == DONE
        assert head(store) == 1

    def test_importing_needs_the_private_key_and_says_so(self, log: Callable[..., str], tmp_path: Path) -> None:
        said = run("import", log(), TRINGME_PRIVATE_KEY="")
        assert (said.code, said.err.count("TRINGME_PRIVATE_KEY is not set")) == (USAGE, 1)
        assert not (tmp_path / "ledger.db").exists()

    def test_a_wrong_setting_is_wrong_usage(self) -> None:
        said = run("status", TRINGLEDGER_GRACE_SECONDS="5m")
        assert (said.code, said.out) == (USAGE, "")
        assert said.err == (
            "tringledger: TRINGLEDGER_GRACE_SECONDS='5m' cannot be used: expected a whole number, at least 0 and at most 999999999\n"
        )


@pytest.mark.only_on("sqlite")
class TestOnALedgerOfOtherTerms:
    @pytest.fixture(autouse=True)
    def created(self, store: str) -> None:
        with Ledger(store, options=LedgerOptions("tag", "Europe/Berlin"), create=True):
            pass

    @pytest.mark.parametrize("words", [("serve",), ("import", "-"), *READERS], ids=" ".join)
    @pytest.mark.parametrize(
        ("name", "value", "own"),
        [("TRINGLEDGER_CORRELATION", "tag-src", "tag"), ("TRINGLEDGER_TIMEZONE", "UTC", "Europe/Berlin")],
    )
    def test_a_setting_that_differs_is_wrong_usage_naming_both(
        self, words: tuple[str, ...], name: str, value: str, own: str
    ) -> None:
        said = run(*words, **{name: value})
        assert (said.code, said.out) == (USAGE, "")
        setting = name.removeprefix("TRINGLEDGER_").lower()
        assert said.err == (
            f"tringledger: this ledger was created with {setting} {own}, and the setting now says {value}\n"
        )

    def test_a_setting_that_agrees_or_is_left_out_is_taken(self) -> None:
        assert run("status", TRINGLEDGER_CORRELATION="tag", TRINGLEDGER_TIMEZONE="Europe/Berlin").code == DONE
        assert "correlation tag, billing time zone Europe/Berlin" in run("status").out

    def test_grace_and_max_age_may_change(self, store: str) -> None:
        assert run("status", TRINGLEDGER_GRACE_SECONDS="5", TRINGLEDGER_MAX_AGE_SECONDS="50").code == DONE
        with Ledger(store, options=LedgerOptions(window=CorrelationWindow(1, 2))) as ledger:
            assert (ledger.correlation, ledger.timezone) == ("tag", "Europe/Berlin")


@pytest.mark.only_on("sqlite")
class TestWithALockedStore:
    @pytest.fixture(autouse=True)
    def locked(self, store: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.setattr(sqlite, "LOCK_TIMEOUT_SECONDS", 0.05)
        run("import", "-", stdin=line(signed(callstatus(r=1))) + line(signed(callstatus(r=2), OTHER_KEY)))
        run("status")
        with write_lock(store):
            yield

    @pytest.mark.parametrize("words", [("import", "-"), ("quarantine", "reprocess", "1"), ("rebuild",)], ids=" ".join)
    def test_what_writes_is_unavailable(self, words: tuple[str, ...]) -> None:
        said = run(*words, stdin=line(signed(callstatus(r=3))), TRINGME_PRIVATE_KEY=f"{KEY},{OTHER_KEY}")
        assert (said.code, said.out) == (UNAVAILABLE, "")
        assert "tringledger: the store " in said.err
        assert "database is locked" in said.err

    @pytest.mark.parametrize(
        "words",
        [
            ("status",),
            ("history", "--tag", "sales", "--src", "18585550001"),
            ("quarantine", "list"),
            ("rebuild", "--check"),
        ],
        ids=" ".join,
    )
    def test_what_reads_does_not_care(self, words: tuple[str, ...]) -> None:
        assert run(*words).code == DONE


@pytest.mark.usefixtures("store")
class TestDataAndTheRest:
    def test_json_on_stdout_is_whole_while_a_person_is_told_on_stderr(self) -> None:
        run("import", "-", stdin=line(signed(callstatus(), OTHER_KEY)))
        said = run_alone("status", "--check", "--format", "json")
        assert (said.code, said.json()["findings"], said.err) == (FINDING, said.err.splitlines(), said.err)

    def test_a_reader_that_goes_away_leaves_no_traceback(self) -> None:
        run("import", str(SAMPLES / "traffic.ndjson"))
        for words in (("export", "cdrs"), ("quarantine", "list"), ("status", "--format", "json")):
            process = spawn(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            assert process.stdout is not None
            process.stdout.close()
            process.stdout = None
            _, err = process.communicate(timeout=SECONDS_MAX)
            assert b"Traceback" not in err

    @pytest.mark.parametrize(
        "words", [("status",), ("quarantine", "list"), ("export", "billing"), ("--help",), ("--version",)], ids=" ".join
    )
    def test_a_full_disk_under_stdout_is_told_in_one_line(self, words: tuple[str, ...]) -> None:
        run("import", str(SAMPLES / "adverse.ndjson"))
        with Path("/dev/full").open("wb") as full:
            process = spawn(*words, stdout=full, stderr=subprocess.PIPE)
            _, err = process.communicate(timeout=SECONDS_MAX)
        assert (process.returncode, err.count(b"\n")) == (UNAVAILABLE, 1)
        assert b"No space left on device" in err

    def test_a_bar_is_drawn_on_a_terminal_alone(self, capsys: pytest.CaptureFixture[str]) -> None:
        with showing.progress("Importing", 10) as moved:
            moved(5)
        captured = capsys.readouterr()
        assert (captured.out, captured.err) == ("", "")

"""Commands are loaded when they are called: a help loads only what it shows."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from api.cli import commands
from api.cli.commands import audit_log as audit_log_command
from api.cli.commands import export
from api.cli.main import SUMMARIES, main
from api.web.auth import audit_log
from projections.queries import call_health
from projections.schema.read_models import TABLES

NEVER_FOR_A_HELP = ("sqlalchemy", "starlette", "uvicorn", "pandas", "pyarrow", "jinja2", "httpx2", "asyncio", "rich")
NOT_FOR_THE_WHOLE = (*NEVER_FOR_A_HELP, "msgspec", "eventsourcing", "zoneinfo", "api.settings", "domain.ledger")
NOT_FOR_STATUS = ("starlette", "uvicorn", "pandas", "pyarrow", "jinja2", "httpx2", "sqlalchemy.dialects.postgresql")
HELPS = """
import sys
from click.testing import CliRunner
from api.cli.main import main
for words in {commands!r}:
    said = CliRunner().invoke(main, [*words, "--help"])
    assert said.exit_code == 0, said.output
print(*sorted(sys.modules))
"""


def loaded_by_helps(*commands: tuple[str, ...]) -> set[str]:
    """Return which modules a new process has loaded when it has printed the helps of commands."""
    code = HELPS.format(commands=commands)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60, text=True)
    return set(done.stdout.split())


def load(name: str) -> click.Command:
    command = main.get_command(click.Context(main), name)
    assert command
    return command


def paths() -> list[tuple[str, ...]]:
    """Return the words by which every command is called."""
    found: list[tuple[str, ...]] = []
    for name in SUMMARIES:
        command = load(name)
        found.append((name,))
        if isinstance(command, click.Group):
            found.extend((name, each) for each in command.commands)
    return found


class TestTheHelpOfTheWholeProgram:
    def test_loads_neither_commands_nor_what_they_need(self) -> None:
        loaded = loaded_by_helps(())
        assert loaded.isdisjoint(NOT_FOR_THE_WHOLE)
        assert [name for name in loaded if name.startswith("api.cli.commands.")] == []

    @pytest.mark.parametrize("name", SUMMARIES)
    def test_says_of_a_command_what_its_own_help_says_first(self, name: str) -> None:
        assert load(name).get_short_help_str(1000) == SUMMARIES[name]

    def test_cuts_no_summary_on_a_terminal_of_80_columns(self) -> None:
        said = CliRunner().invoke(main, ["--help"], terminal_width=80)
        assert "..." not in said.output.partition("Commands:")[2]

    def test_lists_every_command(self) -> None:
        modules = Path(commands.__path__[0]).glob("[a-z]*.py")
        assert {load(name).name for name in SUMMARIES} == set(SUMMARIES)
        assert len(SUMMARIES) == len(list(modules))


class TestACommandsHelp:
    def test_loads_no_database_no_web_server_and_no_tables(self) -> None:
        assert loaded_by_helps(*paths()).isdisjoint(NEVER_FOR_A_HELP)

    def test_loads_no_other_command(self) -> None:
        loaded = {name for name in loaded_by_helps(("adjust",)) if name.startswith("api.cli.commands.")}
        assert loaded == {"api.cli.commands.adjust"}


def test_status_loads_no_web_and_no_driver_that_it_does_not_use(tmp_path_factory: pytest.TempPathFactory) -> None:
    store = f"sqlite:///{tmp_path_factory.mktemp('status')}/ledger.db"
    code = (
        "import sys\nfrom api.cli.main import main\n"
        f"main(['migrate', '--store', {store!r}], standalone_mode=False)\n"
        f"main(['status', '--store', {store!r}], standalone_mode=False)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, timeout=60, text=True)
    assert set(done.stdout.splitlines()[-1].split()).isdisjoint(NOT_FOR_STATUS)


def test_completion_offers_commands_without_loading_them() -> None:
    completion = ShellComplete(main, {}, "tringledger", "_TRINGLEDGER_COMPLETE")
    assert [item.value for item in completion.get_completions([], "re")] == [
        "rebuild",
        "reconcile",
        "register",
        "rehearse",
        "reissue",
        "rerate",
        "restore",
    ]


def test_an_earlier_name_of_a_command_goes_on_working_and_is_not_listed() -> None:
    assert load("access-log") is load("audit-log")
    assert "access-log" not in CliRunner().invoke(main, ["--help"]).output


def test_a_misspelt_command_is_met_with_a_suggestion() -> None:
    said = CliRunner().invoke(main, ["statuss"])
    assert said.exit_code == 2
    assert "status" in said.output.replace("statuss", "")


class TestWordsThatAHelpShowsWithoutTheirModules:
    """A help names them, and what they stand for is loaded later: the two must agree."""

    def test_read_models(self) -> None:
        assert set(export.MODELS) == set(TABLES)

    def test_kinds_of_overdue_calls(self) -> None:
        assert {call_health.STALE, call_health.MISSING_CDR} == set(export.OVERDUE)

    def test_how_many_entries_the_log_keeps(self) -> None:
        assert audit_log_command.ENTRIES_MAX == audit_log.RECORDS_MAX

"""What the README and docs say is so: their commands run and print what they show, code runs, tables are complete.

A document that nothing runs is wrong within a month.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from doctest import ELLIPSIS, OutputChecker
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import click
import pytest

from api.cli import main as cli
from api.settings import SETTINGS
from api.web.problems import TITLES
from domain.billing import tariff
from domain.billing import tariff_schema as tariff_keys
from domain.calls import call
from domain.events import notice_events as events
from domain.events import operator_events as acts
from domain.log import urls
from tests.ports import free_port
from tests.postgres import Postgres

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
BILLING = (ROOT / "docs/how-to/billing.md").read_text()
POSTGRESQL = (ROOT / "docs/how-to/postgresql.md").read_text()
BIN = Path(sys.executable).parent
SERVER = "postgresql://ledger:PASSWORD@db.example.com"
PORT_IN_README = "8000"
START_SECONDS_MAX = 20


def blocks(document: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", document, re.MULTILINE | re.DOTALL)


def commands(document: str) -> Iterator[tuple[str, str]]:
    """Return the commands of a document, each with the output that it shows below."""
    for block in blocks(document, "console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


def agrees(shown: str, printed: str) -> bool:
    """Compare as doctest does: ``...`` stands for anything."""
    return OutputChecker().check_output(shown.rstrip("\n"), printed.rstrip("\n"), ELLIPSIS)


def fetched(url: str, headers: dict[str, str]) -> str:
    """Do what ``curl -s`` does, on machines that have none."""
    try:
        with urlopen(Request(url, headers=headers), timeout=20) as answer:
            return str(answer.read().decode())
    except HTTPError as refused:
        with refused:
            return refused.read().decode()


class Shell:
    """A user's shell in a fresh folder with the checkout's samples; ``export`` lasts, ``&`` starts a service."""

    def __init__(self, folder: Path) -> None:
        shutil.copytree(ROOT / "tests/samples", folder / "tests/samples")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRINGLEDGER_", "TRINGME_"))}
        self.environment = kept | {"PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
        self.folder = folder
        self.port = free_port()
        self.services: list[tuple[subprocess.Popen[str], str]] = []

    def run(self, command: str) -> str:
        """Run a command and return what a terminal would show of it."""
        command = command.replace(PORT_IN_README, str(self.port))
        if command.startswith("export "):
            name, _, value = command.removeprefix("export ").partition("=")
            self.environment[name] = value
            return ""
        if command.startswith("unset "):
            del self.environment[command.removeprefix("unset ")]
            return ""
        if command.startswith("curl "):
            *options, url = self._words(command.removeprefix("curl "))
            pairs = [text.split(": ", 1) for option, text in pairwise(options) if option == "-H"]
            return fetched(url, dict(pairs))
        done = subprocess.run(
            ["sh", "-c", f"{{ {command} ; }} 2>&1"],
            cwd=self.folder,
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout

    def _words(self, arguments: str) -> list[str]:
        """Return arguments as the shell hands them to a command."""
        shown = subprocess.run(
            ["sh", "-c", f"printf '%s\\n' {arguments}"],
            cwd=self.folder,
            env=self.environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return shown.stdout.splitlines()

    def start(self, command: str, shown: str) -> None:
        """Start a service, and remember what it should print."""
        command = command.removesuffix("&").replace(PORT_IN_README, str(self.port))
        service = subprocess.Popen(
            shlex.split(command), cwd=self.folder, env=self.environment, stderr=subprocess.PIPE, text=True
        )
        self.services.append((service, shown.replace(PORT_IN_README, str(self.port))))
        self._wait_until_healthy()

    def _wait_until_healthy(self) -> None:
        for _ in range(START_SECONDS_MAX * 10):
            connection = HTTPConnection("127.0.0.1", self.port, timeout=1)
            with suppress(OSError, HTTPException), closing(connection):
                connection.request("GET", "/health")
                if b'"lag":0' in connection.getresponse().read():
                    return
            time.sleep(0.1)
        pytest.fail("the service of the README did not come up")

    def stop(self) -> None:
        """Stop the services, each of which must have printed what the README shows."""
        for service, shown in self.services:
            service.terminate()
            _, printed = service.communicate(timeout=20)
            assert agrees(shown + "...", printed), f"shown:\n{shown}\nprinted:\n{printed}"


@contextmanager
def shell(folder: Path) -> Iterator[Shell]:
    opened = Shell(folder)
    try:
        yield opened
    finally:
        opened.stop()


def follow(user: Shell, document: str) -> None:
    """Type a document's commands; each must print what the document shows."""
    for command, shown in commands(document):
        if command.endswith("&"):
            user.start(command, shown)
            continue
        printed = user.run(command)
        assert agrees(shown, printed), f"$ {command}\nshown:\n{shown}\nprinted:\n{printed}"


def test_the_page_on_postgresql_shows_what_its_commands_print(tmp_path: Path, postgres: Postgres) -> None:
    with postgres.database() as first, postgres.database() as second, shell(tmp_path) as user:
        at_hand = POSTGRESQL
        for shown, url in ((f"{SERVER}/tringledger", first), (f"{SERVER}/moved", second)):
            at_hand = at_hand.replace(shown, url).replace(urls.shown(shown), urls.shown(url))
        follow(user, at_hand)


def test_the_page_on_bills_shows_what_its_commands_print(tmp_path: Path) -> None:
    with shell(tmp_path) as user:
        follow(user, BILLING)


def test_the_tour_prints_what_the_readme_shows_and_the_notebook_code_runs_after_it(tmp_path: Path) -> None:
    with shell(tmp_path) as user:
        follow(user, README)
        for code in blocks(README, "python"):
            (tmp_path / "code.py").write_text(code)
            printed = user.run("python -W error code.py || echo FAILED")
            assert "FAILED" not in printed, printed


def test_the_tariffs_that_the_page_on_bills_shows_can_be_used_and_have_every_key() -> None:
    shown = blocks(BILLING, "toml")
    read = [tariff.read(text, number, timezone="UTC") for number, text in enumerate(shown, 1)]
    assert read
    keys = [*tariff_keys.file_checks("UTC"), *tariff_keys.rule_checks("UTC")]
    assert [key for key in keys if not re.search(rf"^\[*{key}\b", shown[0], re.MULTILINE)] == []


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_readme_lists_every_setting_with_its_default_and_meaning(setting: object) -> None:
    name, default, meaning, _ = setting  # type: ignore[misc]
    assert f"| `{name}` | {f'`{default}`' if default else '(none)'} | {meaning} |" in README


def test_the_readme_names_every_event_topic() -> None:
    topics = [*(kind.TOPIC for kind in (*events.EVENTS.values(), events.UnrecognisedRecorded)), *acts.ACTS]
    assert [topic for topic in topics if f"`{topic}`" not in README] == []


def test_the_readme_names_every_answer_and_every_flag() -> None:
    assert [code for code in (200, *TITLES) if f"`{code}`" not in README] == []
    flags = [value for name, value in vars(call).items() if name.isupper() and isinstance(value, str) and "-" in value]
    assert [flag for flag in flags if flag != call.IN_PROGRESS and f"`{flag}`" not in README] == []


def test_the_readme_mentions_every_command() -> None:
    assert [name for name in cli.main.commands if f"tringledger {name}" not in README] == []


def _commands(group: click.Group) -> Iterator[click.Command]:
    for command in group.commands.values():
        yield command
        if isinstance(command, click.Group):
            yield from _commands(command)


@pytest.mark.parametrize("command", list(_commands(cli.main)), ids=lambda command: str(command.name))
def test_every_command_and_option_explains_itself(command: click.Command) -> None:
    assert command.help
    options = [each for each in command.params if isinstance(each, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("target", re.findall(r"^    make ([a-z-]+)", README, re.MULTILINE))
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)

"""What the documents show is so: their commands print it, their code runs, their tariffs can be used.

A document that nothing runs is wrong within a month.
"""

import re
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from doctest import ELLIPSIS, OutputChecker
from pathlib import Path

import click
import pytest

from api.cli.main import main
from domain.billing import party, tariff, tariff_schema
from domain.billing.band_tables import band_checks
from domain.log import urls
from domain.notices.line_number import LINE_RULE_2
from tests.e2e.docs.documents import DOCS, DOCUMENTS, ROOT, blocks, commands, mentioned_commands, name
from tests.e2e.docs.shell import Shell, shell

SERVER = "postgresql://ledger:PASSWORD@db.example.com"
# What else may stand in a fenced block: directives of the site, and what is not ours to run.
NOT_RUN = ("sh", "sql", "text", "json", "nginx", "{toctree}", "{glossary}")
WITH_COMMANDS = [each for each in DOCUMENTS if blocks(each.read_text(), "console")]
# Their commands start servers, or load what takes seconds: they have their turn in the thorough run.
LONG = {
    f"docs/how-to/{each}.md"
    for each in ("archive-closed-months", "ask-ad-hoc-questions", "bill-customers", "rehearse", "run-on-postgresql")
}
SHORT_FIRST = [pytest.param(each, marks=pytest.mark.thorough) if name(each) in LONG else each for each in WITH_COMMANDS]


def agrees(shown: str, printed: str) -> bool:
    """Compare as doctest does: ``...`` stands for anything."""
    return OutputChecker().check_output(shown.rstrip("\n"), printed.rstrip("\n"), ELLIPSIS)


def follow(user: Shell, text: str) -> None:
    """Type a document's commands, then run its Python; each must print what the document shows."""
    for command, shown in commands(text):
        if command.endswith("&"):
            user.start(command, shown)
            continue
        printed = user.run(command)
        assert agrees(shown, printed), f"$ {command}\nshown:\n{shown}\nprinted:\n{printed}"
    for code in blocks(text, "python"):
        (user.folder / "code.py").write_text(code)
        printed = user.run("python -W error code.py || echo FAILED")
        assert "FAILED" not in printed, printed
    for shown, printed in user.stop():
        assert agrees(shown + "...", printed), f"shown:\n{shown}\nprinted:\n{printed}"


@pytest.mark.parametrize("document", SHORT_FIRST, ids=name)
def test_a_document_shows_what_its_commands_print(
    document: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    text = document.read_text()
    with ExitStack() as opened:
        user = opened.enter_context(shell(tmp_path))
        for database in sorted(set(re.findall(rf"{SERVER}/(\w+)", text))):
            url = opened.enter_context(request.getfixturevalue("postgres").database())
            shown = f"{SERVER}/{database}"
            text = text.replace(shown, url).replace(urls.redacted(shown), urls.redacted(url))
        follow(user, text)


def test_python_is_shown_only_where_commands_have_made_what_it_reads() -> None:
    assert [name(each) for each in DOCUMENTS if blocks(each.read_text(), "python") and each not in WITH_COMMANDS] == []


def test_every_block_says_what_it_is_so_that_what_can_be_run_is_run() -> None:
    known = ("console", "python", "toml", *NOT_RUN)
    found = [
        (name(document), language)
        for document in DOCUMENTS
        for language in re.findall(r"^```(.*)\n(?:.*\n)*?^```$", document.read_text(), re.MULTILINE)
    ]
    assert [each for each in found if each[1] not in known] == []


def test_every_tariff_that_is_shown_can_be_used() -> None:
    shown = [(name(document), text) for document in DOCUMENTS for text in blocks(document.read_text(), "toml")]
    parties = [text for _, text in shown if "[sender]" in text]
    assert [party.parse_party(text).sender.name for text in parties] == ["Example Telecom Ltd"]
    for number, (_, text) in enumerate(shown, 1):
        if text in parties:
            continue
        tariff.parse_tariff(text, number, timezone="UTC", line_rule=LINE_RULE_2)
    assert "docs/reference/tariff-file.md" in {document for document, _ in shown}


def test_the_tariff_of_the_reference_has_every_key() -> None:
    shown = blocks((DOCS / "reference/tariff-file.md").read_text(), "toml")[0]
    keys = [
        *tariff_schema.file_checks("UTC"),
        *tariff_schema.rule_checks("UTC", LINE_RULE_2),
        *band_checks(),
        *tariff_schema.ACCOUNT_CHECKS,
    ]
    assert [key for key in keys if not re.search(rf"^\[*(rules\.)?{key}\b", shown, re.MULTILINE)] == []


@pytest.mark.parametrize("document", DOCUMENTS, ids=name)
def test_a_document_names_only_commands_and_options_that_exist(document: Path) -> None:
    found = {command: unknown_words(shlex.split(command)[1:]) for command in mentioned_commands(document.read_text())}
    assert {command: words for command, words in found.items() if words} == {}


def unknown_words(words: list[str]) -> list[str]:
    """Return what of a command line is neither a command nor an option of it; arguments are not looked at."""
    command: click.Command = main
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        named = command.get_command(click.Context(command), words[0])
        if named is None:
            return words[:1]
        command, words = named, words[1:]
    known = {option for parameter in command.params for option in parameter.opts} | {"--help", "--version"}
    return [word for word in words if word.startswith("--") and word.partition("=")[0] not in known]


def make_targets() -> Iterator[str]:
    for document in DOCUMENTS:
        yield from re.findall(r"(?:^    |`)make ([a-z-]+)", document.read_text(), re.MULTILINE)


@pytest.mark.parametrize("target", sorted(set(make_targets())))
def test_every_make_target_that_is_named_exists(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)

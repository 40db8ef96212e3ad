"""The reference says everything: each setting, command, event, table, operation, flag and answer of this version."""

import re
import signal

import pytest

from api.cli import exit_codes
from api.setting_table import SETTINGS
from api.web.json_api.routes import operations
from api.web.problems import TITLES
from domain.calls import call
from domain.events import notice_events, operator_events
from generated_reference import PAGES, commands
from projections.schema.column_kinds import exported_columns
from projections.schema.read_models import TABLES
from tests.e2e.docs.documents import DOCS


@pytest.fixture(scope="module")
def described() -> dict[str, str]:
    """Return what the code says on each page that is described from it."""
    return {page: describe() for page, describe in PAGES.items()}


def test_each_description_has_a_page_that_introduces_it() -> None:
    assert [page for page in PAGES if not (DOCS / f"{page}.md").read_text().startswith("# ")] == []


def test_settings_are_listed_with_default_and_meaning(described: dict[str, str]) -> None:
    text = described["reference/settings"]
    assert [
        setting.name
        for setting in SETTINGS
        if f"| `{setting.name}` | {f'`{setting.default}`' if setting.default else '(none)'} | {setting.meaning} |"
        not in text
    ] == []


def test_every_command_and_option_explains_itself(described: dict[str, str]) -> None:
    text = described["reference/commands"]
    every = list(commands.all_commands())
    assert len(every) > 30
    assert [name for name, context in every if not context.command.help or f" {name}\n" not in text] == []
    silent = [
        f"{name} {option.name}"
        for name, context in every
        for option in context.command.params
        if option.param_type_name == "option" and not getattr(option, "help", None)
    ]
    assert silent == []


def test_every_exit_code_is_listed() -> None:
    text = (DOCS / "reference/commands.md").read_text()
    codes = [exit_codes.DONE, exit_codes.FINDING, exit_codes.USAGE, exit_codes.UNAVAILABLE, exit_codes.INTERRUPTED]
    terminated = exit_codes.SIGNALLED + signal.SIGTERM
    assert [code for code in (*codes, terminated) if f"| {code} |" not in text] == []


def test_every_topic_is_listed(described: dict[str, str]) -> None:
    notices: list[type[notice_events.NoticeRecorded]] = [
        *notice_events.EVENTS.values(),
        notice_events.UnrecognisedRecorded,
    ]
    topics = [*(kind.TOPIC for kind in notices), *operator_events.OPERATOR_EVENTS]
    assert [topic for topic in topics if topic not in described["reference/events"]] == []


def test_every_column_is_listed(described: dict[str, str]) -> None:
    sections = dict(re.findall(r"^## (\S+)\n(.*?)(?=^## |\Z)", described["reference/tables"], re.MULTILINE | re.DOTALL))
    missing = [
        (model, column.name)
        for model, table in TABLES.items()
        for column in exported_columns(table)
        if f"| `{column.name}` |" not in sections[model]
    ]
    assert missing == []


def test_every_operation_of_the_api_is_listed(described: dict[str, str]) -> None:
    text = described["reference/json-api"]
    assert [each.path for each in operations() if f"## {each.method} {each.path}\n" not in text] == []


def test_every_answer_to_a_callback_is_listed() -> None:
    text = (DOCS / "reference/callback-answers.md").read_text()
    assert [code for code in (200, *TITLES) if f"`{code}`" not in text] == []


def test_every_flag_is_listed() -> None:
    text = (DOCS / "reference/flags.md").read_text()
    flags = [value for name, value in vars(call).items() if name.isupper() and isinstance(value, str) and "-" in value]
    assert [flag for flag in flags if flag != call.IN_PROGRESS and f"| `{flag}` |" not in text] == []

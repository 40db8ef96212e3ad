"""``tringledger audit-log``: entries can be listed, and deleted by their age, which is an entry itself."""

import pytest

from tests.support.command import run


@pytest.fixture(autouse=True)
def user(store: str) -> None:
    assert run("migrate", "--store", store).code == 0
    assert run("user", "add", "ann", "--role", "read", "--store", store).code == 0


class TestTheAuditLog:
    def test_says_what_was_changed_by_a_command(self) -> None:
        (entry,) = run("audit-log", "--format", "json").json()
        assert (entry["did"], entry["what"], entry["how"]) == ("changed", "user add ann read", "command")

    def test_loses_entries_from_before_a_time_and_says_so(self) -> None:
        said = run("audit-log", "--delete-before", "2000-01")
        assert (said.code, said.err) == (0, "deleted 0 entries from before 2000-01-01T00:00:00.000000Z\n")
        assert run("audit-log", "--delete-before", "2100-01").err.startswith("deleted 2 entries")
        (entry,) = run("audit-log", "--format", "json").json()
        assert entry["what"] == "audit-log --delete-before 2100-01-01T00:00:00.000000Z: 2 entries"

    @pytest.mark.parametrize("words", [("soon",), ("2100-01", "--who", "ann"), ("2100-01", "--did", "viewed")])
    def test_is_deleted_by_age_alone(self, words: tuple[str, ...]) -> None:
        assert run("audit-log", "--delete-before", *words).code == 2
        assert len(run("audit-log", "--format", "json").json()) == 1

"""``tringledger tariff``: a file is checked, published as it stands, and shown again; a broken one publishes nothing."""

from pathlib import Path

import pytest

from domain import times
from domain.ledger import Ledger
from tests.support.command import run
from tests.support.ledgers import opened, record
from tests.support.notices import cdr

DONE, FINDING, USAGE, UNAVAILABLE = range(4)
GOOD = 'effective_from = 2026-01-01  # each "tag" as it is: ü\n\n[[rules]]\ntag = "*"\nmarkup_percent = 10\n'
BAD = 'colour = "red"\n[[rules]]\ntag = "*"\nper_minute = -1\n'


@pytest.fixture
def good(tmp_path: Path) -> str:
    return written(tmp_path / "prices.toml", GOOD)


@pytest.fixture
def bad(tmp_path: Path) -> str:
    return written(tmp_path / "bad.toml", BAD)


def written(path: Path, text: str | bytes) -> str:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def published(file: str, reason: str = "first prices") -> str:
    said = run("tariff", "publish", file, "--by", "kim", "--reason", reason)
    assert (said.code, said.out) == (DONE, "")
    return said.err


class TestCheck:
    @pytest.mark.usefixtures("store")
    def test_a_good_file_is_told_in_a_sentence(self, good: str) -> None:
        said = run("tariff", "check", good)
        assert said == (DONE, f"{good}: 1 rule, in effect from 2026-01-01T00:00:00.000000Z on, time zone UTC\n", "")

    @pytest.mark.usefixtures("store")
    def test_a_broken_one_has_every_finding_on_a_line_of_its_own(self, bad: str) -> None:
        said = run("tariff", "check", bad)
        assert (said.code, said.err) == (FINDING, "")
        assert [line.partition(": expected ")[0] for line in said.out.splitlines()] == [
            f'{bad}:1: colour = "red"',
            f"{bad}:4: rule 1: per_minute = -1",
        ]

    @pytest.mark.usefixtures("store")
    def test_findings_are_there_for_programs_too(self, bad: str, good: str) -> None:
        found = run("tariff", "check", bad, "--format", "json").json()["findings"]
        assert [(finding["line"], finding["key"], finding["value"]) for finding in found] == [
            (1, "colour", '"red"'),
            (4, "rule 1: per_minute", "-1"),
        ]
        assert run("tariff", "check", good, "--format", "json").json()["findings"] == []

    @pytest.mark.usefixtures("store")
    def test_a_file_that_is_no_utf_8_is_told_with_its_line(self, tmp_path: Path) -> None:
        file = written(tmp_path / "latin.toml", b"# one\n# B\xfcro\n")
        said = run("tariff", "check", file)
        assert (said.code, said.out) == (FINDING, f"{file}:2: the file = b'\\xfc': expected UTF-8\n")

    def test_dates_are_read_in_the_ledgers_time_zone(
        self, store: str, good: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        if store.startswith("sqlite"):
            monkeypatch.setenv("TRINGLEDGER_TIMEZONE", "Europe/Berlin")
            assert "from 2025-12-31T23:00:00.000000Z on" in run("tariff", "check", good).out
            with opened(store, clock=times.now):
                pass
            monkeypatch.delenv("TRINGLEDGER_TIMEZONE")
        assert "from 2026-01-01T00:00:00.000000Z on, time zone UTC" in run("tariff", "check", good).out


class TestRulesThatBeginLaterOrAreNeverReached:
    first = '[[rules]]\ntag = "*"\nper_minute = 15\n'
    later = '[[rules]]\ntag = "acme"\n[[rules]]\ntag = "*"\neffective_from = 2026-11-01\n[[rules]]\ntag = "acme"\n'
    until = "2026-11-01T00:00:00.000000Z"

    @pytest.mark.usefixtures("store")
    def test_check_names_them_with_their_lines_and_finds_nothing_wrong(self, tmp_path: Path) -> None:
        file = written(tmp_path / "prices.toml", self.later)
        published(written(tmp_path / "first.toml", self.first))
        said = run("tariff", "check", file)
        assert (said.code, said.out.splitlines()[1:]) == (
            DONE,
            [
                f"{file}:3: rule 2: until {self.until}, version 1 decides on the calls that it fits",
                f"{file}:6: rule 3: never reached: rule 1, at line 1, takes every call that it fits",
            ],
        )

    @pytest.mark.usefixtures("store")
    def test_programs_get_them_too(self, tmp_path: Path) -> None:
        found = run("tariff", "check", written(tmp_path / "prices.toml", self.later), "--format", "json").json()
        assert [(note["line"], note["rule"], note["until"]) for note in found["notes"]] == [
            (3, 2, self.until),
            (6, 3, None),
        ]

    @pytest.mark.usefixtures("store")
    def test_publish_says_so_of_the_version_before(self, tmp_path: Path) -> None:
        file = written(tmp_path / "prices.toml", self.later)
        without, after = published(file), published(file)
        assert f"{file}:3: rule 2: until {self.until}, the calls that it fits have no rule" in without
        assert f"{file}:3: rule 2: until {self.until}, version 1 decides on the calls that it fits" in after
        assert f"\n{file}:6: rule 3: never reached" in after


class TestPublish:
    @pytest.mark.usefixtures("store")
    def test_versions_are_numbered_and_kept_as_they_stand(self, good: str, tmp_path: Path) -> None:
        assert published(good).startswith("version 1 published at position 1: 1 rule, in effect from")
        other = written(tmp_path / "other.toml", "\ufeff" + GOOD.replace("10", "20").replace("\n", "\r\n"))
        assert published(other, "dearer").startswith("version 2 published at position 2")
        assert run("tariff", "show", "1").out == GOOD
        assert run("tariff", "show", "2").out == GOOD.replace("10", "20").replace("\n", "\r\n")
        listed = run("tariff", "list", "--format", "json").json()
        assert [(each["version"], each["position"], each["by"], each["reason"]) for each in listed] == [
            (1, 1, "kim", "first prices"),
            (2, 2, "kim", "dearer"),
        ]
        shown = run("tariff", "list").out.splitlines()
        assert shown[0].split() == [
            "version",
            "position",
            "published_at",
            "by",
            "reason",
            "rules",
            "effective_from",
            "timezone",
        ]
        assert len(shown) == 3

    def test_a_broken_one_is_refused_and_nothing_is_published(self, store: str, bad: str, good: str) -> None:
        published(good)
        said = run("tariff", "publish", bad, "--by", "kim", "--reason", "x")
        assert (said.code, said.out) == (FINDING, "")
        assert f"{bad}:1: colour" in said.err
        assert f"{bad}:4: rule 1: per_minute = -1: expected a number from 0 to 9999" in said.err
        with Ledger(store) as ledger:
            assert ledger.head() == 1

    @pytest.mark.usefixtures("store")
    @pytest.mark.parametrize("words", [("--by", "kim"), ("--reason", "x")])
    def test_who_and_why_must_be_told(self, good: str, words: tuple[str, ...]) -> None:
        assert run("tariff", "publish", good, *words).code == USAGE

    @pytest.mark.usefixtures("store")
    def test_and_must_be_told_in_words(self, good: str) -> None:
        said = run("tariff", "publish", good, "--by", " ", "--reason", "x")
        assert (said.code, "by is ' '" in said.err) == (FINDING, True)

    def test_it_prices_the_cdrs_after_it_and_none_before(self, store: str, good: str) -> None:
        with opened(store) as ledger:
            record(ledger, cdr(0, srccharge="10", src="1"))
        published(good)
        with opened(store) as ledger:
            record(ledger, cdr(1, srccharge="10", src="2"))
        rows = run("export", "cdrs", "--format", "csv").out.splitlines()[1:]
        assert [(row.split(",")[2], row.split(",")[18], row.split(",")[20]) for row in rows] == [
            ("1", "", "10"),
            ("2", "1", "11"),
        ]


@pytest.mark.usefixtures("store")
def test_a_version_that_is_not_there_is_a_finding(good: str) -> None:
    published(good)
    said = run("tariff", "show", "2")
    assert (said.code, said.err) == (
        FINDING,
        "tringledger: there is no tariff version 2; `tringledger tariff list` shows the published versions\n",
    )

"""Rows of tables that changed (SPEC 9.6): a source and an id that were recorded before with other values are in conflict."""

import pytest

from domain.ledger import Ledger
from domain.log.tables import SIGNATURES
from domain.times import iso
from tests.support.command import Said, run
from tests.support.ledger_inspection import head

DONE, FINDING = 0, 1
HEADER = "id,received_at,tag,src,destduration,destcharge\n"
VOUCHED = ("--unsigned", "--by", "Ada", "--reason", "the table of 2025")
CURE = (
    "rows in conflict were not recorded. If the new values are right, void the call (`tringledger call void`), and import the row"
    " under another id\n"
)
KEY_WITH_ID = "60f6df6fe3380d382fe8f9df08bdad90a164d0ad994ad728dab2120266571d0f"
KEY_WITHOUT_ID = "3edf586f790ec5cc741fbb8a80163ee42f170f06fa671ec9a37f03ee1b18d5fd"
NO_ID = "rows have no id: if their values change, a later import takes them for other calls\n"


def imported(text: str, *arguments: str) -> Said:
    return run(
        *("import", "--format", "csv", "--source", "old", "--set", "type=cdr", *VOUCHED, *arguments, "-"), stdin=text
    )


def row(charge: str, number: int = 1) -> str:
    return f"{HEADER}{number},2026-11-01 10:00:00,acme,18585550001,60,{charge}\n"


@pytest.mark.usefixtures("store")
class TestARowThatChanged:
    def test_is_one_call_and_a_conflict_each_time_that_names_the_first_and_what_differs(self, store: str) -> None:
        assert imported(row("")).code == DONE
        second, third = imported(row("2.5")), imported(row("2.6"))
        assert (second.code, third.code, head(store)) == (FINDING, FINDING, 1)
        assert second.err == (
            "stdin, line 2 is in conflict, and not recorded: id=1 of import:old was recorded at position 1 with other parameters:"
            " destcharge was missing and is '2.5'\n"
            f"0 recorded, 0 duplicate, 0 quarantined (0 new), 0 unreadable, 1 in conflict\n{CURE}"
        )
        assert "destcharge was missing and is '2.6'\n" in third.err

    def test_stays_a_duplicate_as_it_was_and_is_recorded_under_another_id(self, store: str) -> None:
        imported(row("2.5"))
        imported(row("2.6"))
        assert imported(row("2.5")).err.startswith("0 recorded, 1 duplicate")
        assert imported(row("2.6", 2)).err.startswith("1 recorded")
        assert head(store) == 2

    def test_is_the_same_in_a_dry_run(self) -> None:
        imported(row("2.5"))
        said = imported(row("2.6"), "--dry-run")
        assert (said.code, "destcharge was '2.5' and is '2.6'" in said.err, CURE in said.err) == (FINDING, True, True)

    def test_has_a_conflict_with_the_first_of_the_versions_that_an_older_program_stored(self, store: str) -> None:
        """Each of them stays a duplicate."""
        imported(row("2.5"))
        forget_claims(store)
        imported(row("2.6"))
        forget_claims(store)
        assert head(store) == 2
        make_older(store)
        assert run("migrate").code == DONE
        assert [imported(row(charge)).err[:23] for charge in ("2.5", "2.6")] == ["0 recorded, 1 duplicate"] * 2
        assert (
            "recorded at position 1 with other parameters: destcharge was '2.5' and is '2.7'"
            in imported(row("2.7")).err
        )

    def test_under_another_source_is_another_call(self, store: str) -> None:
        imported(row("2.5"))
        imported(row("2.6"), "--source", "other")
        assert head(store) == 2

    def test_without_an_id_is_another_call_and_the_import_says_so_once(self) -> None:
        text = row("2.5").replace("id,", "", 1).replace("\n1,", "\n")
        said = imported(text + text.splitlines()[1] + "\n")
        assert said.err == f"2 {NO_ID}2 recorded, 0 duplicate, 0 quarantined (0 new), 0 unreadable\n"
        assert NO_ID not in imported(row("2.5")).err


def forget_claims(store: str) -> None:
    with Ledger(store) as ledger, ledger.store.fill() as fill:
        with ledger.store.snapshot() as snapshot:
            keys = [each[:1] for each in snapshot.rows(SIGNATURES)]
        fill.remove(SIGNATURES, keys)


def make_older(store: str) -> None:
    with Ledger(store) as ledger, ledger.store.fill() as fill:
        fill.set_fact("schema", "1")


class TestCellsOfATable:
    def test_of_a_text_that_is_named_are_empty(self, store: str) -> None:
        text = f"{HEADER}1,2026-11-01 10:00:00,acme,NULL,60,\\N\n"
        assert imported(text, "--null", "NULL", "--null", "\\N").code == DONE
        with Ledger(store) as ledger:
            assert dict(ledger.notice_at(1).params) == {
                "f": "tm", "type": "cdr", "tag": "acme", "destduration": "60",
            }  # fmt: skip

    @pytest.mark.parametrize("src", ["1.85856E+10", "1,85856E+10", "2e9"])
    def test_with_a_phone_number_that_a_spreadsheet_has_shortened_are_unreadable(self, src: str, store: str) -> None:
        said = imported(f'{HEADER}1,2026-11-01 10:00:00,acme,"{src}",60,1\n')
        assert said.code == FINDING
        assert f"src={src!r}: expected all digits of the number; a spreadsheet has lost some" in said.err
        assert head(store) == 0

    @pytest.mark.parametrize(("fold", "wanted"), [("0", "2026-10-25T00:30:00"), ("1", "2026-10-25T01:30:00")])
    def test_with_a_time_that_came_twice_are_ambiguous_unless_it_is_said_which(
        self, fold: str, wanted: str, store: str
    ) -> None:
        text = f"{HEADER}1,2026-10-25 02:30:00,acme,1,60,1\n"
        said = imported(text, "--timezone", "Europe/Berlin")
        assert said.code == FINDING
        assert (
            "received_at='2026-10-25 02:30:00': it came twice on the clocks of Europe/Berlin: expected its offset, or --fold 0 (the first)"
            in said.err
        )
        assert imported(text, "--timezone", "Europe/Berlin", "--fold", fold).code == DONE
        with Ledger(store) as ledger:
            assert iso(ledger.notice_at(1).received_at).startswith(wanted)


class TestALaterExportOfRowsWithoutIds:
    def test_that_overlaps_the_first_adds_only_its_new_rows(self, store: str) -> None:
        header, one, two, three = (
            "received_at,tag,src,destcharge\n",
            *(f"2026-11-01 10:0{minute}:00,acme,18585550001,2.5\n" for minute in (0, 0, 1)),
        )
        imported(header + one + two)
        said = imported(header + one + two + three)
        assert said.err.endswith("1 recorded, 2 duplicate, 0 quarantined (0 new), 0 unreadable\n")
        assert head(store) == 3

    def test_has_golden_delivery_keys(self, store: str) -> None:
        """They are stored in every ledger: another way to make them would record old rows again."""
        imported(f"{HEADER}1,2026-11-01 10:00:00,acme,18585550001,60,2.5\n")
        imported("received_at,tag,src\n2026-11-01 10:00:00,acme,18585550001\n")
        with Ledger(store) as ledger:
            found = ledger.store.positions([bytes.fromhex(KEY_WITH_ID), bytes.fromhex(KEY_WITHOUT_ID)])
        assert sorted(found.values()) == [1, 2]

"""The commands by which operators correct: what they append, what follows from it, and what they refuse."""

import pytest

from tests.support.command import run
from tests.support.ledger_inspection import exported, head
from tests.support.notices import TAG, callstatus, line, priced_cdr, signed

DONE, FINDING, USAGE = 0, 1, 2
SAID = ("--by", "kim", "--reason", "the customer is right")
AT = "2026-10-15T12:00:00.000000Z"
NOWHERE = "00000000-0000-0000-0000-000000000000"


def cdrs() -> list[dict[str, str]]:
    rows: list[dict[str, str]] = run("export", "cdrs", "--format", "json").json()
    return rows


@pytest.fixture(autouse=True)
def recorded(store: str) -> None:
    notices = [
        callstatus(r=1),
        callstatus(r=2, status="COMPLETED"),
        priced_cdr(r=3, status="COMPLETED"),
        priced_cdr(r=4, status="COMPLETED"),
    ]
    run("import", "--store", store, "-", stdin="".join(line(signed(pairs), AT) for pairs in notices))


@pytest.fixture
def call() -> str:
    (row,) = cdrs()
    return row["call_id"]


def test_a_split_makes_a_new_call_and_a_merge_or_undo_restores_what_was(call: str) -> None:
    before = exported()
    said = run("call", "split", call, "3", *SAID, "--format", "json")
    first, second = said.json()
    assert (said.code, first["call_id"], first["position"], second["position"]) == (DONE, call, 5, 6)
    new = second["call_id"]
    assert {row["call_id"]: row["ordinal"] for row in cdrs()} == {call: 1, new: 2}
    assert run("call", "merge", new, call, *SAID).code == DONE
    assert exported() == before
    run("call", "split", call, "3", *SAID)
    assert run("undo", "10", *SAID).code == DONE
    assert exported() == before


def test_the_beginnings_of_ids_will_do(call: str) -> None:
    new = run("call", "split", call[:6], "3", *SAID, "--format", "json").json()[1]["call_id"]
    merged = run("call", "merge", new[:20], call[:9], *SAID, "--format", "json").json()
    assert {each["call_id"] for each in merged} == {call, new}
    assert run("call", "void", call[:4], *SAID, "--format", "json").json()[0]["call_id"] == call
    assert run("history", call[:8], "--format", "json").json()["call_id"] == call


def test_a_repeated_cdr_can_be_released_and_is_then_billed() -> None:
    said = run("call", "release", "4", *SAID)
    assert (said.code, said.err) == (DONE, "`tringledger undo 6` reverses it\n")
    assert [row["position"] for row in cdrs()] == [3, 4]
    assert run("exception", "list", "--flag", "repeated-cdr", "--format", "json").json() == []


def test_a_void_call_costs_and_is_not_billed_until_that_is_undone(call: str) -> None:
    run("call", "void", call, *SAID)
    assert [(row["cost"], row["price"]) for row in cdrs()] == [("3.5", "0")]
    shown = run("history", call).out
    assert "call-voided" in shown
    assert "reason=the customer is right" in shown
    run("undo", "5", *SAID)
    assert [(row["cost"], row["price"]) for row in cdrs()] == [("3.5", "3.5")]


@pytest.mark.only_on("sqlite")
def test_a_dry_run_says_what_a_command_would_do_and_does_nothing(call: str, store: str) -> None:
    before = exported()
    for command in (
        ("call", "void", call),
        ("call", "split", call, "3"),
        ("call", "release", "4"),
        ("adjust", TAG, "-1.25", "--period", "2026-10"),
    ):
        said = run(*command, *SAID, "--dry-run", "--format", "json")
        foreseen = said.json()
        assert (said.code, foreseen["dry_run"], foreseen["position"], head(store)) == (DONE, True, None, 4), command
        assert foreseen["events"], command
    assert exported() == before
    voided = run("call", "void", call, *SAID, "--dry-run")
    assert "-3.5" in voided.out
    assert voided.err == "1 event would be appended; nothing was\n"
    run("call", "void", call, *SAID)
    undone = run("undo", "5", *SAID, "--dry-run", "--format", "json").json()
    assert [each["price"] for each in undone["moved"]] == ["3.5"]
    refused = run("call", "void", call, *SAID, "--dry-run")
    assert (refused.code, "is void already" in refused.err, head(store)) == (FINDING, True, 5)


@pytest.mark.only_on("sqlite")
def test_all_exceptions_that_fit_are_resolved_and_opened_again(store: str) -> None:
    chosen = ("--all", "--flag", "repeated-cdr", "--tag", TAG)
    assert run("exception", "resolve", *chosen, *SAID, "--format", "json").json() == {
        "total": 1,
        "outcomes": {"resolved": 1},
        "refused": {},
    }
    assert run("exception", "list", "--flag", "repeated-cdr", "--format", "json").json() == []
    assert run("exception", "resolve", *chosen, *SAID).err.endswith("nothing to do: nothing fits\n")
    assert (run("exception", "reopen", *chosen, *SAID).code, head(store)) == (DONE, 6)
    for wrong in (("repeated-cdr", "4", "--all"), ("repeated-cdr", "4", "--tag", TAG), ("repeated-cdr",), ()):
        assert run("exception", "resolve", *wrong, *SAID).code == USAGE, wrong


def test_an_account_is_charged_or_credited_in_a_month() -> None:
    said = run("adjust", TAG, "-1.25", "--period", "2026-10", *SAID)
    assert (said.code, said.out.splitlines()[1].split()[2:]) == (
        DONE,
        [f"account={TAG}", "amount=-1.25", "period=2026-10"],
    )
    assert run("adjust", TAG, "0.75", "--period", "2026-10", *SAID).code == DONE
    (row,) = run("export", "billing", "--format", "json").json()
    assert (row["price"], row["margin"], row["cost"]) == ("3", "-0.5", "3.5")
    run("undo", "5", *SAID)
    (row,) = run("export", "billing", "--format", "json").json()
    assert row["price"] == "4.25"


def test_exceptions_are_listed_resolved_and_reopened() -> None:
    (found,) = run("exception", "list", "--flag", "repeated-cdr", "--format", "json").json()
    assert (found["position"], found["cost"], found["resolved_by"]) == (4, "3.5", "")
    run("exception", "resolve", "repeated-cdr", "4", *SAID)
    assert run("exception", "list", "--tag", TAG, "--format", "json").json() == []
    (found,) = run("exception", "list", "--all", "--format", "json").json()
    assert (found["resolved_by"], found["resolution"]) == ("kim", "the customer is right")
    run("exception", "reopen", "repeated-cdr", "4", *SAID)
    said = run("exception", "list", "--period", "2026-10")
    assert (said.out.splitlines()[1].split()[:2], said.err) == (["repeated-cdr", "4"], "1 exceptions open\n")


def test_a_notice_of_no_call_has_the_exceptions_that_are_listed_and_no_others() -> None:
    run("import", "-", stdin=line(signed(callstatus(r=9, type="fax", status=None)), AT))
    assert run("exception", "resolve", "nonce-reused", "5", *SAID).code == FINDING
    assert run("exception", "resolve", "unrecognised-type", "5", *SAID).code == DONE
    assert run("exception", "resolve", "unrecognised-type", "6", *SAID).code == FINDING


def test_what_is_dismissed_from_quarantine_waits_no_more_and_status_is_content() -> None:
    run("import", "-", stdin=line(signed(priced_cdr(r=9, srccharge="much")), AT))
    assert "1 in quarantine" in run("quarantine", "list").err
    assert run("status", "--check").code == FINDING
    said = run("quarantine", "resolve", "1", *SAID)
    assert (said.code, said.out.splitlines()[1].split()[:2]) == (DONE, ["5", "quarantine-resolved"])
    assert "undo" not in said.err
    assert "0 in quarantine" in run("quarantine", "list").err
    said = run("status", "--check")
    assert (said.code, "quarantine  0 wrong signatures, 0 broken values" in said.out) == (DONE, True)
    assert run("quarantine", "resolve", "1", *SAID).code == FINDING


def test_an_account_that_the_books_do_not_know_is_refused_unless_it_is_new(store: str) -> None:
    said = run("adjust", "amce", "-1.25", *SAID)
    assert (said.code, said.out, head(store)) == (FINDING, "", 4)
    assert "the books have no account 'amce'" in said.err
    assert run("adjust", "amce", "-1.25", "--new-account", *SAID).code == DONE
    assert run("adjust", "amce", "1", *SAID).code == DONE  # It was adjusted before.


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("call", "void", NOWHERE), "there is no call"),
        (("call", "merge", NOWHERE, NOWHERE), "into itself"),
        (("call", "release", "3"), "is not a repeated-cdr"),
        (("call", "release", "99"), "the log has no position 99; its head is 4"),
        (("adjust", TAG, "0"), "the amount is 0"),
        (("exception", "resolve", "repeated-cdr", "3"), "there is no exception repeated-cdr at position 3"),
        (("quarantine", "resolve", "7"), "does not exist"),
        (("undo", "3"), "which cannot be reversed"),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else None,
)
def test_what_makes_no_sense_is_refused_and_nothing_is_appended(store: str, words: tuple[str, ...], why: str) -> None:
    said = run(*words, *SAID)
    assert (said.code, said.out, head(store)) == (FINDING, "", 4)
    assert why in said.err


@pytest.mark.parametrize(
    "words",
    [
        ("call", "void", "x", *SAID),
        ("call", "void", NOWHERE),
        ("adjust", TAG, "1,5", *SAID),
        ("adjust", TAG, "-1.1234567", *SAID),
        ("adjust", TAG, "1", "--period", "october", *SAID),
        ("exception", "resolve", "odd", "3", *SAID),
        ("undo", "0", *SAID),
        ("quarantine", "resolve", *SAID),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("store")
def test_what_cannot_be_meant_is_wrong_usage(words: tuple[str, ...]) -> None:
    assert run(*words).code == USAGE

"""What a command is said to move before it is run is what the books change by once it is run."""

from collections.abc import Callable, Iterator
from contextlib import closing
from uuid import UUID

import pytest

from api.application.account_adjustment import adjustment_command
from api.application.command_preview import CommandPreview, do_command, preview_command, preview_document
from api.application.operator_commands import ChangedMeanwhile, Command, run_command
from domain import times
from domain.errors import CommandRejected
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.schema.tables import BILLING, OPERATOR_EVENTS
from projections.stores.generations import open_current
from tests.support.ledgers import opened, record
from tests.support.notices import START, callstatus, priced_cdr

SAID = ("kim", "the customer is right")
DAY = times.DAY
Months = dict[tuple[str, str], tuple[int, int, int]]


@pytest.fixture
def ledger(store: str) -> Iterator[Ledger]:
    """Open a ledger with two calls in October, which is closed, one with a repeated CDR, and one in November."""
    with opened(store, clock=lambda: START + 45 * DAY) as ledger:
        november = 31 * DAY
        record(
            ledger,
            *(callstatus(), callstatus("COMPLETED", 1), priced_cdr(2), priced_cdr(3)),
            *(callstatus("SRCANSWERED", DAY, tag="other"), priced_cdr(DAY + 1, tag="other")),
            *(callstatus("SRCANSWERED", november), priced_cdr(november + 1, destcharge="7")),
        )
        with ledger.operator_session(*SAID) as session:
            session.publish_tariff('[[rules]]\ntag = "*"\nmarkup_percent = 20')
            session.close_month("2026-10")
        yield ledger


def first(ledger: Ledger, position: int) -> UUID:
    return UUID(ledger.store.page(position - 1, 1, position)[0].stream_id)


def months(ledger: Ledger) -> Months:
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        with store.snapshot() as connection:
            rows = connection.execute(BILLING.select())
            return {(row.account, row.period): (row.calls, row.cost, row.price) for row in rows}


def foreseen(preview: CommandPreview) -> Months:
    found: Months = {}
    for moved in preview.moved.months:
        key = (moved.account, moved.period)
        calls, cost, price = found.get(key, (0, 0, 0))
        found[key] = (calls + moved.amounts.calls, cost + moved.amounts.cost, price + moved.amounts.price)
    return {key: sums for key, sums in found.items() if any(sums)}


def changed(before: Months, after: Months) -> Months:
    nothing = (0, 0, 0)
    found = {
        key: tuple(new - old for new, old in zip(after.get(key, nothing), before.get(key, nothing), strict=True))
        for key in {*before, *after}
    }
    return {key: (sums[0], sums[1], sums[2]) for key, sums in found.items() if any(sums)}


COMMANDS: dict[str, Callable[[Ledger], Command]] = {
    "void in a closed month": lambda ledger: lambda session: session.void_call(first(ledger, 1)),
    "void in an open month": lambda ledger: lambda session: session.void_call(first(ledger, 7)),
    "release": lambda _: lambda session: session.release_cdr(4),
    "split": lambda ledger: lambda session: session.split_call(first(ledger, 7), [8]),
    "merge into a closed month": lambda ledger: lambda session: session.merge_calls(first(ledger, 7), first(ledger, 1)),
    "merge of closed months": lambda ledger: lambda session: session.merge_calls(first(ledger, 5), first(ledger, 1)),
    "rerate": lambda ledger: lambda session: session.rerate_call(first(ledger, 1), 1),
    "adjust": lambda ledger: adjustment_command(ledger, "sales", -1_250_000, period="2026-11"),
    "adjust a closed month": lambda ledger: adjustment_command(ledger, "sales", 5, period="2026-10"),
    "resolve": lambda _: lambda session: session.resolve_exception("repeated-cdr", 4),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_preview_says_what_a_command_and_its_undoing_move_and_writes_nothing(ledger: Ledger, name: str) -> None:
    head, before = ledger.head(), months(ledger)
    preview = preview_command(ledger, *SAID, COMMANDS[name](ledger))
    assert (ledger.head(), months(ledger)) == (head, before)
    done = do_command(ledger, *SAID, COMMANDS[name](ledger), preview.fingerprint)
    after = months(ledger)
    assert foreseen(preview) == changed(before, after)
    assert [each.type for each in done.result.events] == [each.kind for each in preview.events]
    assert preview.is_reversible is done.result.is_reversible is True
    undoing = preview_command(ledger, *SAID, lambda session: session.undo(done.result.position))
    run_command(ledger, *SAID, lambda session: session.undo(done.result.position), undoing.fingerprint)
    assert foreseen(undoing) == changed(after, months(ledger))


def test_the_sum_is_that_of_the_audit_trail(ledger: Ledger) -> None:
    done = do_command(ledger, *SAID, COMMANDS["void in a closed month"](ledger))
    months(ledger)
    with closing(open_current(ledger)) as store, store.snapshot() as connection:
        moved = connection.execute(OPERATOR_EVENTS.select().order_by(OPERATOR_EVENTS.c.position.desc())).first()
    assert moved is not None
    assert done.preview.moved.price == moved.moved < 0
    (month,) = preview_document(done.preview, done.result)["moved"]
    assert (month["period"], month["original_period"]) == ("2026-11", "2026-10")


def test_what_changed_since_the_preview_is_not_done(ledger: Ledger) -> None:
    command = COMMANDS["split"](ledger)
    preview = preview_command(ledger, *SAID, command)
    run_command(ledger, *SAID, lambda session: session.void_call(first(ledger, 7)))
    head = ledger.head()
    with pytest.raises(ChangedMeanwhile, match="the ledger changed since the preview"):
        do_command(ledger, *SAID, command, preview.fingerprint)
    assert ledger.head() == head
    assert do_command(ledger, *SAID, command).result.position == head + 2


@pytest.mark.only_on("sqlite")
def test_only_the_command_that_was_previewed_is_done(ledger: Ledger) -> None:
    def adjust(amount: int, month: str) -> Command:
        return adjustment_command(ledger, "sales", amount, period=month)

    shown = preview_command(ledger, *SAID, adjust(5, "2026-11"))
    for other in (adjust(50, "2026-11"), adjust(5, "2026-10")):
        with pytest.raises(ChangedMeanwhile):
            do_command(ledger, *SAID, other, shown.fingerprint)
    assert do_command(ledger, "eve", "for another reason", adjust(5, "2026-11"), shown.fingerprint).result.events


def test_what_cannot_be_done_is_refused_before_it_is_tried(ledger: Ledger) -> None:
    with pytest.raises(CommandRejected, match="not a repeated-cdr"):
        preview_command(ledger, *SAID, lambda session: session.release_cdr(3))
    with pytest.raises(CommandRejected, match="reason is ''"):
        preview_command(ledger, "kim", "", lambda session: session.release_cdr(4))

"""Whatever operators correct across closings: the entries and the billing are those of a model by another hand."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Table, select

from domain.errors import CommandRejected
from domain.ledger import Ledger
from domain.operators.session import OperatorSession
from projections.building.catch_up import catch_up
from projections.schema.tables import BILLING, ENTRIES
from projections.stores.generations import open_current
from tests.support.effort import examples
from tests.support.ledgers import record
from tests.support.model.corrections import Amounts, Books, Entry, Fact, Recorded
from tests.support.model.stored_log import facts_of, stored
from tests.support.notices import SECOND, SentNotice, callstatus, cdr
from tests.support.operator_histories import World, ledger_in

MONTHS = ("2026-07", "2026-08", "2026-09", "2026-10")
NOW = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * SECOND
TAGS = ("x", "y")
TARIFFS = (
    '[[rules]]\ntag = "*"\nmarkup_percent = 20\n',
    '[[rules]]\ntag = "x"\naccount = "y"\nper_minute = 7\nrounding = { mode = "up", places = 0, level = "call" }\n',
    'timezone = "Pacific/Kiritimati"\n[[rules]]\ntag = "*"\naccount = "z"\nfixed = 1.5\n[accounts.z]\ntimezone = "Pacific/Pago_Pago"\n',
    '[[rules]]\ntag = "y"\nper_minute = 3\n[[rules]]\ntag = "*"\neffective_from = 2026-10-01\nper_minute = 16\n',
    'effective_from = 2026-09-01\n[[rules]]\ntag = "x"\nper_minute = 11\n',
)
CORRECTIONS = ("rerate", "void", "merge", "split", "release", "undo")


class Called(NamedTuple):
    """A call's notices: of a tag, in a month, at its edge or within; with an outcome notice, or a repeated CDR, or neither."""

    tag: int
    month: int
    edge: bool
    cents: int
    with_: str


class Did(NamedTuple):
    """What an operator did: two numbers say to what, counted round what there is."""

    what: str
    one: int
    other: int


Step = Called | Did

calls = st.builds(
    Called,
    st.integers(0, 1),
    st.integers(0, 3),
    st.booleans(),
    st.integers(0, 3),
    st.sampled_from(("", "", "COMPLETED", "DESTBUSY", "repeated")),
)
deeds = st.one_of(
    st.builds(Did, st.sampled_from(CORRECTIONS), st.integers(0, 20), st.integers(0, 20)),
    st.builds(Did, st.just("publish"), st.integers(0, len(TARIFFS) - 1), st.just(0)),
    st.builds(Did, st.just("close"), st.integers(0, 3), st.just(0)),
    st.builds(Did, st.just("adjust"), st.integers(0, 1), st.integers(0, 3)),
)
histories = st.lists(st.one_of(calls, deeds, deeds), min_size=1, max_size=14)


def facts(ledger: Ledger) -> list[Fact]:
    rows = ledger.store.page(0, 10_000, ledger.head())
    return facts_of([stored(row.position, row.stream_id, row.topic, row.state) for row in rows])


def happen(ledger: Ledger, number: int, step: Step, shape: int = 2) -> None:
    """Take a step; an operator's event is stored in a shape, as by the version that wrote it."""
    if isinstance(step, Called):
        call(ledger, number, step)
        return
    with suppress(CommandRejected), ledger.operator_session("kim", "as agreed") as session:
        session._common_fields["v"] = shape
        do(ledger, session, step)


def call(ledger: Ledger, number: int, called: Called) -> None:
    month = datetime.fromisoformat(f"{MONTHS[called.month]}-01T00:00:00Z")
    at = int(month.timestamp()) * SECOND + (0 if called.edge else 10 * 86_400 * SECOND) + number * 600 * SECOND
    line: dict[str, str | None] = {"tag": TAGS[called.tag], "src": "1"}
    numbers = {"destduration": str(called.cents * 61), "destcharge": f"{called.cents}.{number}", **line}
    if called.with_ == "COMPLETED":
        record(ledger, said(callstatus("SRCANSWERED", **line), at), said(callstatus("COMPLETED", **line), at))
    record(ledger, said(cdr(**numbers, r=f"c{number}"), at))
    if called.with_ == "repeated":
        record(ledger, said(cdr(**numbers, r=f"r{number}"), at))
    if called.with_ == "DESTBUSY":
        record(ledger, said(callstatus("DESTBUSY", **line), at))


def said(notice: SentNotice, at: int) -> SentNotice:
    return SentNotice(at, [(name, value if name != "r" else f"{value}-{at}") for name, value in notice])


def do(ledger: Ledger, session: OperatorSession, did: Did) -> None:
    if did.what == "publish":
        session.publish_tariff(TARIFFS[did.one])
    elif did.what == "close":
        session.close_month(MONTHS[did.one])
    elif did.what == "adjust":
        session.adjust_account(TAGS[did.one], 1_000_000 + did.other, MONTHS[did.other])
    elif did.what == "undo":
        session.undo(one_of([f.position for f in facts(ledger) if not isinstance(f, Recorded)], did.one))
    elif did.what == "release":
        session.release_cdr(one_of([f.position for f in facts(ledger) if isinstance(f, Recorded)], did.one))
    else:
        correct(ledger, session, did)


def correct(ledger: Ledger, session: OperatorSession, did: Did) -> None:
    known = list(dict.fromkeys(call for fact in facts(ledger) for call in calls_in(fact)))
    call = UUID(one_of(known, did.one))
    if did.what == "rerate":
        session.rerate_call(call, 1 + did.other % len(TARIFFS))
    elif did.what == "void":
        session.void_call(call)
    elif did.what == "merge":
        session.merge_calls(call, UUID(one_of(known, did.other)))
    else:
        session.split_call(call, [one_of([f.position for f in facts(ledger) if isinstance(f, Recorded)], did.other)])


def calls_in(fact: Fact) -> list[str]:
    named = (getattr(fact, name, "") for name in ("call", "source", "target"))
    return [call for call in named if call]


def one_of(those: Sequence[Any], number: int) -> Any:
    if not those:
        raise CommandRejected("there is none")
    return those[number % len(those)]


@contextmanager
def late_ledger() -> Iterator[Ledger]:
    world = World()
    world.now = NOW
    with ledger_in(world) as ledger:
        yield ledger


def rows(ledger: Ledger, *tables: Table) -> list[list[Any]]:
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        with store.snapshot() as connection:
            return [list(connection.execute(select(table))) for table in tables]


def entries(found: list[Any]) -> dict[Entry, Amounts]:
    sums: dict[Entry, Amounts] = {}
    for row in found:
        key = (row.kind, row.call_id, row.account, row.period, row.original_period)
        amounts = Amounts(*(getattr(row, name) for name in Amounts._fields))
        sums[key] = sums.get(key, Amounts()).plus(amounts)
    return {key: amounts for key, amounts in sums.items() if any(amounts)}


def billing(found: list[Any]) -> dict[tuple[str, str], Amounts]:
    sums = {(row.account, row.period): Amounts(*(getattr(row, name) for name in Amounts._fields[:-1])) for row in found}
    return {key: amounts for key, amounts in sums.items() if any(amounts)}


def check(ledger: Ledger) -> None:
    books = Books(facts(ledger))
    found, summed = rows(ledger, ENTRIES, BILLING)
    assert entries(found) == books.entries()
    assert billing(summed) == without_rounding(books.billing())
    for month, accounts in books.frozen.items():
        closed = {account: sums for (account, period), sums in books.billing().items() if period == month}
        assert closed == accounts


@examples(200)
@given(histories)
def test_entries_and_billing_are_the_models_whatever_is_corrected_across_closings(history: list[Step]) -> None:
    with late_ledger() as ledger:
        for number, step in enumerate(history):
            happen(ledger, number, step)
        check(ledger)


@examples(100)
@given(histories, st.integers(1, 14))
def test_they_are_the_models_in_a_ledger_too_that_was_begun_by_an_earlier_version(
    history: list[Step], earlier: int
) -> None:
    with late_ledger() as ledger:
        for number, step in enumerate(history):
            happen(ledger, number, step, shape=1 if number < earlier else 2)
        check(ledger)


def without_rounding(sums: dict[tuple[str, str], Amounts]) -> dict[tuple[str, str], Amounts]:
    found = {key: amounts._replace(rounding=0) for key, amounts in sums.items()}
    return {key: amounts for key, amounts in found.items() if any(amounts)}

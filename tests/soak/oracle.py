"""What was promised, kept apart from the ledger, and whether a ledger keeps it: events, operators' acts, calls and money.

The judges of calls and money are the slow models of tests/support/model, which share no code with the ledger.
"""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from typing import Any

from sqlalchemy import select

from domain.events.codec import decode_notice
from domain.events.log_row import LogRow
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.building.rebuild import check_read_models
from projections.schema.tables import BILLING, ENTRIES
from projections.stores.generations import open_current
from tests.soak.placing import check_places
from tests.support.http_client import Replies
from tests.support.model.corrections import Amounts, Books, Entry, Fact, Key
from tests.support.model.stored_log import facts_of, stored
from tests.support.notices import encoded


class Promises:
    """What was sent and tried, and what was answered with success."""

    def __init__(self) -> None:
        self.sent: dict[str, None] = {}  # In order, for what is sent again.
        self.recorded: dict[str, int] = {}
        self.spooled: set[str] = set()  # Events later, at a position that nobody knows yet.
        self.tried: set[str] = set()
        self.acted: dict[str, int] = {}  # By reason; 0 where the position was not told.

    @property
    def open(self) -> list[str]:
        """The notices that got no answer, or were refused, and will be sent again."""
        return [query for query in self.sent if query not in self.recorded and query not in self.spooled]

    def send(self, queries: Iterable[str]) -> None:
        self.sent.update(dict.fromkeys(queries))

    def answer(self, query: str, position: int) -> None:
        """Note a success; a second one must name the same position."""
        known = self.recorded.setdefault(query, position)
        assert known == position, f"{query} was answered with position {known}, and now with {position}"

    def take(self, replies: Replies) -> None:
        """Note what a service answered: only success and "later" are answers to a good notice."""
        for query, reply in replies.items():
            assert reply.status in (200, 503), f"{query} was answered {reply.status}: {reply.body!r}"
            if reply.status == 200 and reply.json()["status"] == "spooled":
                self.spooled.add(query)
            elif reply.status == 200:
                self.answer(query, reply.json()["position"])


def rows_of(ledger: Ledger) -> list[LogRow]:
    """Return the log; its positions must be 1, 2, 3 … without a gap."""
    rows = ledger.store.page(0, ledger.head() + 1, ledger.head())
    assert [row.position for row in rows] == list(range(1, len(rows) + 1)), "the log has a gap"
    return rows


def is_notice(row: LogRow) -> bool:
    return "params" in json.loads(row.state)


def check_log(rows: Sequence[LogRow], promises: Promises, required: dict[str, int] | None = None) -> None:
    """Every promise stands at its position, nothing stands twice, and nothing is there that was not sent.

    ``required`` are the notices promised by then, where the log is one of an earlier moment.
    """
    queries = {row.position: encoded(decode_notice(row.state).params) for row in rows if is_notice(row)}
    twice = [query for query, count in Counter(queries.values()).items() if count > 1]
    assert not twice, f"recorded twice: {twice}"
    for query, position in (promises.recorded if required is None else required).items():
        assert queries.get(position) == query, f"promised at position {position}, and not there: {query}"
    foreign = [query for query in queries.values() if query not in promises.sent]
    assert not foreign, f"recorded, and never sent: {foreign}"


def check_acts(rows: Sequence[LogRow], promises: Promises, required: dict[str, int] | None = None) -> None:
    """Every act of an operator that was answered with success stands once, and one that was not at most once, whole.

    ``required`` are the acts promised by then, where the log is one of an earlier moment.
    """
    acts = [(row, json.loads(row.state)) for row in rows if not is_notice(row)]
    # One act may change two calls, but none twice.
    events = Counter((said.get("reason", ""), row.stream) for row, said in acts)
    twice = [reason for (reason, _), count in events.items() if count > 1]
    assert not twice, f"done twice: {twice}"
    reasons = {row.position: said.get("reason", "") for row, said in acts}
    for reason, position in (promises.acted if required is None else required).items():
        is_done = reasons.get(position) == reason if position else reason in reasons.values()
        assert is_done, f"promised at position {position}, and not done: {reason}"
    foreign = set(reasons.values()) - promises.tried
    assert not foreign, f"done, and never asked for: {foreign}"
    check_moves({row.position: said for row, said in acts if "gone" in said})


def check_moves(halves: Mapping[int, Mapping[str, Any]]) -> None:
    """What one call gives, another one takes, by the next event."""
    for position, said in halves.items():
        other = halves.get(position + 1 if said["gone"] else position - 1)
        is_whole = other is not None and other["gone"] != said["gone"] and other["positions"] == said["positions"]
        assert is_whole, f"the move at position {position} has no other half next to it: {said}"


def check_books(ledger: Ledger, facts: Sequence[Fact]) -> None:
    """The read models are those of a fresh build, and their money is the model's."""
    books = Books(facts)
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        with store.snapshot() as connection:
            entries = _entries(connection.execute(select(ENTRIES)))
            billing = _billing(connection.execute(select(BILLING)))
    expected = {key: amounts._replace(rounding=0) for key, amounts in books.billing().items()}
    assert entries == books.entries(), f"entries are {entries}; expected {books.entries()}"
    assert billing == {key: amounts for key, amounts in expected.items() if any(amounts)}, f"billing is {billing}"
    report = check_read_models(ledger)
    assert not report.found, f"the read models differ from a fresh build: {report.differences}"


def _entries(rows: Iterable[Any]) -> dict[Entry, Amounts]:
    sums: dict[Entry, Amounts] = {}
    for row in rows:
        key = (row.kind, row.call_id, row.account, row.period, row.original_period)
        amounts = Amounts(*(getattr(row, name) for name in Amounts._fields))
        sums[key] = sums.get(key, Amounts()).plus(amounts)
    return {key: amounts for key, amounts in sums.items() if any(amounts)}


def _billing(rows: Iterable[Any]) -> dict[Key, Amounts]:
    sums = {(row.account, row.period): Amounts(*(getattr(row, name) for name in Amounts._fields[:-1])) for row in rows}
    return {key: amounts for key, amounts in sums.items() if any(amounts)}


def check_everything(url: str, promises: Promises, *, whole: bool) -> None:
    """Judge a ledger: its log, and if ``whole`` what follows from it too, with everything sent being there by now."""
    with closing(Ledger(url)) as ledger:
        rows = rows_of(ledger)
        check_log(rows, promises)
        check_acts(rows, promises)
        if whole:
            there = {encoded(decode_notice(row.state).params) for row in rows if is_notice(row)}
            missing = [query for query in promises.sent if query not in there]
            assert not missing, f"never recorded: {missing}; spooled: {promises.spooled.intersection(missing)}"
            facts = facts_of([stored(row.position, row.stream_id, row.topic, row.state) for row in rows])
            check_places(facts)
            check_books(ledger, facts)

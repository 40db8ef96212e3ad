"""The calls of lines that PostgreSQL prefetches answer as a scan of all calls would, and a batch asks for little (SPEC 6)."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.calls.correlation import CallHead
from domain.log.contract import Lookup
from domain.log.known_calls import beginning
from domain.log.line_call_rows import row_of
from domain.log.postgres import line_calls, quarantine, transaction
from domain.log.postgres.line_calls import PrefetchedLines
from domain.log.postgres.transaction import PostgresTransaction
from tests.support.effort import examples
from tests.support.ledgers import opened, record
from tests.support.notices import GRACE, SECOND, callstatus, cdr, notice

LINE = "a line"
NEAR = 3
MOMENTS = st.integers(0, 40)
SPANS = st.tuples(MOMENTS, st.integers(0, 6)).map(lambda drawn: (drawn[0], sum(drawn)))
# A moment, whether it is a CDR's, and whether the call that is found is extended up to it or a new one begins.
STEPS = st.lists(st.tuples(MOMENTS, st.booleans(), st.booleans()), max_size=8)


class Table:
    """The calls of one line as they are stored, and the queries that were run on them."""

    def __init__(self, spans: Sequence[tuple[int, int]]) -> None:
        self.heads = [CallHead(ordinal, *span, events=1) for ordinal, span in enumerate(spans, start=1)]
        self.asked: list[str] = []

    def ask(self, query: str, parameters: Sequence[Any]) -> list[Any]:
        self.asked.append(query)
        return self._latest(*parameters) if query == line_calls.LATEST_CALLS else self._other(query, parameters)

    def _latest(self, lines: list[str], untils: list[int]) -> list[Any]:
        """Answer LATEST_CALLS: of a line without calls up to the moment comes one row without a call."""
        last = max((head.ordinal for head in self.heads), default=None)
        rows: list[Any] = []
        for line, until in zip(lines, untils, strict=True):
            found = [] if line != LINE else self._begun(until)[: line_calls.LATEST_MAX]
            rows += [(line, last, *self._row(head)) for head in found] or [
                (line, last if line == LINE else None, *[None] * 8)
            ]
        return rows

    def _other(self, query: str, parameters: Sequence[Any]) -> list[Any]:
        if query == line_calls.OVERLAPPING_CALLS:
            return [
                (line, *self._row(head))
                for line, since, until in zip(*parameters, strict=True)
                for head in self.heads
                if line == LINE and head.first_at <= until and head.last_at >= since
            ]
        if query == line_calls.LAST_ORDINAL:
            return [(max((head.ordinal for head in self.heads), default=0),)]
        assert query == line_calls.LATEST_BEGUN
        _, before, known = parameters
        return [self._row(head) for head in self._begun(before) if head.ordinal not in known][:1]

    def _begun(self, until: int) -> list[CallHead]:
        return sorted((head for head in self.heads if head.first_at <= until), key=beginning, reverse=True)

    @staticmethod
    def _row(head: CallHead) -> tuple[Any, ...]:
        return row_of(LINE, head)[1:-1]


def lookup(at: int, *, is_cdr: bool, line: str = LINE) -> Lookup:
    return Lookup(b"", refused=False, line=line, since=at - NEAR if is_cdr else None, until=at + NEAR)


@examples(400)
@given(st.lists(SPANS, max_size=9), STEPS, st.integers(0, 8))
def test_searches_find_what_a_scan_finds_whether_they_were_prefetched_or_not(
    spans: list[tuple[int, int]], steps: list[tuple[int, bool, bool]], prefetched: int
) -> None:
    table = Table(spans)
    lines = PrefetchedLines(table.ask)
    lines.prefetch([lookup(at, is_cdr=is_cdr) for at, is_cdr, _ in steps[:prefetched]])
    line, kept, changed = lines.for_line(LINE), {head.ordinal: head for head in Table(spans).heads}, {}
    for at, _, extends in steps:
        begun = [head for head in kept.values() if head.first_at <= at + NEAR]
        latest = line.latest_begun(at + NEAR)
        assert latest == max(begun, key=beginning, default=None)
        found = list(line.overlapping(at - NEAR, at + NEAR))
        assert found == [kept[each] for each in sorted(kept) if _touches(kept[each], at)]
        assert line.last_ordinal() == max(kept, default=0)
        if extends and latest:
            head = CallHead(latest.ordinal, min(latest.first_at, at), max(latest.last_at, at), events=2)
        else:
            head = CallHead(line.last_ordinal() + 1, at, at, events=1)
        line.put(head)
        kept[head.ordinal] = changed[head.ordinal] = head
    assert sorted(lines.changed()) == sorted(row_of(LINE, head) for head in changed.values())


def _touches(head: CallHead, at: int) -> bool:
    return head.first_at <= at + NEAR and head.last_at >= at - NEAR


def test_what_was_prefetched_of_a_short_line_answers_every_search() -> None:
    table = Table([(0, 5), (10, 11), (20, 30)])
    lines = PrefetchedLines(table.ask)
    lines.prefetch([lookup(25, is_cdr=True), lookup(9, is_cdr=True), lookup(9, is_cdr=False, line="new")])
    line = lines.for_line(LINE)
    for at in (-9, 0, 9, 25):
        line.latest_begun(at + NEAR)
        line.overlapping(at - NEAR, at + NEAR)
    assert (line.last_ordinal(), lines.for_line("new").last_ordinal()) == (3, 0)
    assert (lines.for_line("new").latest_begun(12), list(lines.for_line("new").overlapping(6, 12))) == (None, [])
    lines.prefetch([lookup(9, is_cdr=True)])
    assert table.asked == [line_calls.LATEST_CALLS]


def test_of_a_long_line_the_calls_near_its_cdrs_are_prefetched_once_for_all() -> None:
    table = Table([(10 * number, 10 * number + 1) for number in range(20)])
    lines = PrefetchedLines(table.ask)
    lines.prefetch([lookup(at, is_cdr=is_cdr) for at, is_cdr in ((190, False), (52, True), (55, True), (120, True))])
    line = lines.for_line(LINE)
    near = [[head.ordinal for head in line.overlapping(at - NEAR, at + NEAR)] for at in (52, 55, 120)]
    assert near == [[6], [], [13]]
    line.overlapping(49, 58)
    line.latest_begun(193)
    assert line.latest_begun(160) == table.heads[-4]
    assert table.asked == [line_calls.LATEST_CALLS, line_calls.OVERLAPPING_CALLS]
    line.overlapping(49, 59)
    line.latest_begun(120)
    assert table.asked[2:] == [line_calls.OVERLAPPING_CALLS, line_calls.LATEST_BEGUN]


@pytest.mark.parametrize(
    ("formula", "claims"), [("md5-r-key", transaction.NONCES), ("md5-params", transaction.POSITIONS_OF_SIGNATURES)]
)
def test_a_batch_asks_for_everything_of_a_kind_at_once(
    database: str, monkeypatch: pytest.MonkeyPatch, formula: str, claims: str
) -> None:
    asked: Counter[str] = Counter()
    ask = PostgresTransaction._ask

    def counted(log: PostgresTransaction, query: str, parameters: Sequence[Any]) -> list[Any]:
        asked[query] += query != transaction.GET_FACT
        return ask(log, query, parameters)

    monkeypatch.setattr(PostgresTransaction, "_ask", counted)
    tags = [f"line {number}" for number in range(3)]
    with opened(database, formula=formula) as ledger:
        for turn in (0, 2 * GRACE):
            asked.clear()
            batch = [callstatus("SRCANSWERED", turn, tag=tag, r=f"{turn} {tag}") for tag in tags]
            batch += [cdr(turn + SECOND, tag=tag, r=f"cdr {turn} {tag}") for tag in tags]
            batch += [notice(turn, type="voicemail", email=tag, r=f"mail {turn} {tag}") for tag in tags]
            record(ledger, *batch, *batch, formula=formula)
            once = [transaction.POSITIONS_OF_KEYS, transaction.LAST_VERSIONS, claims, line_calls.LATEST_CALLS]
            assert +asked == dict.fromkeys(once, 1)
        asked.clear()
        for _ in range(2):
            record(ledger, *batch, key="wrong", formula=formula)
        assert +asked == {quarantine.FIND_ENTRIES: 2, quarantine.TOTALS: 1, quarantine.LAST_ENTRY_ID: 1}

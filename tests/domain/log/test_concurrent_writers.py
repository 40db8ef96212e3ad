"""Several processes record at once on the same few lines while one reads the tail: nothing is doubled, forked or skipped (SPEC 4, 6)."""

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event, Thread
from time import sleep

import pytest

from domain.events.codec import decode_notice
from domain.events.log_row import LogRow
from domain.events.notice_events import Notice
from domain.ledger import Ledger
from domain.notices.notification import delivery_key
from domain.outcomes import Recorded
from tests.domain.log.test_log import process
from tests.support.ledgers import opened, record
from tests.support.notices import cdr
from tests.support.recorder_process import throng

WRITERS = 3
PAGE = 7
SECONDS_MAX = 60
EVER = 1 << 62


class Reader:
    """Follows the tail by pages, as a read model does: it asks for what stands after the last position that it saw."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._stopping = Event()
        self._thread = Thread(target=self._run)
        self.seen: list[LogRow] = []
        self.heads: list[int] = []
        self._thread.start()

    def _run(self) -> None:
        with Ledger(self._url) as ledger:
            is_last = False
            while not is_last:
                is_last = self._stopping.wait(0.001)  # What was recorded before that is still read.
                while page := self._page(ledger):
                    self.seen += page

    def _page(self, ledger: Ledger) -> list[LogRow]:
        self.heads.append(ledger.head())
        return ledger.store.page(self.seen[-1].position if self.seen else 0, PAGE, EVER)

    def stop(self) -> None:
        """Read to the end and stop."""
        self._stopping.set()
        self._thread.join(SECONDS_MAX)


def recorded_by_several(url: str) -> Iterator[tuple[str, str, int]]:
    """Let processes record the same notices at one moment, each in an order of its own; return what all were answered."""
    with ExitStack() as stack:
        started = [stack.enter_context(process("throng", url, seed)) for seed in range(WRITERS)]
        for each in started:
            assert each.stdin
            each.stdin.write("begin\n")
            each.stdin.flush()
        for each in started:
            yield from answers_of(each)


def answers_of(writer: "subprocess.Popen[str]") -> list[tuple[str, str, int]]:
    output, errors = writer.communicate(timeout=SECONDS_MAX)
    assert errors == ""
    found: list[tuple[str, str, int]] = json.loads(output)["answers"]
    return found


def notices(rows: list[LogRow]) -> list[Notice]:
    return [decode_notice(row.state) for row in rows]


def test_writers_and_a_reader_at_once_agree_on_one_log(store_url: str) -> None:
    with opened(store_url) as ledger:
        reader = Reader(store_url)
        try:
            answers = list(recorded_by_several(store_url))
        finally:
            reader.stop()
        log = ledger.store.page(0, 10_000, EVER)
        every_key_once(log, answers)
        every_ordinal_once(ledger, log)
    assert reader.seen == log
    assert reader.heads == sorted(reader.heads)
    assert [row.position for row in log] == list(range(1, len(throng()) + 1))
    times = [notice.recorded_at for notice in notices(log)]
    assert times == sorted(times)


def every_key_once(log: list[LogRow], answers: list[tuple[str, str, int]]) -> None:
    wanted = {dict(notice.pairs)["r"] for notice in throng()}
    assert set(Counter(delivery_key(notice.params) for notice in notices(log)).values()) == {1}
    assert Counter(r for r, kind, _ in answers if kind == "Recorded") == Counter(wanted)
    assert Counter(r for r, _, _ in answers) == Counter(dict.fromkeys(wanted, WRITERS))
    kept = {dict(decode_notice(row.state).params)["r"]: row.position for row in log}
    assert {(r, position) for r, _, position in answers} == set(kept.items())


def every_ordinal_once(ledger: Ledger, log: list[LogRow]) -> None:
    versions: dict[str, list[int]] = {}
    begun: Counter[tuple[object, int]] = Counter()
    for row, notice in zip(log, notices(log), strict=True):
        versions.setdefault(row.stream, []).append(row.version)
        begun[notice.line, notice.ordinal] += row.version == 1
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())
    assert set(begun.values()) == {1}
    lines = {notice.line for notice in notices(log) if notice.line}
    assert set(begun) == {(line, number + 1) for line in lines for number in range(ledger.last_ordinal(line))}


@pytest.mark.only_on("sqlite")
def test_who_writes_can_read_while_others_wait_to_write(store_url: str) -> None:
    with opened(store_url) as ledger, ThreadPoolExecutor(2) as others:
        with ledger.operator_session("kim", "a long correction"):
            waiting = [others.submit(record, ledger, cdr(number)) for number in range(2)]
            # The others begin to wait somewhere in between; a read would then have waited until they gave up.
            for _ in range(10):
                assert ledger.head() == 0
                sleep(0.002)
            assert not any(each.done() for each in waiting)
        assert all(isinstance(outcome, Recorded) for each in waiting for outcome in each.result())

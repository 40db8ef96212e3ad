"""Several processes check a log as one does: the same findings in the same order, and a lost process ends the check."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.errors import LedgerError
from domain.ledger import Ledger
from projections.proofs import log_spans, span_workers
from projections.proofs.log_check import LogCheck, check_log
from projections.proofs.log_spans import cut_spans
from projections.proofs.span_check import CheckSpans, check_notices
from projections.proofs.span_workers import SpanWorkers, choose_check
from projections.worker_link import WorkerLink, WorkersCrashed
from tests.support.provers import World, world


@pytest.fixture
def w(store_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Return a world whose 700 events, in the tree, are three spans."""
    monkeypatch.setattr(log_spans, "EVENTS_AT_ONCE", 256)
    with world(store_url) as made:
        made.record(700)
        made.run()
        yield made


def check(w: World, check_spans: CheckSpans) -> LogCheck:
    with w.store.reading() as rows:
        return check_log(w.ledger.store, rows, check_spans=check_spans)


def test_they_find_what_one_finds(w: World) -> None:
    w.tamper("UPDATE EVENTS SET state = ? WHERE position IN (2, 300)", b"{}")
    w.tamper("DELETE FROM EVENTS WHERE position = 600")
    expected = check(w, check_notices(w.ledger.store))
    assert {finding.position for finding in expected.findings} == {2, 300, 600}
    assert check(w, SpanWorkers(w.ledger, (), 2)) == expected


@pytest.mark.only_on("sqlite")
class TestAWorker:
    def test_that_was_killed_ends_the_check_with_what_was_left(self, w: World, monkeypatch: pytest.MonkeyPatch) -> None:
        class Killed(WorkerLink):
            def __init__(self, module: str, job: object) -> None:
                super().__init__(module, job)
                os.kill(self._process.pid, signal.SIGKILL)

        monkeypatch.setattr(span_workers, "WorkerLink", Killed)
        with pytest.raises(WorkersCrashed, match="over the positions from 1 to 256, with exit code -9"):
            check(w, SpanWorkers(w.ledger, (), 1))

    def test_that_finds_another_ledger_refuses(self, w: World) -> None:
        workers = SpanWorkers(w.ledger, (), 1)
        workers._job = workers._job._replace(ledger_id="another")
        with pytest.raises(LedgerError, match="expected another"):
            list(workers(cut_spans(10)))


@pytest.mark.parametrize(("events", "cores", "jobs"), [(10, 4, 1), (100_000, 1, 1), (100_000, 4, 4)])
def test_there_is_one_for_each_core_where_the_log_is_large(
    events: int, cores: int, jobs: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(span_workers, "usable_cores", lambda: cores)
    with Ledger(f"sqlite:///{tmp_path}/ledger.db", create=True) as ledger:
        monkeypatch.setattr(Ledger, "head", lambda _: events)
        chosen = choose_check(ledger, ())
    assert (chosen._jobs if isinstance(chosen, SpanWorkers) else 1) == jobs

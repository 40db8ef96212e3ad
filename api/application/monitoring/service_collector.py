"""Collects all metrics when Prometheus asks for them: nothing is computed between two scrapes."""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Lock
from typing import NamedTuple

import msgspec
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from api.application.monitoring.ledger_metrics import log_metrics, proof_metrics, read_model_metrics
from api.application.monitoring.process_metrics import build_metric, process_metrics, spool_metrics
from api.application.monitoring.worker_report import INTAKE, WorkerReport
from api.application.proofs.proof_status import ProofReader
from api.application.read_model_pool import ReadModelPool
from api.application.spool.spool_directory import SpoolDirectory
from domain import times
from domain.errors import LedgerError
from domain.ledger import Ledger
from projections.proofs.tree_rows import CHECKPOINT_SECONDS

_log = logging.getLogger(__name__)


class OpenLedger(NamedTuple):
    """A ledger with its read models and its proofs, all open."""

    ledger: Ledger
    read_models: ReadModelPool
    proofs: ProofReader


@contextmanager
def _opened(url: str, checkpoint_seconds: int) -> Iterator[OpenLedger]:
    """Open a ledger to read it once: so nothing is held between scrapes, neither connections nor old read models."""
    with Ledger(url) as ledger:
        opened = OpenLedger(ledger, ReadModelPool(ledger), ProofReader(ledger, checkpoint_seconds))
        try:
            yield opened
        finally:
            opened.read_models.close()
            opened.proofs.close()


class ServiceCollector:
    """Collects the metrics of a service: what its processes report, and what its ledger says."""

    def __init__(
        self,
        url: str,
        report: Callable[[], WorkerReport],
        clock: Callable[[], int] = times.now,
        checkpoint_seconds: int = CHECKPOINT_SECONDS,
        spool: SpoolDirectory | None = None,
    ) -> None:
        """Read the ledger at ``url``, and ask for a ``report``, at each scrape; ``clock`` returns microseconds, UTC.

        With a ``spool`` its files are read too, whether the store is away or not.
        """
        self._spool = spool
        self._url = url
        self._report = report
        self._clock = clock
        self._checkpoint_seconds = checkpoint_seconds
        self._one_at_a_time = Lock()

    def describe(self) -> Iterable[Metric]:
        """Name nothing in advance: to find out would need the store."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics; if the store cannot be read, those of the processes, with the intake down."""
        report = self._report()
        with self._one_at_a_time:
            try:
                found = self._of_ledger()
            except LedgerError as error:
                _log.warning("metrics without those of the ledger: %s", error)
                report, found = msgspec.structs.replace(report, parts=report.parts | {INTAKE: False}), []
        yield from process_metrics(report)
        if self._spool is not None:
            yield from spool_metrics(self._spool.totals())
        yield from found

    def _of_ledger(self) -> list[Metric]:
        now = self._clock()
        with _opened(self._url, self._checkpoint_seconds) as (ledger, read_models, proofs):
            return [
                build_metric(ledger.store.schema),
                *log_metrics(ledger, now),
                *read_model_metrics(ledger, read_models, now),
                *proof_metrics(proofs.status(now)),
            ]


def make_registry(collector: ServiceCollector) -> CollectorRegistry:
    """Return a registry with this collector alone."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry

"""Collects all metrics when Prometheus asks for them: nothing is computed between two scrapes.

The ledger stays open from one scrape to the next: to open it, and to prepare its queries, costs several times what it costs
to ask them. Whoever has a collector tells it to let go of read models that a rebuild has replaced, and to close.
"""

import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from threading import Lock

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


class _OpenLedger:
    """A ledger with its read models and its proofs, all open."""

    def __init__(self, url: str, checkpoint_seconds: int) -> None:
        self._ledger = Ledger(url)
        self.read_models = ReadModelPool(self._ledger)
        self._proofs = ProofReader(self._ledger, checkpoint_seconds)

    def metrics(self, now: int) -> list[Metric]:
        """Return what is to be told of it at a moment (microseconds, UTC); raises what reading it raises."""
        return [
            build_metric(self._ledger.store.schema),
            *log_metrics(self._ledger, now),
            *read_model_metrics(self._ledger, self.read_models, now),
            *proof_metrics(self._proofs.status(now)),
        ]

    def close(self) -> None:
        self.read_models.close()
        self._proofs.close()
        self._ledger.close()


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
        self._open: _OpenLedger | None = None

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
        """Ask the open ledger, or open it; what failed is not used again."""
        self._open = self._open or _OpenLedger(self._url, self._checkpoint_seconds)
        try:
            return self._open.metrics(self._clock())
        except LedgerError:
            self._close()
            raise

    def let_go(self) -> None:
        """Close read models that are no longer the current ones: on PostgreSQL the next rebuild needs their place."""
        with self._one_at_a_time, suppress(LedgerError):
            if self._open:
                self._open.read_models.let_go()

    def close(self) -> None:
        """Close the ledger; another scrape would open it again."""
        with self._one_at_a_time:
            self._close()

    def _close(self) -> None:
        if self._open:
            self._open.close()
        self._open = None


def make_registry(collector: ServiceCollector) -> CollectorRegistry:
    """Return a registry with this collector alone."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry

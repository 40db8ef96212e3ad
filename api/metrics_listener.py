"""``GET /metrics`` on a listener of its own (TRINGLEDGER_METRICS), which needs no user.

The first process has it. Workers send it their reports, each over a pipe of its own.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from threading import Event, Lock, Thread

import msgspec
from prometheus_client import start_http_server

from api.application.monitoring.service_collector import ServiceCollector, make_registry
from api.application.monitoring.worker_report import INTAKE, WorkerReport, add_reports
from api.application.spool.spool_directory import SpoolDirectory
from api.setting_readers import ListenAddress
from api.settings import Settings

REPORT_SECONDS = 1.0
LET_GO_SECONDS = 3.0


class WorkerReports:
    """The last report of each worker, and the counts of those that have ended: so no counter ever goes back."""

    def __init__(self) -> None:
        """Begin with no worker."""
        self._last: dict[Connection, WorkerReport] = {}
        self._ended = WorkerReport()
        self._lock = Lock()

    def open_pipe(self) -> Connection:
        """Return the end of a new pipe that a worker writes to; close it here once the worker has it."""
        reading, writing = Pipe(duplex=False)
        with self._lock:
            self._last[reading] = WorkerReport(parts={INTAKE: False})
        return writing

    def pipes(self) -> list[Connection]:
        """Return the ends to read from."""
        return list(self._last)

    def read(self, pipe: Connection) -> None:
        """Take a report that has come, or the end of a worker."""
        try:
            report = msgspec.json.decode(pipe.recv_bytes(), type=WorkerReport)
        except (EOFError, OSError):
            with self._lock:
                self._ended = add_reports([self._ended, self._last.pop(pipe).ended()])
            pipe.close()
            return
        with self._lock:
            self._last[pipe] = report

    def total(self) -> WorkerReport:
        """Return what all workers report; without a worker the intake does not work."""
        with self._lock:
            found = list(self._last.values()) or [WorkerReport(parts={INTAKE: False})]
            return add_reports([self._ended, *found])


def send_reports(report: Callable[[], WorkerReport], pipe: Connection) -> None:
    """In a worker: send a report each second, if it is another one, until nobody reads them."""
    sent: WorkerReport | None = None
    with suppress(OSError):
        while True:
            if (found := report()) != sent:
                pipe.send_bytes(msgspec.json.encode(found))
                sent = found
            time.sleep(REPORT_SECONDS)


@contextmanager
def metrics_served(
    settings: Settings, where: ListenAddress, report: Callable[[], WorkerReport], ledger_id: str
) -> Iterator[str]:
    """Serve the metrics of a service meanwhile, and give their URL; raises OSError where the address cannot be had."""
    collector = ServiceCollector(
        settings.store,
        report,
        checkpoint_seconds=settings.checkpoint_seconds,
        spool=SpoolDirectory(settings.spool, ledger_id) if settings.spool else None,
    )
    host, port = where
    ended = Event()
    letting_go = Thread(target=_let_go_of_read_models, args=(collector, ended), name="metrics-read-models")
    server, thread = start_http_server(port, host, make_registry(collector))
    letting_go.start()
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        ended.set()
        thread.join()
        letting_go.join()
        collector.close()


def _let_go_of_read_models(collector: ServiceCollector, ended: Event) -> None:
    while not ended.wait(LET_GO_SECONDS):
        collector.let_go()

"""``GET /metrics`` on a listener of its own (TRINGLEDGER_METRICS): it is for Prometheus, and needs no user."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from prometheus_client import start_http_server

from api.application.monitoring.service_collector import ServiceCollector, make_registry
from api.application.monitoring.worker_report import WorkerReport
from api.setting_readers import ListenAddress
from api.settings import Settings


@contextmanager
def metrics_served(settings: Settings, where: ListenAddress, report: Callable[[], WorkerReport]) -> Iterator[str]:
    """Serve the metrics of a service meanwhile, and give their URL; raises OSError where the address cannot be had."""
    collector = ServiceCollector(settings.store, report, checkpoint_seconds=settings.checkpoint_seconds)
    host, port = where
    server, thread = start_http_server(port, host, make_registry(collector))
    try:
        shown = f"[{host}]" if ":" in host else host
        yield f"http://{shown}:{server.server_port}/metrics"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

"""Callbacks to a service whose metrics Prometheus reads, much more often than usual, against one without metrics."""

from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from threading import Event
from urllib.request import urlopen

from tests.benchmarks import program, serving
from tests.benchmarks.measure import Row, Sizes, in_turns
from tests.benchmarks.traffic import notifications
from tests.support.alongside import alongside

SECONDS_MAX = 10
BETWEEN_SCRAPES = 1.0  # seconds; Prometheus asks every 15


def measure(sizes: Sizes) -> Row:
    """Send the same callbacks to a new service each time, with metrics and without."""
    queries = sizes.directory / "scraping.txt"
    queries.write_bytes(b"\n".join(query for _, query in notifications(sizes.requests)))

    def without(run: int) -> float:
        return _rate(sizes, queries, sizes.directory / f"unwatched-{run}.db", {})

    def watched(run: int) -> float:
        where = f"127.0.0.1:{serving.free_port()}"
        return _rate(sizes, queries, sizes.directory / f"watched-{run}.db", {"TRINGLEDGER_METRICS": where})

    pairs = in_turns(sizes.runs, without, watched)
    return Row("callbacks with metrics, read each second", "without metrics", "/s", 0.98, 0.99, pairs)


def _rate(sizes: Sizes, queries: Path, store: Path, settings: Mapping[str, str]) -> float:
    """Return callbacks per second."""
    port = serving.free_port()
    command = program.serve_command(port, f"sqlite:///{store}")
    where = settings.get("TRINGLEDGER_METRICS")
    environment = {**program.SERVE_ENVIRONMENT, **settings}
    scraping = alongside(lambda ended: _scrape(f"http://{where}/metrics", ended)) if where else nullcontext()
    with serving.running(command, port, environment, store.with_suffix(".log")), scraping:
        load = serving.load(port, queries, sizes.connections)
    return load.answered / load.seconds


def _scrape(url: str, ended: Event) -> None:
    """Read the metrics at once, and each second until the end."""
    while True:
        with urlopen(url, timeout=SECONDS_MAX) as answer:
            assert b"tringledger_callbacks_total" in answer.read()
        if ended.wait(BETWEEN_SCRAPES):
            return

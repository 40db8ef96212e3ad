"""The metrics of the processes that take callbacks, from their report."""

from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from itertools import accumulate

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)

from api.application.monitoring.worker_report import BOUNDS, WorkerReport
from api.application.spool.spool_directory import SpoolTotals
from domain import times


@cache
def build_metric(schema: int) -> Metric:
    """Return which version runs, and the number of the log schema that it writes."""
    return InfoMetricFamily(
        "tringledger_build",
        "The version that runs, and the number of the log schema that it writes.",
        {"version": version("tringledger"), "schema": str(schema)},
    )


def process_metrics(report: WorkerReport) -> Iterator[Metric]:
    """Yield what a report says."""
    up = GaugeMetricFamily("tringledger_up", "Whether a part of the service works: 1, or 0.", labels=["part"])
    for part, works in sorted(report.parts.items()):
        up.add_metric([part], works)
    yield up
    callbacks = CounterMetricFamily(
        "tringledger_callbacks",
        "Requests to the notify path, by what came of them and by the status code of the answer.",
        labels=["outcome", "code"],
    )
    for each in report.callbacks:
        callbacks.add_metric([each.outcome, each.code], each.count)
    yield callbacks
    yield HistogramMetricFamily(
        "tringledger_callback_duration_seconds",
        "Seconds from the head of a request to the notify path until its answer.",
        buckets=list(zip([*map(str, BOUNDS), "+Inf"], accumulate(report.timings), strict=True)),
        sum_value=report.seconds,
    )
    yield GaugeMetricFamily("tringledger_intake_waiting", "Callbacks that wait to be recorded.", report.waiting)


def spool_metrics(totals: SpoolTotals) -> Iterator[Metric]:
    """Yield what waits in the spool; nothing if that cannot be known."""
    if totals.failure:
        return
    yield GaugeMetricFamily("tringledger_spool_callbacks", "Callbacks that wait in the spool.", totals.callbacks)
    yield GaugeMetricFamily("tringledger_spool_bytes", "Bytes of the callbacks that wait in the spool.", totals.bytes)
    if totals.oldest_at is not None:
        yield GaugeMetricFamily(
            "tringledger_spool_oldest_timestamp_seconds",
            "When the oldest callback in the spool came.",
            totals.oldest_at / times.SECOND,
        )

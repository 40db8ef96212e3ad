"""Callbacks over HTTP, durable and with their signatures checked, against the same server answering a constant."""

import sys
from collections.abc import Mapping
from statistics import median

from tests.benchmarks import ledgers, program, serving
from tests.benchmarks.measure import Row, Sizes, in_turns
from tests.benchmarks.serving import Load
from tests.benchmarks.traffic import notifications


def measure(sizes: Sizes) -> Row:
    """Send the same callbacks to either server, in turns, each started anew and ours with a new ledger."""
    queries = sizes.directory / "queries.txt"
    queries.write_bytes(b"\n".join(query for _, query in notifications(sizes.requests)))
    found: dict[str, list[Load]] = {"constant": [], "ours": []}

    def constant(run: int) -> float:
        port = serving.free_port()
        command = [sys.executable, "-m", "tests.benchmarks.constant", str(port)]
        return _bear(command, port, {}, f"constant-{run}", found["constant"])

    def ours(run: int) -> float:
        port, store = serving.free_port(), sizes.directory / f"callbacks-{run}.db"
        command = program.serve_command(port, store)
        rate = _bear(command, port, program.SERVE_ENVIRONMENT, f"ours-{run}", found["ours"])
        with ledgers.opened(store) as ledger:
            assert ledger.head() == sizes.requests, "every callback with a 200 is an event"
        return rate

    def _bear(command: list[str], port: int, environment: Mapping[str, str], name: str, to: list[Load]) -> float:
        with serving.running(command, port, environment, sizes.directory / f"{name}.log"):
            to.append(serving.load(port, queries, sizes.connections))
        return to[-1].answered / to[-1].seconds

    pairs = in_turns(sizes.runs, constant, ours)
    note = (
        f"Callbacks: {sizes.requests:,} a run over {sizes.connections} connections; latency in ms, median and 99th"
        f" percentile: ours {_latency(found['ours'])}, constant {_latency(found['constant'])}."
    )
    return Row(
        "callbacks, durable, signature checked",
        "a constant from the same server",
        "/s",
        0.20,
        0.40,
        pairs,
        notes=[note],
    )


def _latency(loads: list[Load]) -> str:
    return f"{median(load.p50 for load in loads):.1f} and {median(load.p99 for load in loads):.1f}"

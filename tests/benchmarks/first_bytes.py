"""The pages of the service on ten times as many calls as logs have events: how long each lets a browser wait for its first byte.

What counts is the slowest of many: the pages themselves, and lists by one filter, by any two of them, and in unusual orders.
"""

import time
from collections.abc import Iterator
from contextlib import closing
from http.client import HTTPConnection
from itertools import combinations
from statistics import median

from tests.benchmarks import million, pages, program, serving
from tests.benchmarks.measure import Pair, Row, Sizes
from tests.support.command import run

MILLISECONDS = 50.0
SECONDS_MAX = 30
PATHS = (
    *("/calls", "/calls?waiting=missing-cdr", "/cdrs", "/exceptions", "/postings", "/events", "/closings"),
    *("/billing", "/billing?by=day", "/billing/comparison", "/billing/comparison?by=tag", f"/accounts/{pages.BIG}"),
    *(
        f"/statements/{pages.BIG}/2026-03",
        "/traffic",
        "/traffic?number=1858*",
        "/traffic/quality",
        "/search?q=acme-0005",
    ),
    *(f"/traffic/quality?by={by}{more}" for by in ("hour", "month") for more in ("", f"&account={pages.BIG}")),
)
FILTERS = (
    *(f"account={pages.BIG}", "tag=acme-0005*", "number=1858*", "disposition=FAILED", "flag=missing-opening"),
    *("period=2026-03", "from=2026-01-10&to=2026-03-21", "from=2026-01-09&through=2026-01-10"),
)
ORDERS = ("price", "-position", "src_duration")


def measure(sizes: Sizes) -> Row:
    """Measure from the request to the first byte of the answer; each page is asked for once before."""
    calls = sizes.events * pages.CALLS_PER_EVENT
    store = sizes.directory / "million.db"
    pages.ledger_of_calls(store, calls, million.HALF_A_YEAR).close()
    url, port = f"sqlite:///{store}", serving.free_port()
    run("user", "remove", "page-reader", "--store", url)
    token = run("user", "add", "page-reader", "--role", "read", "--role", "pii", "--store", url).out.split()[-1]
    log = sizes.directory / "first-bytes.log"
    with serving.running(program.serve_command(port, url), port, program.SERVE_ENVIRONMENT, log):
        taken = {path: [_wait(port, token, path) for _ in range(sizes.runs + 1)][1:] for path in _paths()}
    slowest = max(taken, key=lambda path: median(taken[path]))
    pairs = [Pair(MILLISECONDS, milliseconds) for milliseconds in taken[slowest]]
    note = f"Of {len(taken)} pages on {calls:,} calls in SQLite the slowest is {slowest}."
    return Row("the first byte of the slowest page", f"{MILLISECONDS:g} ms", "ms", 1, 0.5, pairs, True, [note])  # noqa: FBT003


def _paths() -> Iterator[str]:
    yield from PATHS
    spans = {each for each in FILTERS if each.startswith("from=")}
    for some in (*combinations(FILTERS, 1), *(each for each in combinations(FILTERS, 2) if not spans.issuperset(each))):
        for order in ORDERS:
            yield f"/cdrs?sort={order}&{'&'.join(some)}"


def _wait(port: int, token: str, path: str) -> float:
    """Return how many milliseconds pass until the first byte comes."""
    with closing(HTTPConnection("127.0.0.1", port, timeout=SECONDS_MAX)) as connection:
        connection.connect()
        begun = time.perf_counter()
        connection.request("GET", path, headers={"Authorization": f"Bearer {token}", "Accept": "text/html"})
        answer = connection.getresponse()
        milliseconds = (time.perf_counter() - begun) * 1000
        answer.read()
        assert answer.status == 200, f"{path}: {answer.status}"
    return milliseconds

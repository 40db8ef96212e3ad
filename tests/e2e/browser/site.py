"""A site to look at: the real service on a free port, with a ledger from the sample logs and a user for each set of roles."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

from playwright.sync_api import Page, expect

from domain import times
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.stores.generations import open_current
from tests.benchmarks import program, serving
from tests.support.command import run
from tests.support.notices import KEY, OTHER_KEY, callstatus, line, priced_cdr, signed
from tests.support.samples import SAMPLES

USERS = {
    "reader": ("read",),
    "exporter": ("export",),
    "operator": ("operate",),
    "auditor": ("read", "pii"),
    "boss": ("export", "operate", "pii"),
}
HOSTILE = "<script>alert('tag')</script>\"'&\u202eabc"
SEEN = HOSTILE.replace("\u202e", "U+202E")  # As pages show it.
ROTATED = (("rotated-1", "18585559981"), ("rotated-2", "18585559982"))
STALE, UNPAID = "18585559991", "18585559992"
LIVELY = "9e935455-6a0f-5a69-9cb1-ebfaee77db25"
SECONDS_MAX = 20
Pairs = Sequence[tuple[str, str]]


class Site(NamedTuple):
    """Where the service is, its store's address, and the users' tokens by name."""

    url: str
    port: int
    store: str
    tokens: dict[str, str]

    def call_back(self, *notices: Pairs, key: str = KEY) -> list[int]:
        """Deliver notices as TringMe does; return the statuses of the answers."""
        return [self._deliver(signed(callstatus, key)) for callstatus in notices]

    def _deliver(self, query: str) -> int:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=SECONDS_MAX)
        try:
            connection.request("GET", f"/notify?{query}")
            return connection.getresponse().status
        finally:
            connection.close()

    def wait_until_shown(self) -> None:
        """Wait until the read models have everything that the log has."""
        deadline = time.monotonic() + SECONDS_MAX
        with Ledger(self.store) as ledger:
            store = open_current(ledger)
            try:
                while True:
                    with store.snapshot() as connection:
                        position = store.position(connection, ledger.store)
                    if position >= ledger.head():
                        return
                    assert time.monotonic() < deadline, "the read models do not follow"
                    time.sleep(0.05)
            finally:
                store.close()

    def path(self, wanted: str) -> str:
        """Return a page's path; ``CALL`` is that of a call with all that a call can have."""
        return f"/calls/{LIVELY}" if wanted == "CALL" else wanted

    def sign_in(self, page: Page, name: str, then: str = "/") -> None:
        """Sign in by the form, as people do."""
        page.goto(f"{self.url}{then}")
        page.get_by_label("Name").fill(name)
        page.get_by_label("Token").fill(self.tokens[name])
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()


@contextmanager
def running(directory: Path, *samples: str) -> Iterator[Site]:
    """Fill a new ledger with sample logs, add the users, and serve it until the block ends."""
    store = f"sqlite:///{directory}/ledger.db"
    known = {"TRINGLEDGER_STORE": store, "TRINGME_PRIVATE_KEY": KEY}
    files = [_late(directory / "late.ndjson"), _rotated(directory / "rotated.ndjson")]
    for file in [*(SAMPLES / f"{sample}.ndjson" for sample in samples), *files]:
        assert run("import", str(file), **known).code in (0, 1)  # Some of what the samples hold is refused.
    with Ledger(store, create=True, clock=times.now) as ledger:
        models = open_current(ledger)
        catch_up(ledger, models)
        models.close()
    with serving_store(store, directory) as site:
        yield site


@contextmanager
def serving_store(store: str, directory: Path) -> Iterator[Site]:
    """Add the users to a ledger that is there, and serve it until the block ends."""
    known = {"TRINGLEDGER_STORE": store, "TRINGME_PRIVATE_KEY": f"{KEY},{OTHER_KEY}"}
    tokens = {name: _added(name, roles, known) for name, roles in USERS.items()}
    port = serving.free_port()
    with serving.running(program.serve_command(port, store), port, known, directory / "serve.log"):
        yield Site(f"http://127.0.0.1:{port}", port, store, tokens)


def _late(file: Path) -> Path:
    """Write a call that nothing was heard of for days, and one that ended days ago and has no CDR."""
    notices = [
        callstatus(r=1, tag="late", src=STALE),
        callstatus(r=2, tag="late", src=UNPAID),
        callstatus(r=3, tag="late", src=UNPAID, status="COMPLETED"),
    ]
    file.write_text("".join(line(signed(each), "2026-10-02T09:00:00Z") for each in notices))
    return file


def _rotated(file: Path) -> Path:
    """Write notices signed with a key that is active only once the service runs: they wait in quarantine until then."""
    notices = [priced_cdr(tag=tag, src=src) for tag, src in ROTATED]
    file.write_text("".join(line(signed(each, OTHER_KEY), "2026-10-03T09:00:00Z") for each in notices))
    return file


def _added(name: str, roles: Sequence[str], environment: dict[str, str]) -> str:
    wanted = [argument for role in roles for argument in ("--role", role)]
    said = run("user", "add", name, *wanted, **environment)
    assert said.code == 0, said.err
    return said.out.strip()

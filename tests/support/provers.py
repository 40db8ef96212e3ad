"""A ledger, its proof tree and a prover, as tests of them need: with a clock that they set, and ways to tamper with both."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path

import psycopg

from domain.events.log_row import LogRow
from domain.ledger import Ledger
from domain.log import urls
from domain.proofs.checkpoint import Checkpoint, verify_checkpoint
from domain.proofs.keys import SigningKey
from projections.proofs.log_check import LogCheck, check_log
from projections.proofs.proof_store import PG_SCHEMA, ProofStore, open_proofs, path_beside
from projections.proofs.prover import Prover, Round
from projections.proofs.tree_rows import ProofState
from tests.support.database_roles import superusers
from tests.support.ledgers import opened, record
from tests.support.notices import SECOND, START, callstatus

KEY = SigningKey("tringledger.example/test", bytes(range(32)))
LOG_TABLE = {"sqlite": "stored_events", "postgres": "tringledger.stored_events"}


@dataclass
class World:
    """A ledger with its proofs; ``now`` is what the prover's clock shows (microseconds, UTC)."""

    ledger: Ledger
    store: ProofStore
    key: SigningKey | None = KEY
    now: int = START
    opened: ExitStack = field(default_factory=ExitStack)
    prover: Prover = field(init=False)
    _numbers: Iterator[int] = field(init=False)

    def __post_init__(self) -> None:
        self.prover = self.new_prover(self.key)
        self._numbers = count(self.ledger.head() + 1)

    def new_prover(self, key: SigningKey | None = KEY) -> Prover:
        return Prover(self.ledger.store, self.store, key, clock=lambda: self.now)

    def record(self, many: int) -> None:
        """Record this many new events, in one transaction."""
        record(self.ledger, *(callstatus("SRCRINGING", next(self._numbers) * 3600 * SECOND) for _ in range(many)))

    def run(self, seconds: int = 60) -> Round:
        """Let time pass, and run rounds until the tree has all of the log."""
        self.now += seconds * SECOND
        done = self.prover.run_round()
        while done.is_behind:
            done = self.prover.run_round()
        return done

    def state(self) -> ProofState:
        with self.store.reading() as rows:
            return rows.state()

    def sizes(self) -> list[int]:
        """Return the sizes of all checkpoints that are kept."""
        with self.store.reading() as rows:
            return [kept.size for kept in rows.checkpoints(1)]

    def root(self, size: int) -> bytes:
        with self.store.reading() as rows:
            return rows.reader(rows.state()).root(size)

    def check(self, *anchors: Checkpoint) -> LogCheck:
        with self.store.reading() as rows:
            return check_log(self.ledger.store, rows, anchors=anchors)

    def checkpoint(self) -> Checkpoint:
        """Return the last checkpoint, verified."""
        with self.store.reading() as rows:
            last = rows.last_checkpoint(1)
        assert last
        return verify_checkpoint(last.note, KEY.verifier).checkpoint

    def tamper(self, statement: str, *parameters: object) -> None:
        """Run a statement on the log's events, which it names EVENTS, as somebody with the database's password could."""
        kind = "postgres" if urls.is_postgres(self.ledger.url) else "sqlite"
        self._execute(statement.replace("EVENTS", LOG_TABLE[kind]), parameters, "")
        # As a service that is started again: the one that recorded what is lost takes nothing more.
        self.ledger = self.opened.enter_context(opened(self.ledger.url))

    def tamper_proofs(self, statement: str, *parameters: object) -> None:
        """Run a statement on the tables of the proofs."""
        self._execute(statement, parameters, PG_SCHEMA)

    def _execute(self, statement: str, parameters: tuple[object, ...], schema: str) -> None:
        url = self.ledger.url
        if urls.is_postgres(url):
            # As a replica, whose triggers do not fire: somebody who owns the database can do that.
            options = "-csession_replication_role=replica" + (f" -csearch_path={schema}" if schema else "")
            with psycopg.connect(superusers(url), options=options) as connection:
                connection.execute(statement.replace("?", "%s").encode(), parameters)
        else:
            path = path_beside(self._path()) if schema else self._path()
            with closing(sqlite3.connect(path)) as file, file:
                file.execute(statement, parameters)

    def _path(self) -> Path:
        return Path(self.ledger.path)


@contextmanager
def world(url: str, key: SigningKey | None = KEY) -> Iterator[World]:
    """Open the ledger and the proofs at a store's URL, made where they are missing."""
    with ExitStack() as stack:
        ledger = stack.enter_context(opened(url))
        store = stack.enter_context(closing(open_proofs(url, ledger.id)))
        yield World(ledger, store, key, opened=stack)


def entry_of(row: LogRow) -> bytes:
    """Return the entry of an event, written as the specification says."""
    position, stream, version, topic, state = row
    lines = ["tringledger-event/1", str(position), stream, str(version), topic, sha256(state).hexdigest(), ""]
    return "\n".join(lines).encode()


def model_entries(ledger: Ledger) -> list[bytes]:
    """Return the entries of all events, in their order."""
    return [entry_of(row) for row in ledger.store.page(0, 1 << 30, 1 << 60)]

"""Copying a ledger into another store: row for row, each event at its position, and compared at the end.

The source is read from a snapshot, while others continue to write it. Both stores are read in the order of their keys, and
only differences are written: a copy that was interrupted resumes where it stopped, and one that was complete takes what is
new. A mark keeps all other writers out of the target until it is known to be equal.
"""

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from hashlib import sha256
from typing import NamedTuple

from domain.copying import copy_marks
from domain.copying.copy_marks import COPIED, READ_MODELS, SCHEMA, digest_table, ledger_facts
from domain.copying.table_diff import Comparison, RowChange, chunks, compare_tables, row_changes
from domain.errors import CopyDiffers, CopyRunning
from domain.ledger import Ledger
from domain.log import open as address
from domain.log import urls
from domain.log.contract import Log
from domain.log.tables import COPYING, EVENTS, QUARANTINE, TABLES, LogSnapshot, LogTable, TableRow

PURPOSE = "copy"
ROWS_A_TRANSACTION = 5000

OnProgress = Callable[[int], None]
# Shows the progress of a step, out of a number of rows.
Progress = Callable[[str, int], AbstractContextManager[OnProgress]]


class CopyReport(NamedTuple):
    """The result of a copy: the number of rows of each table; one digest of all; and what the source gained meanwhile.

    The digest is the SHA-256 of the tables' digests (see Comparison), each as a line ``NAME DIGEST``. ``behind`` is how
    many events came after; ``is_behind`` also tells of a quarantine that has changed.
    """

    rows: dict[str, int]
    digest: str
    behind: int
    is_behind: bool


def _nothing_more(_target: Log) -> None:
    pass


def copy_ledger(
    source: Ledger,
    url: str,
    clock: Callable[[], int],
    progress: Progress,
    *,
    finish: Callable[[Log], None] = _nothing_more,
) -> CopyReport:
    """Fill the store at a URL from a ledger, and compare the two.

    ``finish`` is called with the target once it is known to be equal, before anybody else may use it.

    Raises NotCopyTarget if that store holds other data, CopyRunning if another copy fills it, CopyDiffers if the comparison
    finds a difference, UnknownStore, StoreUnavailable.
    """
    target = address.open_log(url)
    with closing(target), closing(target.lock(PURPOSE)) as lock:
        if not lock.acquire():
            msg = f"another copy into {urls.redacted(url)} is running"
            raise CopyRunning(msg)
        return _CopyRun(source, target, urls.redacted(url), progress).run(clock, finish)


class _CopyRun:
    """One run of a copy."""

    def __init__(self, source: Ledger, target: Log, shown: str, progress: Progress) -> None:
        self._source = source
        self._target = target
        self._shown = shown
        self._progress = progress

    def run(self, clock: Callable[[], int], finish: Callable[[Log], None]) -> CopyReport:
        self._begin(clock())
        with self._source.store.snapshot() as then:
            self._fill(then)
            found = self._compare(then)
        finish(self._target)
        head, quarantine = found[EVENTS.name].rows, found[QUARANTINE.name].digest
        with self._target.fill() as filling:
            filling.set_fact(COPIED, copy_marks.mark_complete(self._source, clock(), head, quarantine))
            filling.delete_fact(COPYING)
        behind = self._source.head() - head
        is_behind = bool(behind) or digest_table(self._source.store, QUARANTINE) != quarantine
        lines = "".join(f"{name} {each.digest}\n" for name, each in found.items())
        rows = {name: each.rows for name, each in found.items()}
        return CopyReport(rows, sha256(lines.encode()).hexdigest(), behind, is_behind)

    def _begin(self, now: int) -> None:
        """Create the target's tables if there are none, and mark it, unless it must not be written."""
        facts = self._target.facts()
        is_newer = int(facts.get(SCHEMA, 0)) > self._target.schema
        if (SCHEMA not in facts or COPYING in facts) and not is_newer:
            self._target.create()
        # Nothing else writes as long as this lasts, and after it the mark forbids it.
        with self._target.fill() as filling:
            facts = copy_marks.check_target(self._source, self._target, self._shown)
            filling.set_fact(SCHEMA, str(self._target.schema))
            if facts.get("id", self._source.id) != self._source.id:
                # The read models in this store are another ledger's.
                filling.set_fact(READ_MODELS, str(int(facts.get(READ_MODELS, "1")) + 1))
            filling.set_fact(COPYING, copy_marks.mark_in_progress(self._source, now))

    def _fill(self, then: LogSnapshot) -> None:
        with self._shown_progress("Copying", then) as passing:
            for table in TABLES:
                with closing(self._target_rows(table)) as there:
                    all_changes = row_changes(table, passing(then.rows(table)), there)
                    for page in chunks(all_changes, ROWS_A_TRANSACTION):
                        self._write(table, page)
        self._write_facts(ledger_facts(then.facts()))

    def _target_rows(self, table: LogTable) -> Generator[TableRow]:
        """Yield the target's rows of a table; the snapshot ends with the last row, so that the write-ahead log can shrink."""
        with self._target.snapshot() as before:
            yield from before.rows(table)

    def _write(self, table: LogTable, page: Sequence[RowChange]) -> None:
        gone = [table.key_of(change.gone) for change in page if change.gone]
        if gone and table.grows:
            msg = f"{self._shown} has {table.name} at {format_key_of_row(gone[0])} that {self._source.shown_url} does not have"
            raise CopyDiffers(msg)
        with self._target.fill() as filling:
            filling.remove(table, gone)
            filling.put(table, [change.row for change in page if change.row])

    def _write_facts(self, facts: Mapping[str, str]) -> None:
        stale = ledger_facts(self._target.facts()).keys() - facts.keys()
        with self._target.fill() as filling:
            for name in stale:
                filling.delete_fact(name)
            for name, value in facts.items():
                filling.set_fact(name, value)

    def _compare(self, then: LogSnapshot) -> dict[str, Comparison]:
        """Compare what the target has committed with the source."""
        found: dict[str, Comparison] = {}
        with self._target.snapshot() as copied, self._shown_progress("Comparing", then) as passing:
            for table in TABLES:
                each = found[table.name] = compare_tables(table, passing(then.rows(table)), copied.rows(table))
                if each.differs_at is not None:
                    msg = f"{table.name} of {self._shown} differ at {format_key_of_row(each.differs_at)}: run the copy again"
                    raise CopyDiffers(msg)
            wanted, there = ledger_facts(then.facts()), ledger_facts(copied.facts())
        if differing := sorted(name for name in wanted | there if wanted.get(name) != there.get(name)):
            msg = f"the ledger's own facts in {self._shown} differ: {', '.join(differing)}"
            raise CopyDiffers(msg)
        return found

    @contextmanager
    def _shown_progress(
        self, what: str, then: LogSnapshot
    ) -> Iterator[Callable[[Iterator[TableRow]], Iterator[TableRow]]]:
        """Show how many rows have passed through the iterators that the yielded function wraps."""
        passed = 0

        def passing(rows: Iterator[TableRow]) -> Iterator[TableRow]:
            nonlocal passed
            for chunk in chunks(rows):
                yield from chunk
                passed += len(chunk)
                moved(passed)

        with self._progress(what, sum(then.count(table) for table in TABLES)) as moved:
            yield passing


def format_key_of_row(key: TableRow) -> str:
    """Return a row's key for messages."""
    return ", ".join(value.hex() if isinstance(value, bytes) else repr(value) for value in key)

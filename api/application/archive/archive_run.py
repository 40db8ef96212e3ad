"""Writing an archive: the events of closed months, part by part, behind what an earlier run has archived.

Parts are written first, and count once the manifest names them. So a run that is killed leaves an archive as it was, and
the next one begins where that ends.
"""

from collections.abc import Iterator
from contextlib import closing
from hashlib import file_digest
from importlib.metadata import version
from typing import NamedTuple

import msgspec

from api.application.archive.archive_manifest import (
    FORMAT,
    NAME,
    ArchivedPart,
    ArchiveManifest,
    ArchiveRefused,
    archived_facts,
    encode_manifest,
    find_manifest,
    fixed_facts,
    is_part,
    part_name,
)
from api.application.archive.folder import ArchiveFolder, create_private, is_left_over
from api.application.archive.signed_roots import find_signed_root, read_events, root_of, tree_root
from domain.copying.copy import OnProgress, Progress
from domain.errors import CommandRejected, Unavailable, WrongUsage
from domain.events.codec import decode_operator_event
from domain.events.log_row import POSITION_MAX, LogRow
from domain.events.operator_events import MonthClosed
from domain.events.streams import CLOSINGS
from domain.ledger import Ledger
from domain.proofs.entry import hash_events
from domain.proofs.frontier import Frontier

PURPOSE = "archive"
EVENTS_A_PART = 250_000


class ArchiveRunning(Unavailable):
    """Another run archives the same ledger."""


class Archived(NamedTuple):
    """The result of a run: the manifest as it is now, and how many events this run has added."""

    manifest: ArchiveManifest
    added: int


def archive_closed_months(
    ledger: Ledger, address: str, progress: Progress, *, events_a_part: int = EVENTS_A_PART
) -> Archived:
    """Archive the events up to the last closing into the folder at an address; what it has already is not written again.

    Raises CommandRejected where no month is closed, ArchiveRefused for an archive of another ledger or history, WrongUsage,
    MissingDriver, StoreUnavailable.
    """
    closings = ledger.store.stream(CLOSINGS, POSITION_MAX)
    if not closings:
        raise CommandRejected("no month is closed yet: expected a closing, up to which events are archived")
    closing_event = decode_operator_event(closings[-1].topic, closings[-1].state)
    assert isinstance(closing_event, MonthClosed)
    return archive_events(
        ledger, address, closings[-1].position, closing_event.period, progress, events_a_part=events_a_part
    )


def archive_events(
    ledger: Ledger, address: str, until: int, period: str, progress: Progress, *, events_a_part: int = EVENTS_A_PART
) -> Archived:
    """Archive the events up to a position, that of the closing of a month; see `archive_closed_months`."""
    folder = ArchiveFolder(address)
    with closing(ledger.store.lock(PURPOSE)) as lock:
        if not lock.acquire():
            msg = f"the ledger {ledger.id} is being archived by another run: wait until it ends"
            raise ArchiveRunning(msg)
        ledger.store.keep_few_pages()
        return _ArchiveRun(ledger, folder, until, events_a_part).run(period, progress)


class _ArchiveRun:
    """One run of an archive."""

    def __init__(self, ledger: Ledger, folder: ArchiveFolder, until: int, events_a_part: int) -> None:
        self._ledger = ledger
        self._folder = folder
        self._until = until
        self._events_a_part = events_a_part
        self._tree = Frontier()

    def run(self, period: str, progress: Progress) -> Archived:
        sizes = self._folder.sizes()
        old = find_manifest(self._folder)
        if old is None:
            old = self._begin(sizes)
        else:
            self._check_continues(old, sizes)
        self._tree = Frontier(old.position, [bytes.fromhex(each) for each in old.peaks])
        parts = {part.name for part in old.events}
        for name in sizes:
            if is_left_over(name) or (is_part(name) and name not in parts):
                self._folder.remove(name)  # What a run that was killed has left.
        with progress("Archiving", self._until - old.position) as moved:
            added = [*self._add_parts(old.position, moved)]
        manifest = self._describe(old, period, added)
        if manifest != old:
            self._folder.replace(NAME, encode_manifest(manifest))
        return Archived(manifest, manifest.position - old.position)

    def _begin(self, sizes: dict[str, int]) -> ArchiveManifest:
        """Write the manifest of an empty archive, so that what is beside it is known to be ours; raises WrongUsage."""
        strange = [name for name in sizes if not is_left_over(name)]
        if strange:
            msg = f"{self._folder.name} has {min(strange)} and no {NAME}: expected an empty folder, or an archive"
            raise WrongUsage(msg)
        manifest = ArchiveManifest(
            format=FORMAT,
            ledger=self._ledger.id,
            facts=self._facts(),
            root=Frontier().root().hex(),
            version=version("tringledger"),
        )
        self._folder.replace(NAME, encode_manifest(manifest))
        return manifest

    def _check_continues(self, old: ArchiveManifest, sizes: dict[str, int]) -> None:
        """Raise ArchiveRefused unless an archive is of this ledger and of its history, and has all of its parts."""
        ledger, shown = self._ledger, self._folder.name
        if old.ledger != ledger.id:
            msg = f"{shown} is an archive of ledger {old.ledger}; expected one of {ledger.id}, or an empty folder"
            raise ArchiveRefused(msg)
        facts = self._facts()
        if fixed_facts(old.facts) != fixed_facts(facts):
            msg = f"{shown} has the facts {fixed_facts(old.facts)}; expected {fixed_facts(facts)}, those of ledger {ledger.id}"
            raise ArchiveRefused(msg)
        if old.position > self._until or root_of(ledger, old.position).hex() != old.root:
            msg = (
                f"{shown} has {old.position} events of another history of ledger {ledger.id}: they are not those that the"
                " log has; expected an archive of this log, or an empty folder"
            )
            raise ArchiveRefused(msg)
        for part in old.events:
            if sizes.get(part.name) != part.bytes:
                got = f"{sizes[part.name]} bytes" if part.name in sizes else "no such file"
                msg = f"{shown} should have {part.name} with {part.bytes} bytes; got {got}. `tringledger archive verify` checks all"
                raise ArchiveRefused(msg)

    def _add_parts(self, after: int, moved: OnProgress) -> Iterator[ArchivedPart]:
        first = after
        while after < self._until:
            last = min(after + self._events_a_part, self._until)
            yield self._write_part(after, last)
            after = last
            moved(after - first)

    def _write_part(self, after: int, last: int) -> ArchivedPart:
        from projections.export.event_parts import EventPartWriter  # noqa: PLC0415 - Arrow takes its time to load

        name = part_name(after + 1, last)
        with self._folder.staged() as staged:
            with create_private(staged) as file, EventPartWriter(file) as writer:
                for events in read_events(self._ledger, after, last):
                    self._check_follows(events)
                    leaves = hash_events(events)
                    writer.write(events, leaves)
                    self._tree.append(leaves)
            if self._tree.size != last:
                msg = f"the log of ledger {self._ledger.id} ends at {self._tree.size}; expected events up to {last}"
                raise ArchiveRefused(msg)
            size = staged.stat().st_size
            with staged.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
            self._folder.keep(staged, name)
        return ArchivedPart(name, after + 1, last, size, digest, self._tree.root().hex())

    def _check_follows(self, events: list[LogRow]) -> None:
        expected = range(self._tree.size + 1, self._tree.size + 1 + len(events))
        for event, position in zip(events, expected, strict=True):
            if event.position != position:
                msg = f"the log of ledger {self._ledger.id} has position {event.position}; expected {position}: events are missing"
                raise ArchiveRefused(msg)

    def _describe(self, old: ArchiveManifest, period: str, added: list[ArchivedPart]) -> ArchiveManifest:
        root = self._tree.root()
        known = tree_root(self._ledger, self._until)
        if known is not None and known != root:
            msg = (
                f"the log of ledger {self._ledger.id} does not hold against its proofs up to position {self._until}:"
                " `tringledger proof verify` names each event that does not; nothing was archived"
            )
            raise ArchiveRefused(msg)
        signed = find_signed_root(self._ledger, self._until)
        checkpoints = [*old.checkpoints]
        if signed and not any(each.position == self._until for each in checkpoints):
            checkpoints.append(signed.checkpoint)
        facts = self._facts()
        if not added and checkpoints == old.checkpoints and facts == old.facts:
            return old
        return msgspec.structs.replace(
            old,
            facts=facts,
            position=self._until,
            period=period,
            root=root.hex(),
            peaks=[each.hex() for each in self._tree.peaks],
            vkey=signed.vkey if signed else old.vkey,
            checkpoints=checkpoints,
            events=[*old.events, *added],
            version=version("tringledger"),
        )

    def _facts(self) -> dict[str, str]:
        with self._ledger.store.snapshot() as now:
            return archived_facts(now.facts())

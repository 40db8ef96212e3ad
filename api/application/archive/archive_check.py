"""The check of an archive without the ledger: each file its digest, each event its entry, all events what was signed."""

from collections.abc import Iterator, Sequence
from hashlib import file_digest
from typing import NamedTuple

from api.application.archive.archive_manifest import ArchivedCheckpoint, ArchivedPart, ArchiveManifest, read_manifest
from api.application.archive.folder import ArchiveFolder
from domain.copying.copy import OnProgress, Progress
from domain.events.log_row import LogRow
from domain.proofs.checkpoint import Checkpoint, parse_checkpoint, verify_checkpoint
from domain.proofs.entry import hash_events
from domain.proofs.frontier import Frontier
from domain.proofs.keys import NOTE, VerifierKey
from domain.proofs.merkle import verify_consistency
from domain.proofs.notes import parse_note
from domain.proofs.refusals import ProofRefused

FINDINGS_KEPT = 1000


class ArchiveCheck(NamedTuple):
    """The result of a check: the manifest, what does not hold, and how many checkpoints hold.

    Of ``found`` findings the first 1000 are kept. ``signed`` is the last position that a verified checkpoint covers.
    """

    manifest: ArchiveManifest
    findings: list[str]
    found: int
    checkpoints: int
    signed: int

    @property
    def holds(self) -> bool:
        """Whether everything held."""
        return not self.found


def check_archive(
    folder: ArchiveFolder, key: VerifierKey | None, checkpoints: Sequence[bytes], progress: Progress
) -> ArchiveCheck:
    """Check an archive, and that it has all that checkpoints from outside cover.

    Without a key, that of the archive's manifest is taken, which somebody who makes another archive can choose. Raises
    ArchiveRefused where there is no manifest or it was changed, ProofRefused for a key that is none, StoreUnavailable.
    """
    manifest = read_manifest(folder)
    if key is None and manifest.vkey:
        key = VerifierKey.parse(manifest.vkey)
    check = _Check(folder, manifest, key)
    with progress("Verifying", manifest.position) as moved:
        return check.run(checkpoints, moved)


def read_archived(folder: ArchiveFolder, part: ArchivedPart) -> Iterator[list[LogRow]]:
    """Yield the events of a part that was verified, in lists."""
    from projections.export.event_parts import read_part  # noqa: PLC0415 - Arrow takes its time to load

    with folder.open(part.name) as file:
        for events in read_part(file):
            yield [event.row for event in events]


class _Check:
    """One check of an archive."""

    def __init__(self, folder: ArchiveFolder, manifest: ArchiveManifest, key: VerifierKey | None) -> None:
        self._folder = folder
        self._manifest = manifest
        self._key = key
        self._sizes = folder.sizes()
        self._tree: Frontier | None = Frontier()  # None once an event does not hold: no later root can be made.
        self._roots: dict[int, bytes] = {}
        self._findings: list[str] = []
        self._found = 0

    def run(self, given: Sequence[bytes], moved: OnProgress) -> ArchiveCheck:
        manifest = self._manifest
        kept = [(each, self._verify_note(each.note.encode(), "the archive's")) for each in manifest.checkpoints]
        outside = [
            (ArchivedCheckpoint(manifest.position, "", []), self._verify_note(note, "the given")) for note in given
        ]
        checkpoints = [(each, found) for each, found in (*kept, *outside) if found]
        wanted = sorted({min(each.position, found.size) for each, found in checkpoints} | {0, manifest.position})
        last = 0
        for part in manifest.events:
            if part.first != last + 1:
                self._tell(f"{part.name} begins with position {part.first}; expected {last + 1}")
            self._check_part(part, wanted)
            last = part.last
            moved(last)
        self._check_end(last)
        covered = [self._check_covered(each, found) for each, found in checkpoints]
        holding = [each for each in covered if each is not None]
        return ArchiveCheck(manifest, self._findings, self._found, len(holding), max(holding, default=0))

    def _tell(self, what: str) -> None:
        self._found += 1
        if len(self._findings) < FINDINGS_KEPT:
            self._findings.append(what)

    def _verify_note(self, note: bytes, whose: str) -> Checkpoint | None:
        """Return a checkpoint whose signature holds; each epoch of a log has a name of its own, and the same key."""
        try:
            if self._key is None:
                self._tell(
                    f"{whose} checkpoint cannot be verified: the archive names no public key; expected --key VKEY"
                )
                return None
            origin = parse_checkpoint(parse_note(note).text).origin
            return verify_checkpoint(note, VerifierKey(origin, NOTE, self._key.public)).checkpoint
        except ProofRefused as error:
            self._tell(f"{whose} checkpoint does not hold: {error}")
            return None

    def _check_part(self, part: ArchivedPart, wanted: Sequence[int]) -> None:
        from projections.export.event_parts import UnreadablePart, read_part  # noqa: PLC0415 - as above

        size = self._sizes.get(part.name)
        if size is None:
            self._tell(f"{part.name} is missing: expected {part.bytes} bytes with SHA-256 {part.sha256}")
            self._tree = None
            return
        last = part.first - 1
        with self._folder.open(part.name) as file:
            digest = file_digest(file, "sha256").hexdigest()
            if (size, digest) != (part.bytes, part.sha256):
                self._tell(
                    f"{part.name} is not the file that the manifest names: got {size} bytes with SHA-256 {digest};"
                    f" expected {part.bytes} bytes with {part.sha256}"
                )
            before = self._found
            file.seek(0)
            try:
                for events in read_part(file):
                    leaves = self._check_events([event.row for event in events], [each[1] for each in events], last)
                    last += len(events)
                    self._grow(leaves, wanted)
            except UnreadablePart as error:
                self._tell(f"{part.name} cannot be read behind position {last}: {error}")
        if last != part.last:
            self._tell(f"{part.name} ends with position {last}; expected {part.last}")
        if self._tree and self._found == before and self._tree.root().hex() != part.root:
            self._tell(f"{part.name} leads to the root {self._tree.root().hex()}; expected {part.root}")
        if self._found > before:
            self._tree = None

    def _check_events(self, events: Sequence[LogRow], kept: Sequence[bytes], last: int) -> list[bytes]:
        """Check events against their place and the hashes beside them; return the hashes that they have."""
        leaves = hash_events(events)
        for position, (event, leaf, beside) in enumerate(zip(events, leaves, kept, strict=True), last + 1):
            if event.position != position:
                self._tell(f"the event at position {event.position} stands where {position} was expected")
            elif leaf != beside:
                self._tell(
                    f"the event at position {position} is not the one that was archived: its entry has the hash"
                    f" {leaf.hex()}; expected {beside.hex()}"
                )
        return leaves

    def _grow(self, leaves: Sequence[bytes], wanted: Sequence[int]) -> None:
        """Add leaves to the tree, and note the roots of the sizes that are wanted."""
        tree = self._tree
        if tree is None:
            return
        start = tree.size
        if start == 0:
            self._roots[0] = tree.root()
        for size in wanted:
            if start < size <= start + len(leaves):
                tree.append(leaves[tree.size - start : size - start])
                self._roots[size] = tree.root()
        tree.append(leaves[tree.size - start :])

    def _check_end(self, last: int) -> None:
        manifest, tree = self._manifest, self._tree
        if last != manifest.position:
            self._tell(f"the parts end with position {last}; expected {manifest.position}")
        elif tree and (tree.root().hex(), [each.hex() for each in tree.peaks]) != (manifest.root, manifest.peaks):
            self._tell(f"all events lead to the root {tree.root().hex()}; expected {manifest.root} and its peaks")

    def _check_covered(self, kept: ArchivedCheckpoint, found: Checkpoint) -> int | None:
        """Return the last position of the archive that a checkpoint covers, or None where it does not hold."""
        size = min(kept.position, found.size)
        root = self._roots.get(size)
        if root is None:
            self._tell(f"nothing is known of the checkpoint of {found.size} events: events up to {size} do not hold")
            return None
        if found.size > size and not kept.hashes:
            self._tell(
                f"the given checkpoint covers {found.size} events, and the archive has {size}; expected one of at most {size}"
            )
            return None
        try:
            hashes = [bytes.fromhex(each) for each in kept.hashes]
            verify_consistency(size, root, found.size, found.root, hashes)
        except (ProofRefused, ValueError) as error:
            self._tell(f"the checkpoint of {found.size} events does not hold: {error}")
            return None
        return size

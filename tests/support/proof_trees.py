"""Trees of made-up events for tests: their tiles in a dict, and proofs signed with fixed keys."""

from dataclasses import dataclass, field

from domain.proofs.checkpoint import sign_checkpoint
from domain.proofs.cosignature import cosign
from domain.proofs.entry import EventFields, encode_entry, hash_events
from domain.proofs.keys import COSIGNATURE, SigningKey
from domain.proofs.offline import Trust
from domain.proofs.proof_file import ProofFile
from domain.proofs.tiles import TileId, tiles_of
from domain.proofs.tree import GrowingTree, TreeReader

LOG = SigningKey("tringledger.example/test", bytes(range(32)))
WITNESS = SigningKey("witness.example/w1", bytes(range(32, 64)), COSIGNATURE)
OTHER_WITNESS = SigningKey("witness.example/w2", bytes(range(64, 96)), COSIGNATURE)
TRUST = Trust(LOG.verifier, (WITNESS.verifier,), 1)
COSIGNED_AT = 1_790_829_100


def event(position: int, state: bytes = b"") -> EventFields:
    return (
        position,
        f"{position % 7:032x}",
        position // 7 + 1,
        "tringledger:cdr-recorded",
        state or b"state %d" % position,
    )


@dataclass
class Tree:
    """A tree with its tiles, and the events in it."""

    events: list[EventFields] = field(default_factory=list)
    tiles: dict[tuple[int, int], bytes] = field(default_factory=dict)
    growing: GrowingTree = field(default_factory=GrowingTree)

    def read(self, level: int, number: int) -> bytes:
        return self.tiles.get((level, number), b"")

    def append(self, events: list[EventFields]) -> None:
        self.events += events
        for level, number, hashes in self.growing.append(hash_events(events)):
            self.tiles[level, number] = hashes

    @property
    def size(self) -> int:
        return len(self.events)

    @property
    def reader(self) -> TreeReader:
        return TreeReader(self.size, self.read)

    def published(self, size: int = 0) -> dict[TileId, bytes]:
        """Return all tiles of the tree as it was at a size, as they are published."""
        tiles = tiles_of(size or self.size)
        return {tile: self.read(tile.level, tile.number)[: tile.width * 32] for tile in tiles}

    def checkpoint(self, size: int = 0) -> bytes:
        """Return a checkpoint that the witness has cosigned."""
        size = size or self.size
        note = sign_checkpoint(size, self.reader.root(size), LOG)
        return note.add([cosign(note.text, WITNESS, COSIGNED_AT)]).encode()

    def proof(self, position: int, size: int = 0, *, extra: bool = True) -> ProofFile:
        size = size or self.size
        hashes = tuple(self.reader.prove_inclusion(position - 1, size))
        entry = encode_entry(*self.events[position - 1]) if extra else None
        return ProofFile(position - 1, hashes, self.checkpoint(size), entry)


def tree_of(size: int) -> Tree:
    tree = Tree()
    tree.append([event(position) for position in range(1, size + 1)])
    return tree

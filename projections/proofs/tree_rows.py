"""One transaction on the proof tree: its facts, tiles and checkpoints as rows."""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from sqlalchemy import Connection, delete, func, select

from domain.proofs.tiles import Tile
from domain.proofs.tree import TreeReader
from domain.times import DAY, SECOND
from projections.proofs.proof_tables import CHECKPOINTS, FACTS, TILES
from projections.stores.upsert import put_rows

HOUR = 3600 * SECOND
# Beyond this age only the last checkpoint of each hour is kept: one each ten seconds would be a gigabyte a year.
ALL_KEPT_FOR = DAY
# How far two checkpoints are apart at least, unless a setting says otherwise.
CHECKPOINT_SECONDS = 10
_CHECKPOINTS_AT_ONCE = 500


class ProofState(NamedTuple):
    """The facts about the tree as a whole.

    ``size`` is how many events it has; ``origin`` and ``vkey`` are those of the last checkpoint, empty before the first;
    ``since_size`` and ``since_at`` (microseconds, UTC) are those of the first: nothing is proved of the time before;
    ``mark`` is there in a copy that must not sign; ``diverged`` says how the log and the tree differ, where they do;
    ``witness_failures`` says which witnesses did not cosign the last checkpoint, and why; ``kept`` is how many events this
    epoch shares with the one before, 0 in the first.
    """

    epoch: int
    size: int
    origin: str = ""
    vkey: str = ""
    since_size: int = 0
    since_at: int = 0
    mark: str = ""
    diverged: str = ""
    witness_failures: str = ""
    kept: int = 0


class KeptCheckpoint(NamedTuple):
    """A stored checkpoint: its note with all cosignatures, and when it was signed (microseconds, UTC)."""

    epoch: int
    size: int
    note: bytes
    signed_at: int


class TreeRows:
    """The tree's rows within a transaction."""

    def __init__(self, connection: Connection) -> None:
        """Use a connection with an open transaction."""
        self.connection = connection

    def facts(self) -> dict[str, str]:
        """Return all facts about the tree as they are stored, by name."""
        return {row.name: row.value for row in self.connection.execute(select(FACTS))}

    def state(self) -> ProofState:
        """Return the facts about the tree as a whole."""
        facts = self.facts()
        numbers = ("epoch", "size", "since_size", "since_at", "kept")
        found = {
            name: int(facts[name]) if name in numbers else facts[name] for name in ProofState._fields if name in facts
        }
        return ProofState(**found)  # type: ignore[arg-type]

    def note(self, facts: Mapping[str, object]) -> None:
        """Write facts about the tree, by the names of ProofState."""
        put_rows(self.connection, FACTS, [(name, str(value)) for name, value in facts.items()])

    def put_tiles(self, epoch: int, tiles: Iterable[Tile]) -> None:
        """Write tiles; a partial one is replaced by its wider one."""
        put_rows(self.connection, TILES, [(epoch, *tile) for tile in tiles])

    def read_tile(self, epoch: int, level: int, number: int) -> bytes:
        """Return the hashes of a tile as an epoch sees it, empty if there is none.

        Where the epoch has not written the tile itself, it shares that of the epoch before.
        """
        where = (TILES.c.level == level, TILES.c.number == number, TILES.c.epoch <= epoch)
        query = select(TILES.c.hashes).where(*where).order_by(TILES.c.epoch.desc()).limit(1)
        hashes: bytes | None = self.connection.execute(query).scalar()
        return bytes(hashes or b"")

    def read_leaves(self, epoch: int, first: int, last: int) -> bytes:
        """Return the hashes of the tiles of level 0 from number ``first`` to ``last``, one behind the other."""
        where = (TILES.c.level == 0, TILES.c.number.between(first, last), TILES.c.epoch <= epoch)
        query = select(TILES.c.number, TILES.c.hashes).where(*where).order_by(TILES.c.number, TILES.c.epoch)
        tiles = {row.number: bytes(row.hashes) for row in self.connection.execute(query)}
        return b"".join(tiles.get(number, b"") for number in range(first, last + 1))

    def reader(self, state: ProofState) -> TreeReader:
        """Return the tree of a state, for roots and proofs; a tile is read once."""
        tiles: dict[tuple[int, int], bytes] = {}

        def read(level: int, number: int) -> bytes:
            if (level, number) not in tiles:
                tiles[level, number] = self.read_tile(state.epoch, level, number)
            return tiles[level, number]

        return TreeReader(state.size, read)

    def put_checkpoint(self, checkpoint: KeptCheckpoint) -> None:
        """Store a checkpoint, or replace the note of the one of its size, if it has more cosignatures."""
        put_rows(self.connection, CHECKPOINTS, [checkpoint._replace(note=checkpoint.note.decode())])  # type: ignore[arg-type]

    def last_checkpoint(self, epoch: int, size_max: int | None = None) -> KeptCheckpoint | None:
        """Return the largest checkpoint of an epoch, or the largest up to a size."""
        query = select(CHECKPOINTS).where(CHECKPOINTS.c.epoch == epoch).order_by(CHECKPOINTS.c.size.desc()).limit(1)
        if size_max is not None:
            query = query.where(CHECKPOINTS.c.size <= size_max)
        row = self.connection.execute(query).first()
        return _checkpoint(*row) if row else None

    def checkpoints(self, epoch: int) -> Iterator[KeptCheckpoint]:
        """Return the checkpoints of an epoch, smallest first."""
        last = -1
        columns, order = CHECKPOINTS.c, CHECKPOINTS.c.size
        while True:
            query = select(CHECKPOINTS).where(columns.epoch == epoch, order > last).order_by(order)
            rows = self.connection.execute(query.limit(_CHECKPOINTS_AT_ONCE)).all()
            if not rows:
                return
            yield from (_checkpoint(*row) for row in rows)
            last = rows[-1].size

    def thin_checkpoints(self, epoch: int, now: int) -> None:
        """Of checkpoints older than a day, keep the last of each hour: the tree proves that they continue each other."""
        is_old = (CHECKPOINTS.c.epoch == epoch, CHECKPOINTS.c.signed_at < now - ALL_KEPT_FOR)
        kept = select(func.max(CHECKPOINTS.c.size)).where(*is_old).group_by(CHECKPOINTS.c.signed_at // HOUR)
        self.connection.execute(delete(CHECKPOINTS).where(*is_old, CHECKPOINTS.c.size.not_in(kept)))


def _checkpoint(epoch: int, size: int, note: str, signed_at: int) -> KeptCheckpoint:
    return KeptCheckpoint(epoch, size, note.encode(), signed_at)

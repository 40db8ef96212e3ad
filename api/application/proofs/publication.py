"""The log as static files: tiles, bundles of entries and the checkpoint, as any web server can publish them (C2SP tlog-tiles)."""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from api.application.proofs.proof_files import NoProof, last_checkpoint, opened_proofs
from domain.ledger import Ledger
from domain.proofs.base64_hashes import HASH_BYTES
from domain.proofs.checkpoint import parse_checkpoint
from domain.proofs.entry import encode_entry, hash_leaf
from domain.proofs.notes import parse_note
from domain.proofs.refusals import ProofRefused
from domain.proofs.tiles import WIDTH, TileId, encode_bundle, parse_path, tiles_of, width_in
from projections.atomic_file import NotWritten, map_write_errors
from projections.proofs.tree_rows import TreeRows

CHECKPOINT = "checkpoint"


class Published(NamedTuple):
    """What was published: the size of the checkpoint, and how many files were written for it."""

    size: int
    files: int


def publish(ledger: Ledger, directory: Path) -> Published:
    """Write what a directory lacks of the static tree: tiles and entries first, then the checkpoint that needs them.

    Full tiles never change, so they are written once. Raises NoProof, NotWritten, and ProofRefused where the directory has
    a checkpoint of another log, or a larger one.
    """
    with opened_proofs(ledger) as store, store.reading() as rows:
        checkpoint = last_checkpoint(rows)
        old = _published_size(directory, checkpoint.note)
        if old > checkpoint.size:
            msg = f"{directory} has a checkpoint of size {old}, and the log's last has {checkpoint.size}: events were lost"
            raise ProofRefused(msg)
        files = 0
        for tile in tiles_of(checkpoint.size, old):
            files += _write(directory / tile.path, read_tile(rows, tile))
            if tile.level == 0:
                files += _write(directory / tile.bundle_path, read_bundle(ledger, rows, tile))
        files += _write(directory / CHECKPOINT, checkpoint.note, again=True)
    return Published(checkpoint.size, files)


def _published_size(directory: Path, note: bytes) -> int:
    """Return the size of the checkpoint that a directory has, 0 for none; raises ProofRefused for one of another log."""
    try:
        found = parse_checkpoint(parse_note((directory / CHECKPOINT).read_bytes()).text)
    except FileNotFoundError:
        return 0
    ours = parse_checkpoint(parse_note(note).text)
    if found.origin != ours.origin:
        msg = f"{directory} has the log {found.origin}; expected {ours.origin}, or an empty directory"
        raise ProofRefused(msg)
    return found.size


def _write(path: Path, content: bytes, *, again: bool = False) -> int:
    if path.exists() and not again:
        return 0
    make_directory(path.parent)
    with map_write_errors(path, "the proof") as file:
        file.write(content)
    return 1


def make_directory(path: Path) -> None:
    """Make a directory and those above it; raises NotWritten."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{path} cannot be made: {error.strerror}; expected a directory that can be written"
        raise NotWritten(msg) from error


def read_tile(rows: TreeRows, tile: TileId) -> bytes:
    """Return a tile's hashes; raises NoProof where the tree does not have them."""
    hashes = rows.read_tile(rows.state().epoch, tile.level, tile.number)[: tile.width * HASH_BYTES]
    if len(hashes) < tile.width * HASH_BYTES:
        msg = f"the tree has no {tile.path}"
        raise NoProof(msg)
    return hashes


def read_bundle(ledger: Ledger, rows: TreeRows, tile: TileId) -> bytes:
    """Return the entries of a tile of level 0, made from the events; raises ProofRefused where the tree has others."""
    entries = list(_entries(ledger, tile))
    if b"".join(map(hash_leaf, entries)) != read_tile(rows, tile):
        msg = f"the events of {tile.bundle_path} are not those in the tree: `tringledger proof verify` names each position"
        raise ProofRefused(msg)
    return encode_bundle(entries)


def _entries(ledger: Ledger, tile: TileId) -> Iterator[bytes]:
    first = tile.number * WIDTH
    for event in ledger.store.page(first, tile.width, first + tile.width):
        yield encode_entry(*event)


def read_published(ledger: Ledger, path: str) -> bytes:
    """Return one file of the static tree by its path, for a route; raises NoProof for what is not there."""
    with opened_proofs(ledger) as store, store.reading() as rows:
        checkpoint = last_checkpoint(rows)
        if path == CHECKPOINT:
            return checkpoint.note
        tile, is_bundle = parse_path(path)
        width = width_in(checkpoint.size, tile.level, tile.number)
        if not 0 < tile.width <= width:
            msg = f"the log's checkpoint of size {checkpoint.size} has no {path}"
            raise NoProof(msg)
        return read_bundle(ledger, rows, tile) if is_bundle else read_tile(rows, tile)

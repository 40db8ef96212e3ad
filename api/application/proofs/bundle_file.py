"""Bundles: a bill or a call with all that proves it, as one zip file (stored, not packed), the same bytes each time.

In it are ``bundle.json``, ``checkpoint``, ``tiles/…``, ``events.ndjson`` and ``rows.ndjson``. Reading it proves nothing yet: see
`bundle_check.py`.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from api.application.proofs.event_file import decode_event, encode_event
from domain.events.log_row import LogRow
from domain.proofs.refusals import ProofRefused
from domain.proofs.tiles import TileId, parse_path

FORMAT = "tringledger-bundle/1"
BILL, CALL = "bill", "call"
DESCRIPTION, CHECKPOINT, EVENTS, ROWS = "bundle.json", "checkpoint", "events.ndjson", "rows.ndjson"
TILES = "tiles/"
BYTES_MAX = 1 << 30
_EPOCH = (1980, 1, 1, 0, 0, 0)  # The earliest time that a zip can hold: equal content makes equal files.


class BundleDescription(msgspec.Struct, frozen=True, kw_only=True):
    """What a bundle is of: ``kind`` is ``bill`` (of ``account`` and ``period``) or ``call`` (of ``call``).

    ``timezone`` is the ledger's billing time zone, ``line_rule`` its line rule where that is not the first; ``versions`` are those of tringledger and of the read models' schema.
    """

    format: str
    kind: str
    ledger: str
    origin: str
    timezone: str
    account: str = ""
    period: str = ""
    call: str = ""
    line_rule: int | msgspec.UnsetType = msgspec.UNSET
    versions: dict[str, str] = {}


class Bundle(NamedTuple):
    """A bundle's parts; ``rows`` are the bytes of rows.ndjson."""

    description: BundleDescription
    checkpoint: bytes
    tiles: Mapping[TileId, bytes]
    events: Sequence[LogRow]
    rows: bytes


def is_bundle(raw: bytes) -> bool:
    """Whether bytes begin as a zip file does."""
    return raw.startswith(b"PK\x03\x04")


def encode_bundle_file(bundle: Bundle) -> bytes:
    """Return the bytes of a bundle's file."""
    description = msgspec.json.format(msgspec.json.encode(bundle.description), indent=2) + b"\n"
    files = {DESCRIPTION: description, CHECKPOINT: bundle.checkpoint}
    files |= {f"{TILES}{tile.path}": hashes for tile, hashes in sorted(bundle.tiles.items())}
    files |= {EVENTS: b"".join(map(encode_event, bundle.events)), ROWS: bundle.rows}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as file:
        for name, content in files.items():
            file.writestr(zipfile.ZipInfo(name, _EPOCH), content)
    return made.getvalue()


def parse_bundle_file(raw: bytes) -> Bundle:
    """Read a bundle; raises ProofRefused for anything but the exact bytes that `encode_bundle_file` makes."""
    files = _unzip(raw)
    try:
        description = msgspec.json.decode(files.pop(DESCRIPTION), type=BundleDescription)
        checkpoint, events, rows = files.pop(CHECKPOINT), files.pop(EVENTS), files.pop(ROWS)
    except (KeyError, msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"the bundle is not complete, or {DESCRIPTION} is not readable: {error}"
        raise ProofRefused(msg) from error
    if description.format != FORMAT or description.kind not in (BILL, CALL):
        msg = f"the bundle is a {description.kind!r} in the format {description.format!r}; expected {FORMAT!r}"
        raise ProofRefused(msg)
    tiles = {_tile(name): hashes for name, hashes in files.items()}
    lines = events.splitlines(keepends=True)
    bundle = Bundle(description, checkpoint, tiles, [LogRow(*decode_event(line)) for line in lines], rows)
    if encode_bundle_file(bundle) != raw:
        raise ProofRefused("the bundle's file was changed: its parts do not make the same bytes again")
    return bundle


def _unzip(raw: bytes) -> dict[str, bytes]:
    if len(raw) > BYTES_MAX:
        msg = f"the bundle has {len(raw)} bytes; expected at most {BYTES_MAX}"
        raise ProofRefused(msg)
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as file:
            infos = file.infolist()
            # Nothing is packed in ours, so that a small file cannot hold a huge one.
            if any(info.compress_type != zipfile.ZIP_STORED or info.file_size > len(raw) for info in infos):
                raise ProofRefused("the bundle has packed files; expected all of them stored as they are")
            return {info.filename: file.read(info) for info in infos}
    except (zipfile.BadZipFile, OSError, EOFError, ValueError, NotImplementedError, RuntimeError) as error:
        msg = f"the bundle is not a whole zip file: {error}"
        raise ProofRefused(msg) from error


def _tile(name: str) -> TileId:
    if not name.startswith(TILES):
        msg = f"the bundle has the file {name[:100]!r}; expected tiles, events, rows, a checkpoint and a description"
        raise ProofRefused(msg)
    tile, is_entries = parse_path(name.removeprefix(TILES))
    if is_entries:
        msg = f"the bundle has the entries {name[:100]!r}; expected tiles with hashes"
        raise ProofRefused(msg)
    return tile

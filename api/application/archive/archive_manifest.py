"""What an archive says of itself: its ledger, how far it goes, its parts, and what was signed of it.

A part counts when the manifest names it. Each part is named with its digest, and the manifest has its own: a changed byte
of either is found. ``events`` has the parts of the one table that there is; a later format may add tables beside it,
such as personal parameters that are kept apart so that they can be deleted.
"""

import re
from collections.abc import Mapping
from hashlib import sha256

import msgspec

from api.application.archive.folder import ArchiveFolder
from domain.billing.party_record import PartyRecord
from domain.errors import LedgerError
from domain.log.tables import LAST_NUMBER
from domain.notices.line_number import LINE_RULE_FACT
from domain.recording import SIGNATURE_FITTED

NAME = "manifest.json"
FORMAT = "tringledger-archive/1"
EVENTS = "events"
_PART_NAME = re.compile(rf"{EVENTS}/[0-9]{{12,19}}-[0-9]{{12,19}}\.parquet")
# The facts of a ledger that say what its events mean. The others tell of a store, of its quarantine, or of what a service has
# done: jobs, backups, forwarding.
ARCHIVED = frozenset(("id", "created_at", "correlation", "timezone", LINE_RULE_FACT, SIGNATURE_FITTED, LAST_NUMBER))
# And those that keep what events have a digest of: published parties, which may be erased.
PARTY_FACT = PartyRecord.fact_name(0).removesuffix("0")
# Those of the archived facts that never change. The others may have changed since an archive was written.
FIXED = ARCHIVED - {SIGNATURE_FITTED, LAST_NUMBER}


class ArchiveRefused(LedgerError):
    """An archive cannot be trusted, is not this ledger's, or is none; the message says what did not fit."""


class ArchivedPart(msgspec.Struct, frozen=True):
    """A file with the events of the positions ``first`` to ``last``; ``root`` (hex) is that of all events up to ``last``."""

    name: str
    first: int
    last: int
    bytes: int
    sha256: str
    root: str


class ArchivedCheckpoint(msgspec.Struct, frozen=True):
    """A signed note of the log. ``hashes`` (hex) prove that its tree begins with the first ``position`` events.

    There are none where the note covers no more events than that.
    """

    position: int
    note: str
    hashes: list[str]


class ArchiveManifest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an archive has: the events of the positions 1 to ``position``, up to the closing of the month ``period``.

    ``facts`` are the ledger's; ``root`` and ``peaks`` (hex) those of the tree over all entries; ``vkey`` is the public key of
    the last checkpoint, empty where nothing was signed; ``version`` is that of the tringledger that wrote last. ``digest`` is the SHA-256 of the
    manifest as compact JSON with an empty digest.
    """

    format: str
    ledger: str
    facts: dict[str, str]
    position: int = 0
    period: str = ""
    root: str
    peaks: list[str] = []
    vkey: str = ""
    checkpoints: list[ArchivedCheckpoint] = []
    events: list[ArchivedPart] = []
    version: str
    digest: str = ""


class _Formatted(msgspec.Struct):
    format: str


def part_name(first: int, last: int) -> str:
    """Return the name of the part with the events of these positions; names sort as positions do."""
    return f"{EVENTS}/{first:012}-{last:012}.parquet"


def is_part(name: str) -> bool:
    """Whether a file's name is one that parts have."""
    return _PART_NAME.fullmatch(name) is not None


def encode_manifest(manifest: ArchiveManifest) -> bytes:
    """Return a manifest as the file has it, with its digest."""
    bare = msgspec.structs.replace(manifest, digest="")
    digest = sha256(msgspec.json.encode(bare)).hexdigest()
    whole = msgspec.structs.replace(bare, digest=digest)
    return msgspec.json.format(msgspec.json.encode(whole), indent=2) + b"\n"


def find_manifest(folder: ArchiveFolder) -> ArchiveManifest | None:
    """Return the manifest of an archive, or None if there is none; raises ArchiveRefused for one that was changed."""
    content = folder.read(NAME)
    if content is None:
        return None
    try:
        found = msgspec.json.decode(content, type=_Formatted).format
        if found != FORMAT:
            msg = f"the archive {folder.name} has the format {found!r}; expected {FORMAT!r}"
            raise ArchiveRefused(msg)
        manifest = msgspec.json.decode(content, type=ArchiveManifest)
    except msgspec.DecodeError as error:
        msg = f"{NAME} of the archive {folder.name} cannot be read: {error}"
        raise ArchiveRefused(msg) from error
    if encode_manifest(manifest) != content:
        msg = f"{NAME} of the archive {folder.name} was changed: got other bytes than its digest {manifest.digest!r} expects"
        raise ArchiveRefused(msg)
    return manifest


def read_manifest(folder: ArchiveFolder) -> ArchiveManifest:
    """Return the manifest of an archive; raises ArchiveRefused where there is none."""
    manifest = find_manifest(folder)
    if manifest is None:
        msg = f"{folder.name} is not an archive: it has no {NAME}"
        raise ArchiveRefused(msg)
    return manifest


def is_archived(name: str) -> bool:
    """Whether an archive has the fact of a name."""
    return name in ARCHIVED or name.startswith(PARTY_FACT)


def archived_facts(facts: Mapping[str, str]) -> dict[str, str]:
    """Return those of a ledger's facts that an archive has, in the order of their names."""
    return {name: facts[name] for name in sorted(filter(is_archived, facts))}


def fixed_facts(facts: Mapping[str, str]) -> dict[str, str]:
    """Return those of archived facts that never change."""
    return {name: value for name, value in facts.items() if name in FIXED}

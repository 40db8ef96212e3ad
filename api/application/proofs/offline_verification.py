"""Verification of a file on another machine: a proof, a bundle or a checkpoint, with public keys and nothing else."""

from collections.abc import Sequence
from typing import NamedTuple

from api.application.proofs.bundle_check import ProvenBundle, verify_bundle
from api.application.proofs.bundle_file import BILL, is_bundle
from api.application.proofs.event_file import decode_event
from domain import times
from domain.amounts import plain
from domain.proofs.checkpoint import VerifiedCheckpoint
from domain.proofs.keys import COSIGNATURE, VerifierKey
from domain.proofs.offline import ProvenEvent, Trust, verify_continuation, verify_event
from domain.proofs.proof_file import HEADER, parse_consistency_file
from domain.proofs.refusals import ProofRefused


class OfflineFiles(NamedTuple):
    """What is verified: the file itself, the event of a proof, and the older checkpoint with its proof for a newer one."""

    file: bytes
    event: bytes | None = None
    older: bytes | None = None
    hashes: bytes | None = None


def read_trust(key: str, witnesses: Sequence[str], quorum: int | None) -> Trust:
    """Return whom to trust; by default all witnesses must have cosigned. Raises KeyRefused."""
    keys = [VerifierKey.parse(each, COSIGNATURE) for each in witnesses]
    return Trust(VerifierKey.parse(key), keys, len(keys) if quorum is None else quorum)


def verify_files(files: OfflineFiles, trust: Trust) -> list[tuple[str, str]]:
    """Verify a file, and return what it proves as names and values; raises ProofRefused, naming what did not fit."""
    if is_bundle(files.file):
        return _told_of_bundle(verify_bundle(files.file, trust))
    if files.file.startswith(HEADER.encode()):
        event = decode_event(files.event) if files.event is not None else None
        return _told_of_event(verify_event(files.file, trust, event), has_event=event is not None)
    if files.older is None:
        return _told_of_checkpoint(trust.verify(files.file))
    if files.hashes is None:
        raise ProofRefused(
            "an older checkpoint was given without a proof; expected the file that `proof consistency` wrote"
        )
    hashes = parse_consistency_file(files.hashes)
    found = verify_continuation(files.older, files.file, hashes, trust)
    return [*_told_of_checkpoint(found), ("continues", "the older checkpoint: nothing that it covers was changed")]


def _told_of_checkpoint(found: VerifiedCheckpoint) -> list[tuple[str, str]]:
    witnesses = [(f"cosigned by {name}", times.iso(seconds * times.SECOND)) for name, seconds in found.cosigned]
    origin, size, root = found.checkpoint
    return [("log", origin), ("events", str(size)), ("root", root.hex()), *witnesses]


def _told_of_event(found: ProvenEvent, *, has_event: bool) -> list[tuple[str, str]]:
    position, stream, version, topic, digest = found.entry
    content = "as in the event given" if has_event else f"SHA-256 {digest}"
    place = [("position", str(position)), ("stream", f"{stream}, version {version}"), ("topic", topic)]
    return [*place, ("content", content), *_told_of_checkpoint(found.checkpoint)]


def _told_of_bundle(found: ProvenBundle) -> list[tuple[str, str]]:
    described, sums = found.description, found.sums
    of = [("account", described.account), ("period", described.period)] if described.kind == BILL else []
    told = [
        *(of or [("call", described.call)]),
        ("billing time zone", described.timezone),
        ("proven events", str(found.events)),
        ("entries", str(found.entries)),
        *((name, plain(sums[name])) for name in ("cost", "sip_credits", "price", "margin")),
    ]
    if described.kind == BILL:
        told.append(("due", plain(sums["price"] + found.rounding)))
    if found.books:
        books = found.books
        told.append(("month closed with", f"{books.rows} entries of all accounts, price {plain(books.money['price'])}"))
    return told + _told_of_checkpoint(found.checkpoint)

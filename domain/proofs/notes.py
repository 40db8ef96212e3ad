"""Signed notes: a text, an empty line, and lines with signatures over the text (C2SP signed-note).

A note is read strictly and verified against keys that the reader brings along. Signatures of other keys are left alone.
"""

from collections.abc import Iterable
from typing import NamedTuple

from domain.proofs.base64_hashes import decode_base64, encode_base64
from domain.proofs.keys import KEY_ID_BYTES, SigningKey, VerifierKey, check_name
from domain.proofs.refusals import KeyRefused, ProofRefused

NOTE_BYTES_MAX = 64 * 1024
SIGNATURES_MAX = 64
_MARK = "\u2014 "
_SPACE = ord(" ")


class NoteSignature(NamedTuple):
    """One signature line: the name and id of its key, and what follows the id (64 bytes of a log, 72 of a witness)."""

    name: str
    key_id: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line as it stands in a note."""
        return f"{_MARK}{self.name} {encode_base64(self.key_id + self.signature)}\n"

    def is_of(self, key: VerifierKey) -> bool:
        """Whether the line names this key."""
        return self.name == key.name and self.key_id == key.key_id


class SignedNote(NamedTuple):
    """A note: its text with the last newline, and its signatures in their order."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def encode(self) -> bytes:
        """Return the note's bytes."""
        return (self.text + "\n" + "".join(signature.line for signature in self.signatures)).encode()

    def add(self, signatures: Iterable[NoteSignature]) -> "SignedNote":
        """Return the note with more signatures at its end."""
        return self._replace(signatures=(*self.signatures, *signatures))

    def find(self, key: VerifierKey) -> NoteSignature | None:
        """Return the line that names a key; raises ProofRefused where more than one does."""
        found = [signature for signature in self.signatures if signature.is_of(key)]
        if len(found) > 1:
            msg = f"the note has {len(found)} signatures of {key.name}; expected one"
            raise ProofRefused(msg)
        return found[0] if found else None


def sign_note(text: str, key: SigningKey) -> SignedNote:
    """Sign a text that ends with a newline."""
    signature = NoteSignature(key.name, key.verifier.key_id, key.sign(text.encode()))
    return SignedNote(text, (signature,))


def parse_note(raw: bytes) -> SignedNote:
    """Read a note without verifying it; raises ProofRefused where its form is not a signed note's."""
    text, found, lines = _decode(raw).rpartition("\n\n")
    if not found or not lines.endswith("\n"):
        raise ProofRefused("the note has no signatures; expected a text, an empty line and lines with signatures")
    signatures = tuple(map(parse_signature, lines.removesuffix("\n").split("\n")))
    if len(signatures) > SIGNATURES_MAX:
        msg = f"the note has {len(signatures)} signatures; expected at most {SIGNATURES_MAX}"
        raise ProofRefused(msg)
    return SignedNote(text + "\n", signatures)


def _decode(raw: bytes) -> str:
    if len(raw) > NOTE_BYTES_MAX:
        msg = f"the note has {len(raw)} bytes; expected at most {NOTE_BYTES_MAX}"
        raise ProofRefused(msg)
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        msg = f"the note is not UTF-8: {error.reason} at byte {error.start}"
        raise ProofRefused(msg) from error
    wrong = next((char for char in text if ord(char) < _SPACE and char != "\n"), None)
    if wrong is not None:
        msg = f"the note has the control character {wrong!r}; expected none but newlines"
        raise ProofRefused(msg)
    return text


def parse_signature(line: str) -> NoteSignature:
    """Read a signature line, without its newline; raises ProofRefused where it is none."""
    name, space, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK) or not space:
        msg = f"a signature line is malformed: got {line[:200]!r}; expected an em dash, a key's name and base64"
        raise ProofRefused(msg)
    try:
        check_name(name)
    except KeyRefused as error:
        msg = f"a signature line is malformed: {error}"
        raise ProofRefused(msg) from error
    value = decode_base64(encoded, f"the signature of {name}")
    if len(value) <= KEY_ID_BYTES:
        msg = f"the signature of {name} has {len(value)} bytes; expected a key id of {KEY_ID_BYTES} and a signature"
        raise ProofRefused(msg)
    return NoteSignature(name, value[:KEY_ID_BYTES], value[KEY_ID_BYTES:])


def verify_note(note: SignedNote, key: VerifierKey) -> None:
    """Check that a key signed a note; raises ProofRefused where it did not, or its signature does not fit the text."""
    signature = note.find(key)
    if signature is None:
        names = ", ".join(f"{found.name} ({found.key_id.hex()})" for found in note.signatures)
        msg = f"the note is signed by {names}; expected a signature of {key.name} ({key.key_id.hex()})"
        raise ProofRefused(msg)
    if not key.verifies(note.text.encode(), signature.signature):
        msg = f"the signature of {key.name} does not fit the note: its text or its signature was changed"
        raise ProofRefused(msg)

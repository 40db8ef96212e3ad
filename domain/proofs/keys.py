"""Ed25519 keys as the signed-note format writes them, and the file that holds a log's private key.

A key has a name: for a log it is the origin of its checkpoints. A key's id follows from its name, its kind and its public
half, so the same private key has another id under another name. The cryptography library is loaded by what signs or
verifies: programs that only read notes do not wait for it.
"""

import os
import secrets
import stat
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from domain.proofs.base64_hashes import decode_base64, encode_base64
from domain.proofs.refusals import KeyRefused, ProofRefused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

# The kinds of keys: what a log signs, and what a witness signs (signed-note, "Signature types").
NOTE = 0x01
COSIGNATURE = 0x04
KEY_BYTES = 32
KEY_ID_BYTES = 4
FILE_MODE = 0o600
_FILE_BYTES_MAX = 4096
_PRIVATE = "PRIVATE+KEY+"


def check_name(name: str) -> str:
    """Return a key's name; raises KeyRefused where it is empty or has a space, a plus sign or a control character."""
    if not name or any(char.isspace() or char == "+" or not char.isprintable() for char in name):
        msg = f"{name[:200]!r} cannot name a key; expected a URL without its scheme, with no space and no '+'"
        raise KeyRefused(msg)
    return name


def _key_id(name: str, kind: int, public: bytes) -> bytes:
    return sha256(name.encode() + b"\n" + bytes((kind,)) + public).digest()[:KEY_ID_BYTES]


@dataclass(frozen=True)
class VerifierKey:
    """A public key: its name, its kind (NOTE or COSIGNATURE) and its 32 bytes."""

    name: str
    kind: int
    public: bytes

    @cached_property
    def key_id(self) -> bytes:
        """The four bytes by which signatures name the key."""
        return _key_id(self.name, self.kind, self.public)

    @property
    def text(self) -> str:
        """The key as text (vkey): ``NAME+ID+BASE64``."""
        return f"{self.name}+{self.key_id.hex()}+{encode_base64(bytes((self.kind,)) + self.public)}"

    @classmethod
    def parse(cls, text: str, kind: int = NOTE) -> "VerifierKey":
        """Read a vkey of a kind; raises KeyRefused where it is malformed, of another kind, or its id does not fit."""
        shown = text[:200]
        name, key_id, encoded = _split(text, shown)
        found, public = _decode_key(encoded, shown)
        if found != kind:
            msg = f"the key {shown!r} is of kind {found}; expected {kind} ({_PURPOSES[kind]})"
            raise KeyRefused(msg)
        key = cls(check_name(name), kind, public)
        if key.key_id.hex() != key_id:
            msg = f"the key {shown!r} has the id {key_id}; expected {key.key_id.hex()}: a character of it was changed"
            raise KeyRefused(msg)
        return key

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's over the message."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - see above
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415

        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


_PURPOSES = {NOTE: "a log's key", COSIGNATURE: "a witness's key"}


def _split(text: str, shown: str) -> tuple[str, str, str]:
    parts = text.split("+", 2)
    if len(parts) != 3:  # noqa: PLR2004 - a name, an id and the key.
        msg = f"{shown!r} is not a key; expected NAME+ID+BASE64"
        raise KeyRefused(msg)
    name, key_id, encoded = parts
    return name, key_id, encoded


def _decode_key(encoded: str, shown: str) -> tuple[int, bytes]:
    try:
        value = decode_base64(encoded, "the key")
    except ProofRefused:
        value = b""
    if len(value) != 1 + KEY_BYTES:
        msg = f"{shown!r} is not a key; expected {1 + KEY_BYTES} bytes in base64 after its id"
        raise KeyRefused(msg)
    return value[0], value[1:]


@dataclass(frozen=True)
class SigningKey:
    """A private key: its name, its kind and the seed of 32 bytes, which no message and no ``repr`` shows."""

    name: str
    seed: bytes = field(repr=False)
    kind: int = NOTE

    @cached_property
    def verifier(self) -> VerifierKey:
        """The public half."""
        public = _private_key(self.seed).public_key().public_bytes_raw()
        return VerifierKey(self.name, self.kind, public)

    @property
    def text(self) -> str:
        """The private key as text; it goes to the key's file and nowhere else."""
        encoded = encode_base64(bytes((self.kind,)) + self.seed)
        return f"{_PRIVATE}{self.name}+{self.verifier.key_id.hex()}+{encoded}"

    @classmethod
    def generate(cls, name: str) -> "SigningKey":
        """Make a new key; raises KeyRefused where the name cannot be one."""
        return cls(check_name(name), secrets.token_bytes(KEY_BYTES))

    @classmethod
    def parse(cls, text: str, kind: int = NOTE) -> "SigningKey":
        """Read a private key; raises KeyRefused, without showing it, where it is malformed or its id does not fit."""
        shown = "the private key"
        if not text.startswith(_PRIVATE):
            msg = f"the text is not a private key; expected it to begin with {_PRIVATE}"
            raise KeyRefused(msg)
        name, key_id, encoded = _split(text.removeprefix(_PRIVATE), shown)
        found, seed = _decode_key(encoded, shown)
        key = cls(check_name(name), seed, kind)
        if found != kind or key.verifier.key_id.hex() != key_id:
            msg = f"the private key of {name} has kind {found} and id {key_id}; expected {kind} and the id of its public key"
            raise KeyRefused(msg)
        return key

    def sign(self, message: bytes) -> bytes:
        """Return the signature of 64 bytes over a message."""
        return _private_key(self.seed).sign(message)

    def named(self, name: str) -> "SigningKey":
        """Return the same key under another name, as a fork of a log uses it; raises KeyRefused for no name."""
        return SigningKey(check_name(name), self.seed, self.kind)


def _private_key(seed: bytes) -> "Ed25519PrivateKey":
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey  # noqa: PLC0415 - see above

    return Ed25519PrivateKey.from_private_bytes(seed)


def write_key_file(path: Path, key: SigningKey) -> None:
    """Write a private key to a new file that only its owner can read; raises KeyRefused where the file exists."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE), "w") as file:
            os.fchmod(file.fileno(), FILE_MODE)
            file.write(key.text + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        msg = f"the key cannot be written to {path}: {error.strerror}; expected a path where nothing is yet"
        raise KeyRefused(msg) from error


def read_key_file(path: Path) -> SigningKey:
    """Read a private key from its file; raises KeyRefused where others may read the file, or it holds no key."""
    try:
        with path.open("rb") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            raw = file.read(_FILE_BYTES_MAX)
    except OSError as error:
        msg = f"the log's key {path} cannot be read: {error.strerror}"
        raise KeyRefused(msg) from error
    if mode & 0o077:
        msg = f"the log's key {path} has mode {mode:04o}; expected {FILE_MODE:04o}. Others could sign with it: chmod 600 {path}"
        raise KeyRefused(msg)
    try:
        return SigningKey.parse(raw.decode().removesuffix("\n"))
    except (UnicodeDecodeError, KeyRefused) as error:
        why = error if isinstance(error, KeyRefused) else "it is not text"
        msg = f"the log's key {path} cannot be used: {why}"
        raise KeyRefused(msg) from error

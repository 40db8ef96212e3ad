"""How a published party file is kept: in a fact of the ledger, next to the log, because it has names and addresses.

The log has the digest of it alone. The random salt keeps that digest from telling anything of a party that was erased.
"""

import secrets
from hashlib import sha256

import msgspec

SALT_BYTES = 16
NONCE_LENGTH = 32


class PartyRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A party file's text, its logo (its bytes and its media type; none: empty), and the salt of the digest."""

    salt: str
    text: str
    logo: bytes = b""
    logo_type: str = ""

    @classmethod
    def of_text(cls, text: str, logo: bytes = b"", logo_type: str = "") -> "PartyRecord":
        """Return the record of a text, with a salt of its own."""
        return cls(salt=secrets.token_hex(SALT_BYTES), text=text, logo=logo, logo_type=logo_type)

    @staticmethod
    def fact_name(version: int) -> str:
        """Return the name of the fact that keeps a version."""
        return f"party_{version}"

    @property
    def digest(self) -> str:
        """The SHA-256 of the record, as the log's event has it."""
        return sha256(self.encode().encode()).hexdigest()

    def encode(self) -> str:
        """Return the record as it is kept."""
        return msgspec.json.encode(self).decode()

    def nonce(self, number: str) -> str:
        """Return what makes the digest of a numbered document say nothing to those who do not have the salt."""
        return sha256(f"{self.salt} {number}".encode()).hexdigest()[:NONCE_LENGTH]


def decode_party_record(kept: str) -> PartyRecord:
    """Read a record as it is kept."""
    return msgspec.json.decode(kept, type=PartyRecord)

"""What is raised where a proof, a signature or a key does not fit."""

from domain.errors import LedgerError


class ProofRefused(LedgerError):
    """A proof, checkpoint, note or tile does not hold; the message names what did not fit and what was expected."""


class KeyRefused(LedgerError):
    """A key cannot be used: its text is malformed, its file is readable by others, or its name differs."""

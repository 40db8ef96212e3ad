"""Tokens, and the digests that are kept of them.

A token has 256 random bits and cannot be guessed at any speed. A slow hash, made for passwords that people choose,
would only slow down every API request. The digest is keyed BLAKE2b; its key stays in the access store and also
signs session cookies.
"""

import hmac
import secrets
from hashlib import blake2b

TOKEN_PREFIX = "tl_"  # noqa: S105 - what scanners for leaked secrets know a token by
SIZE_BYTES = 32


def new_token() -> str:
    """Return a token for a user; its prefix lets scanners for leaked secrets recognise it."""
    return TOKEN_PREFIX + secrets.token_urlsafe(SIZE_BYTES)


def new_name() -> str:
    """Return an unguessable name for a session or a link."""
    return secrets.token_urlsafe(SIZE_BYTES)


class KeyedDigest:
    """Makes digests with a key. Each has a purpose; a digest for one purpose is useless for another."""

    def __init__(self, key: bytes) -> None:
        """Use a key."""
        self._key = key

    def digest(self, purpose: str, text: str) -> bytes:
        """Return the digest of a text for a purpose of at most 16 letters."""
        data = text.encode(errors="surrogatepass")
        return blake2b(data, digest_size=SIZE_BYTES, key=self._key, person=purpose.encode()).digest()

    def signed(self, text: str) -> str:
        """Return a text, which must not contain a dot, with its signature."""
        return f"{text}.{self.digest('cookie', text).hex()}"

    def unsigned(self, signed: str) -> str | None:
        """Return the text of what ``signed`` returned, or None if it was changed."""
        text, _, signature = signed.partition(".")
        is_ours = hmac.compare_digest(signature.encode(), self.digest("cookie", text).hex().encode())
        return text if is_ours else None

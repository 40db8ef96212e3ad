"""Tokens, and the digests that are kept of them.

A token has 256 random bits, so that nobody guesses one, however fast: a slow hash, made for passwords that people choose,
would only slow down every call of the API. The digest is keyed BLAKE2b; the key stays in the access store, and is what
signs session cookies, too.
"""

import hmac
import secrets
from hashlib import blake2b

TOKEN_PREFIX = "tl_"  # noqa: S105 - what scanners for leaked secrets know a token by
SIZE_BYTES = 32


def new_token() -> str:
    """Return a token for a user: what scanners for leaked secrets can know by its beginning."""
    return TOKEN_PREFIX + secrets.token_urlsafe(SIZE_BYTES)


def new_name() -> str:
    """Return an unguessable name for a session or a link."""
    return secrets.token_urlsafe(SIZE_BYTES)


class KeyedDigest:
    """Makes digests with a key, each for a purpose: one for another purpose is of no use."""

    def __init__(self, key: bytes) -> None:
        """Take the key."""
        self._key = key

    def digest(self, purpose: str, text: str) -> bytes:
        """Return the digest of a text for a purpose of at most 16 letters."""
        data = text.encode(errors="surrogatepass")
        return blake2b(data, digest_size=SIZE_BYTES, key=self._key, person=purpose.encode()).digest()

    def signed(self, text: str) -> str:
        """Return a text, without a dot in it, with its signature."""
        return f"{text}.{self.digest('cookie', text).hex()}"

    def unsigned(self, signed: str) -> str | None:
        """Return the text of what ``signed`` has returned, or None."""
        text, _, signature = signed.partition(".")
        is_ours = hmac.compare_digest(signature.encode(), self.digest("cookie", text).hex().encode())
        return text if is_ours else None

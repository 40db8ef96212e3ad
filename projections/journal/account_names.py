"""Names of accounts in a journal: valid in every program, and different for different accounts.

The strictest program accepts ASCII letters, digits and hyphens, after a capital. Most tags consist of these and stay
readable. For all others, the valid part is followed by a digest of the whole text.
"""

import hashlib
import re
from functools import lru_cache

VERBATIM, DIGESTED = "A-", "X-"
DIGEST_LENGTH = 16
SLUG_LENGTH_MAX = 40

_PLAIN = re.compile(r"[A-Za-z0-9-]{1,256}")
_OTHER = re.compile(r"[^A-Za-z0-9]+")


@lru_cache(maxsize=4096)
def account_component(account: str) -> str:
    """Return the last part of an account's name, such as ``A-acme-000123``."""
    if _PLAIN.fullmatch(account):
        return VERBATIM + account
    slug = _OTHER.sub("-", account).strip("-")[:SLUG_LENGTH_MAX]
    digest = hashlib.sha256(account.encode(errors="surrogatepass")).hexdigest()[:DIGEST_LENGTH]
    return DIGESTED + (f"{slug}-{digest}" if slug else digest)

"""Who acts, and why: nothing is corrected without both."""

import msgspec

from domain.errors import CommandRejected

BY_MAX, REASON_MAX = 256, 2000


class Author(msgspec.Struct, frozen=True):
    """Who acts, and why: both are kept with the act for ever."""

    by: str
    reason: str

    def check(self) -> None:
        """Raise CommandRejected unless both are there and of a sensible length."""
        for name, text, most in (("by", self.by, BY_MAX), ("reason", self.reason, REASON_MAX)):
            if not text.strip() or len(text) > most or "\0" in text:
                msg = f"{name} is {text[:50]!r}: expected 1 to {most} characters that say who or why"
                raise CommandRejected(msg)

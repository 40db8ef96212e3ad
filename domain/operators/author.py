"""The author of an operator event: no correction is made without a name and a reason."""

import msgspec

from domain.errors import CommandRejected

BY_MAX, REASON_MAX = 256, 2000


class Author(msgspec.Struct, frozen=True):
    """An operator's name and reason, kept permanently with the event."""

    by: str
    reason: str

    def check(self) -> None:
        """Raise CommandRejected if a text is empty, too long, or has a character U+0000."""
        for name, text, most in (("by", self.by, BY_MAX), ("reason", self.reason, REASON_MAX)):
            if not text.strip() or len(text) > most or "\0" in text:
                msg = f"{name} is {text[:50]!r}; expected 1 to {most} characters that say who or why"
                raise CommandRejected(msg)

"""A stored event with its position, the form in which readers get the log."""

from typing import NamedTuple

POSITION_MAX = (1 << 63) - 1


class LogRow(NamedTuple):
    """A stored event and its position."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes

    @property
    def stream_id(self) -> str:
        """The stream's id, written as a UUID; for a call's stream this is the call's id."""
        digits = self.stream
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

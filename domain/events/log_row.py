"""A stored event with its position, as every reader of the log gets it."""

from typing import NamedTuple

POSITION_MAX = (1 << 63) - 1


class LogRow(NamedTuple):
    """A stored event and its position: what every reader of the log gets."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes

    @property
    def stream_id(self) -> str:
        """The stream's id as UUIDs are written; a call's id, where the stream is a call's."""
        hexadecimal = self.stream
        parts = (hexadecimal[:8], hexadecimal[8:12], hexadecimal[12:16], hexadecimal[16:20], hexadecimal[20:])
        return "-".join(parts)

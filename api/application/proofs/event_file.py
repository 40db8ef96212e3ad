"""An event as a file: what a proof is verified against, and what bundles hold, one a line."""

import msgspec

from domain.events.log_row import LogRow
from domain.proofs.entry import EventFields
from domain.proofs.refusals import ProofRefused


class EventFile(msgspec.Struct, frozen=True):
    """An event as it is stored, as a line of JSON; ``state`` are the stored bytes, in base64 in the file."""

    position: int
    stream: str
    version: int
    topic: str
    state: bytes

    @property
    def fields(self) -> EventFields:
        """The event's values, as its entry is made of them."""
        return self.position, self.stream, self.version, self.topic, self.state


def encode_event(row: LogRow) -> bytes:
    """Return an event as a line of JSON."""
    return msgspec.json.encode(EventFile(*row)) + b"\n"


def decode_event(raw: bytes) -> EventFields:
    """Read an event from JSON; raises ProofRefused where it is none."""
    try:
        return msgspec.json.decode(raw, type=EventFile).fields
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        msg = f"the event is not readable: {error}; expected JSON with position, stream, version, topic and state"
        raise ProofRefused(msg) from error

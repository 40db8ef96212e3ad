"""The streams of the log: their ids follow from their subjects (SPEC 4, 6)."""

from functools import lru_cache
from uuid import NAMESPACE_DNS, UUID, uuid5

import msgspec

from domain.notices.call_notice import LineKey

NAMESPACE = uuid5(NAMESPACE_DNS, "tringledger")


_encode = msgspec.json.Encoder().encode


@lru_cache(maxsize=4096)  # The notices of a call are received close together.
def call_id(line: LineKey, ordinal: int) -> UUID:
    """Return the id of a line's call, which is also the id of its stream (SPEC 6)."""
    return uuid5(NAMESPACE, _encode((*line, ordinal)).decode())


def line_key(line: LineKey) -> str:
    """Return a line as compact JSON, the key of its calls in a store."""
    return _encode(line).decode()


def stream_id(kind: str, subject: str = "") -> UUID:
    """Return the id of a stream of notices that belong to no call: of a mailbox, of a channel's number, or unrecognised."""
    return uuid5(NAMESPACE, _encode((kind, subject)).decode())


# The streams of operator events that concern neither a call nor an account.
TARIFFS = stream_id("tariffs")


CLOSINGS = stream_id("closings")


RESOLUTIONS = stream_id("resolutions")


FORKS = stream_id("forks")


PARTIES = stream_id("parties")


NUMBERS = stream_id("numbers")


def account_stream(account: str) -> UUID:
    """Return the id of the stream of an account's adjustments."""
    return stream_id("account", account)

"""What is particular to an act, as texts: amounts in cents, lists as JSON; who, when and why are told beside it."""

import msgspec

from domain.amounts import plain
from domain.events.operator_events import Act

AMOUNTS = ("amount",)
COMMON = ("v", "recorded_at", "by", "reason")


def told(act: Act) -> dict[str, str]:
    """Return an act's own fields and what they say."""
    return {name: text(name, value) for name, value in msgspec.to_builtins(act).items() if name not in COMMON}


def text(name: str, value: object) -> str:
    """Return what one field of an act says."""
    if name in AMOUNTS:
        assert isinstance(value, int)
        return plain(value)
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()

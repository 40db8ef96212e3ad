"""A sample notification, to try an integration: what TringMe would send, with defaults for everything not given."""

import secrets

from api.settings import Settings
from domain.events.notice_events import EVENTS
from domain.notices import statuses
from domain.notices.signature import UNCHECKED, sign

CALL_STATUS = "callstatus"
TAG, SYSTEM_TAG, SRC = "trigger", "TRINGME", "12025550123"
NONCE_BELOW = 2**31
# As TringMe's page documents each type; the phone number is from the range reserved for fiction.
DEFAULTS: dict[str, dict[str, str]] = {
    "cdr": {"srcduration": "65", "destduration": "60", "srccharge": "1.3", "destcharge": "2.4"},
    "voicemail": {"email": "user@example.com", "voicemail": "message.wav"},
}
SYSTEM_TYPES = ("voicemail", "deletechannel")
OTHER_TYPES = tuple(kind for kind in EVENTS if kind != CALL_STATUS)
KNOWN = (*statuses.OPENINGS, *statuses.OUTCOMES, *statuses.INPUTS, *OTHER_TYPES)

Pairs = list[tuple[str, str]]


def sample_parameters(status: str, kind: str | None, given: Pairs) -> Pairs:
    """Return a notification's parameters without ``sig``.

    ``status`` is one of SPEC 5's, or a type that needs none; ``kind`` is the type where it does not follow from that;
    given values replace defaults, or are added.
    """
    is_type = status in OTHER_TYPES
    kind = kind if kind is not None else status if is_type else CALL_STATUS
    usual = {"f": "tm", "type": kind}
    if not is_type:
        usual["status"] = status
    usual |= {"tag": SYSTEM_TAG if kind in SYSTEM_TYPES else TAG, "src": SRC, "r": new_nonce()}
    if status in statuses.INPUTS:
        usual["p"] = "1"
    return list((usual | DEFAULTS.get(kind, {}) | dict(given)).items())


def new_nonce() -> str:
    """Return a value for ``r``, by which two signed requests with the same contents differ."""
    return str(secrets.randbelow(NONCE_BELOW))


def sign_parameters(settings: Settings, pairs: Pairs) -> Pairs:
    """Return the parameters with ``sig``, unless they have one or signatures are not checked; raises InvalidSetting without a key."""
    if settings.signature == UNCHECKED or "sig" in dict(pairs):
        return pairs
    return sign(settings.signature, pairs, settings.needed_keys()[0])

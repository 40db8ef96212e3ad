"""What the signature of a recorded notice is worth: as it was found when it came, and checked again now with today's keys.

Notices are kept as they came, so the check can be made at any time; a key that was rotated out since is told from a
parameter that was altered by what was noted when it came.
"""

from typing import NamedTuple

from api.settings import Settings
from domain.events.notice_events import Notice
from domain.notices.signature import FORMULAS, UNCHECKED, UNSIGNED, Keyring, SignatureVerdict, fingerprint


class SignatureCheck(NamedTuple):
    """What was found then and what is found now, as sentences; ``fits`` is None where there is nothing to check with."""

    then: str
    now: str
    fits: bool | None


def check_signature(notice: Notice, settings: Settings) -> SignatureCheck:
    """Check a notice's signature again with the keys that are active now, by the formula that it was recorded with."""
    return SignatureCheck(_then(notice), *_now(notice, settings))


def _then(notice: Notice) -> str:
    if notice.formula == UNCHECKED:
        return "Nobody looked: signatures were not checked."
    if notice.formula == UNSIGNED:
        voucher = notice.voucher
        vouched = f" {voucher.by} vouches for it: {voucher.reason} ({voucher.row})." if voucher else ""
        return f"It came without one.{vouched}"
    return f"It fitted: {notice.formula}, key {notice.key}."


def _now(notice: Notice, settings: Settings) -> tuple[str, bool | None]:
    if not any(name == "sig" for name, _ in notice.params):
        return "There is no signature to check.", None
    if not settings.private_keys:
        return "No private key is set, so it cannot be checked.", None
    formula = notice.formula if notice.formula in FORMULAS else settings.signature
    if formula not in FORMULAS:
        return "Signatures are not checked now (TRINGLEDGER_SIGNATURE=off).", None
    found = Keyring(formula, settings.private_keys).verify(notice.params)
    if found:
        return _fitting(found, notice), True
    known = {fingerprint(key) for key in settings.private_keys}
    if notice.key and notice.key not in known:
        return f"No active key fits; key {notice.key}, which did, is not among them any more.", None
    return f"It does not fit: {formula}, with each of the active keys.", False


def _fitting(found: SignatureVerdict, notice: Notice) -> str:
    same = " as when it came" if (found.formula, found.key) == (notice.formula, notice.key) else ""
    return f"It fits{same}: {found.formula}, key {found.key}."

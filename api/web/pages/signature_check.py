"""The signature of a recorded notice: as verified when it was received, and verified again now with today's keys.

Notices are kept verbatim, so the check can be repeated at any time. What was recorded at first tells a key that was
rotated since from a parameter that was altered.
"""

from typing import NamedTuple

from api.settings import Settings
from domain.events.notice_events import Notice
from domain.notices.signature import FORMULAS, UNCHECKED, UNSIGNED, Keyring, SignatureVerdict, fingerprint


class SignatureCheck(NamedTuple):
    """The two results, as sentences; ``fits`` is None if there is nothing to check with."""

    then: str
    now: str
    fits: bool | None


def check_signature(notice: Notice, settings: Settings) -> SignatureCheck:
    """Verify a notice's signature again with the active keys, by the formula that it was recorded with."""
    return SignatureCheck(_then(notice), *_now(notice, settings))


def _then(notice: Notice) -> str:
    if notice.formula == UNCHECKED:
        return "Signatures were not checked."
    if notice.formula == UNSIGNED:
        voucher = notice.voucher
        vouched = f" {voucher.by} vouches for it: {voucher.reason} ({voucher.row})." if voucher else ""
        return f"It had no signature.{vouched}"
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

"""Signatures: the named formulas by which TringMe may sign, and the active keys (SPEC 3).

TringMe's page names ``sig`` and ``r`` and gives no formula, so the formula is a setting, by one of the names here.
"""

import hashlib
import hmac
from collections.abc import Callable, Sequence
from operator import itemgetter

import msgspec

Pairs = Sequence[tuple[str, str]]

UNCHECKED = "off"
UNSIGNED = "unsigned"


class SignatureVerdict(msgspec.Struct, frozen=True):
    """How a notification was found authentic: by which formula, and with which key (its fingerprint).

    The formula ``off`` means that signatures are not checked, ``unsigned`` that a voucher replaces the signature.
    """

    formula: str
    key: str

    @property
    def was_checked(self) -> bool:
        """Whether a signature was checked and fitted."""
        return self.formula not in (UNCHECKED, UNSIGNED)


_by_name = itemgetter(0)


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _name(pair: tuple[str, str]) -> bytes:
    return _bytes(pair[0])


def _text(pairs: Pairs, separator: str) -> bytes:
    text = separator.join([f"{name}={value}" for name, value in sorted(pairs, key=_by_name) if name != "sig"])
    if not text.isascii():
        # The bytes of the names decide; names that are not UTF-8 sort differently as characters.
        text = separator.join([f"{name}={value}" for name, value in sorted(pairs, key=_name) if name != "sig"])
    return _bytes(text)


def _r(pairs: Pairs) -> bytes | None:
    return next((_bytes(value) for name, value in pairs if name == "r"), None)


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _md5_params(pairs: Pairs, key: bytes) -> str:
    return _md5(_text(pairs, "") + key)


def _md5_r_key(pairs: Pairs, key: bytes) -> str | None:
    r = _r(pairs)
    return None if r is None else _md5(r + key)


def _md5_key_r(pairs: Pairs, key: bytes) -> str | None:
    r = _r(pairs)
    return None if r is None else _md5(key + r)


def _hmac_sha256_params(pairs: Pairs, key: bytes) -> str:
    return hmac.digest(key, _text(pairs, "&"), "sha256").hex()


FORMULAS: dict[str, Callable[[Pairs, bytes], str | None]] = {
    "md5-params": _md5_params,
    "md5-r-key": _md5_r_key,
    "md5-key-r": _md5_key_r,
    "hmac-sha256-params": _hmac_sha256_params,
}
COVERS_ONLY_R = ("md5-r-key", "md5-key-r")
_COVERS_NO_CONTENT = frozenset((UNCHECKED, UNSIGNED, *COVERS_ONLY_R))
# How the reason of a quarantined notice begins whose signature another one has used (SPEC 9.3): by it they are found.
SIGNATURE_REUSED = "this signature came before, at position "


# How the reason of a quarantined notice begins whose signature fits a retired key or another formula (SPEC 9.5).
SIGNATURE_FITS_ELSEWHERE = "this signature fits "


def covers_content(formula: str) -> bool:
    """Whether a signature of a stored formula covers what the notification says, and not its nonce alone."""
    return formula not in _COVERS_NO_CONTENT


def digest(formula: str, pairs: Pairs, key: str) -> str | None:
    """Return the signature, in lower-case hexadecimal digits, that a formula gives for these parameters.

    None where the formula needs ``r`` and the parameters have none.
    """
    return FORMULAS[formula](pairs, key.encode())


def sign(formula: str, pairs: Pairs, key: str) -> list[tuple[str, str]]:
    """Return the parameters followed by ``sig``, as TringMe sends them; raises ValueError if ``r`` is missing but needed."""
    signed = digest(formula, pairs, key)
    if signed is None:
        msg = f"the formula {formula} needs the parameter r"
        raise ValueError(msg)
    return [*pairs, ("sig", signed)]


def fingerprint(key: str) -> str:
    """Return eight hexadecimal digits that identify a private key without revealing it."""
    return hashlib.sha256(b"tringledger key " + key.encode()).hexdigest()[:8]


class Keyring:
    """The active private keys and the formula that TringMe signs with; several keys while one replaces another."""

    def __init__(self, formula: str, keys: Sequence[str] = (), retired: Sequence[str] = ()) -> None:
        """Use a formula, by its name (or ``off``), and keys; raises ValueError for an unknown name or a missing key.

        ``retired`` keys are never accepted: what fits one of them is only told apart from what fits nothing.
        """
        if formula != UNCHECKED and formula not in FORMULAS:
            msg = f"{formula!r} is not a signature formula: expected one of {', '.join([*FORMULAS, UNCHECKED])}"
            raise ValueError(msg)
        if formula != UNCHECKED and not (keys and all(keys)):
            msg = f"the formula {formula} needs a private key"
            raise ValueError(msg)
        self.formula = formula
        self._keys = [(key.encode(), SignatureVerdict(formula, fingerprint(key))) for key in keys]
        self._retired = [(key.encode(), fingerprint(key)) for key in retired]
        self._unchecked = SignatureVerdict(UNCHECKED, "")

    def verify(self, pairs: Pairs) -> SignatureVerdict | None:
        """Return the verdict on a signature, or None if ``sig`` is missing, doubled or wrong.

        Compared in constant time, the hexadecimal digits in either case.
        """
        if self.formula == UNCHECKED:
            return self._unchecked
        given = [value for name, value in pairs if name == "sig"]
        if len(given) != 1 or not given[0].isascii():
            return None
        signature = given[0].lower()
        formula = FORMULAS[self.formula]
        fitting = None
        for key, verdict in self._keys:
            expected = formula(pairs, key)
            if _equals(expected, signature):
                fitting = verdict
        return fitting

    def verify_earlier(self, pairs: Pairs) -> SignatureVerdict | None:
        """Return the verdict on a signature that fitted when it came, a while ago: the key may have been retired since."""
        given = [value for name, value in pairs if name == "sig"]
        fitting = self.verify(pairs)
        if fitting is None and len(given) == 1 and given[0].isascii():
            for key, printed in self._retired:
                if _equals(FORMULAS[self.formula](pairs, key), given[0].lower()):
                    fitting = SignatureVerdict(self.formula, printed)
        return fitting

    def explain_misfit(self, pairs: Pairs) -> str:
        """Return what a signature that does not fit fits instead, as a sentence; empty where that is nothing known.

        That is a retired key, or another named formula with an active key: so a wrong key is told apart from a wrong formula.
        """
        given = [value for name, value in pairs if name == "sig"]
        if len(given) != 1 or not given[0].isascii():
            return ""
        signature = given[0].lower()
        for key, printed in self._retired:
            if _equals(FORMULAS[self.formula](pairs, key), signature):
                return f"{SIGNATURE_FITS_ELSEWHERE}the retired key {printed}: expected an active key"
        for name, formula in FORMULAS.items():
            for key, verdict in self._keys if name != self.formula else ():
                if _equals(formula(pairs, key), signature):
                    return f"{SIGNATURE_FITS_ELSEWHERE}the formula {name} with the key {verdict.key}: expected {self.formula}"
        return ""


def _equals(expected: str | None, signature: str) -> bool:
    return expected is not None and hmac.compare_digest(expected, signature)

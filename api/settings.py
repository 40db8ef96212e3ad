"""The settings: the one place that reads the environment, once, and refuses what it cannot use (names it, and why)."""

import ipaddress
import os
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from api import urls as addresses
from domain import times
from domain.calls import correlation
from domain.calls.correlation import CorrelationWindow
from domain.errors import UnknownStore, WrongUsage
from domain.ledger_options import QUARANTINE_MAX, Terms
from domain.log import open as address
from domain.log import urls
from domain.notices.signature import FORMULAS, UNCHECKED, Keyring

DIGITS_MAX = 9
INJECTED = ("TRINGLEDGER_PORT", "TRINGLEDGER_SERVICE_")


class InvalidSetting(WrongUsage):
    """A setting has a value that cannot be used; the message names it, its value and what was expected."""


class Setting(NamedTuple):
    """One setting: its name in the environment, its default as text, what it is for, and how its text is read."""

    name: str
    default: str
    meaning: str
    read: Callable[[str], Any]


def _store(text: str) -> str:
    try:
        address.check_url(text)
    except UnknownStore:
        raise ValueError(urls.EXPECTED) from None
    return text


def _keys(text: str) -> tuple[str, ...]:
    return tuple(key.strip() for key in text.split(",") if key.strip())


def _one_of(*choices: str) -> Callable[[str], str | None]:
    def read(text: str) -> str | None:
        if text and text not in choices:
            msg = f"one of {', '.join(choices)}"
            raise ValueError(msg)
        return text or None

    return read


def _timezone(text: str) -> str | None:
    if text:
        try:
            times.zone(text)
        except ValueError:
            raise ValueError("an IANA time zone such as UTC or Europe/Berlin") from None
    return text or None


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit() and len(text) <= DIGITS_MAX and int(text) >= least):
            msg = f"a whole number, at least {least} and at most {'9' * DIGITS_MAX}"
            raise ValueError(msg)
        return int(text)

    return read


def _path(text: str) -> str:
    if not text.startswith("/") or text == "/health" or any(character in text for character in "?#{} "):
        raise ValueError("a path such as /notify")
    return text


def _proxies(text: str) -> tuple[str, ...]:
    given = tuple(each.strip() for each in text.split(","))
    for each in given:
        try:
            ipaddress.ip_network(each)
        except ValueError:
            raise ValueError("addresses or networks, separated by commas, such as 10.0.0.5 or 10.0.0.0/24") from None
    return given


def _api_url(text: str) -> str:
    if "?" in text or "@" in text:
        raise ValueError("an address without query, user and password")
    return addresses.check_url(text)


def _forward_url(text: str) -> str | None:
    return addresses.check_url(text) if text else None


SETTINGS = (
    Setting("TRINGLEDGER_STORE", "sqlite:///tringledger.db", "Where the ledger is: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.", _store),
    Setting(
        "TRINGME_PRIVATE_KEY", "", "TringMe's private key; several, separated by commas, while one replaces another.", _keys
    ),
    Setting(
        "TRINGLEDGER_SIGNATURE",
        "md5-params",
        "The signature's formula: `md5-params`, `md5-r-key`, `md5-key-r`, `hmac-sha256-params`, or `off` (not checked).",
        _one_of(*FORMULAS, UNCHECKED),
    ),
    Setting(
        "TRINGLEDGER_CORRELATION",
        "",
        "What tells one line from another: `tag-src`, or `tag` where tags are unique per call. Written into the ledger"
        " when it is created (then `tag-src` by default); a value that differs later is refused.",
        _one_of(*correlation.CORRELATIONS),
    ),
    Setting(
        "TRINGLEDGER_TIMEZONE",
        "",
        "The billing time zone, an IANA name. Written into the ledger when it is created (then `UTC` by default); a value"
        " that differs later is refused.",
        _timezone,
    ),
    Setting("TRINGLEDGER_GRACE_SECONDS", "300", "How near a notice must be to a call to join it as a matter of course.", _whole(0)),
    Setting(
        "TRINGLEDGER_MAX_AGE_SECONDS",
        "86400",
        "How long a call may be silent and still be joined; one in progress that is silent for longer shows as stale.",
        _whole(0),
    ),
    Setting(
        "TRINGLEDGER_QUARANTINE_MAX",
        str(QUARANTINE_MAX),
        "How many notices with a wrong signature are kept; the oldest go first.",
        _whole(1),
    ),
    Setting("TRINGLEDGER_NOTIFY_PATH", "/notify", "The path that TringMe calls.", _path),
    Setting(
        "TRINGLEDGER_TRUSTED_PROXIES",
        "127.0.0.1,::1",
        "The proxies, as addresses or networks, whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed.",
        _proxies,
    ),
    Setting(
        "TRINGLEDGER_FORWARD_URL",
        "",
        "The handler that you had before: every accepted notification is handed on to it.",
        _forward_url,
    ),
    Setting("TRINGLEDGER_QUEUE_MAX", "10000", "How many callbacks may wait to be written; beyond, they get 503.", _whole(1)),
    Setting("TRINGME_API_URL", "http://api.tringme.com/api.php", "Where TringMe's API is, for `register`.", _api_url),
    Setting("TRINGME_API_KEY", "", "TringMe's public API key, for `register`.", str),
    Setting(
        "TRINGME_API_SIGNATURE",
        "md5-params",
        "The formula by which `register` signs: one of those of `TRINGLEDGER_SIGNATURE`, except `off`.",
        _one_of(*FORMULAS),
    ),
)  # fmt: skip


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings as values: seconds and counts as whole numbers, None where the ledger's own value is to be taken."""

    store: str
    private_keys: tuple[str, ...]
    signature: str
    correlation: str | None
    timezone: str | None
    grace_seconds: int
    max_age_seconds: int
    quarantine_max: int
    notify_path: str
    trusted_proxies: tuple[str, ...]
    forward_url: str | None
    queue_max: int
    api_url: str
    api_key: str
    api_signature: str
    signature_is_explicit: bool

    @property
    def creates(self) -> bool:
        """Whether a command that records creates a ledger that is missing; in PostgreSQL somebody migrates first."""
        return not urls.is_postgres(self.store)

    @property
    def ledger_options(self) -> Terms:
        """On what terms the ledger is to be opened."""
        reach = CorrelationWindow(self.grace_seconds * times.SECOND, self.max_age_seconds * times.SECOND)
        return Terms(self.correlation, self.timezone, reach, self.quarantine_max)

    def keyring(self) -> Keyring:
        """Return the active keys; raises InvalidSetting where the formula needs a private key and there is none."""
        if self.signature != UNCHECKED and not self.private_keys:
            msg = (
                "TRINGME_PRIVATE_KEY is not set: expected TringMe's private key (or TRINGLEDGER_SIGNATURE=off, to take"
                " notifications from anybody)"
            )
            raise InvalidSetting(msg)
        return Keyring(self.signature, () if self.signature == UNCHECKED else self.private_keys)

    def needed_keys(self) -> tuple[str, ...]:
        """Return the private keys, of which the first signs what we send; raises InvalidSetting where there is none."""
        if not self.private_keys:
            raise InvalidSetting("TRINGME_PRIVATE_KEY is not set: expected TringMe's private key, which signs")
        return self.private_keys


_FIELDS = {
    "TRINGLEDGER_STORE": "store",
    "TRINGME_PRIVATE_KEY": "private_keys",
    "TRINGLEDGER_SIGNATURE": "signature",
    "TRINGLEDGER_CORRELATION": "correlation",
    "TRINGLEDGER_TIMEZONE": "timezone",
    "TRINGLEDGER_GRACE_SECONDS": "grace_seconds",
    "TRINGLEDGER_MAX_AGE_SECONDS": "max_age_seconds",
    "TRINGLEDGER_QUARANTINE_MAX": "quarantine_max",
    "TRINGLEDGER_NOTIFY_PATH": "notify_path",
    "TRINGLEDGER_TRUSTED_PROXIES": "trusted_proxies",
    "TRINGLEDGER_FORWARD_URL": "forward_url",
    "TRINGLEDGER_QUEUE_MAX": "queue_max",
    "TRINGME_API_URL": "api_url",
    "TRINGME_API_KEY": "api_key",
    "TRINGME_API_SIGNATURE": "api_signature",
}


def load_settings(environment: Mapping[str, str] = os.environ, store: str | None = None) -> Settings:
    """Read all settings; an empty one has its default, and ``store`` (a command's option) goes before the environment's.

    Raises InvalidSetting.
    """
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        text = environment.get(setting.name, "").strip() or setting.default
        values[_FIELDS[setting.name]] = _read(setting.name, setting.read, text)
    if store:
        values["store"] = _read("--store", _store, store)
    _check_known(environment)
    if values["max_age_seconds"] < values["grace_seconds"]:
        msg = (
            f"TRINGLEDGER_MAX_AGE_SECONDS={values['max_age_seconds']} cannot be used: expected at least"
            f" TRINGLEDGER_GRACE_SECONDS={values['grace_seconds']}"
        )
        raise InvalidSetting(msg)
    return Settings(**values, signature_is_explicit=bool(environment.get("TRINGLEDGER_SIGNATURE", "").strip()))


def _read(name: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        msg = f"{name}={urls.redacted(text)!r} cannot be used: expected {error}"
        raise InvalidSetting(msg) from None


def _check_known(environment: Mapping[str, str]) -> None:
    """Refuse a misspelt setting: it would else be silently without effect."""
    known = {setting.name for setting in SETTINGS}
    for name in environment:
        # Kubernetes puts two families of such names into the environment of whatever runs beside a service "tringledger".
        if name.startswith("TRINGLEDGER_") and name not in known and not name.startswith(INJECTED):
            msg = f"{name} is no setting: expected one of {', '.join(sorted(known))}"
            raise InvalidSetting(msg)

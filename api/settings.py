"""The settings. Only this module reads the environment; it refuses values that cannot be used, and says why."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from api import secret_files
from api.secret_files import SecretUnusable
from api.setting_readers import ListenAddress, read_store
from api.setting_table import SETTINGS, Setting
from domain import times
from domain.calls.correlation import CorrelationWindow
from domain.errors import WrongUsage
from domain.ledger_options import LedgerOptions
from domain.log import urls
from domain.notices.signature import UNCHECKED, Keyring, fingerprint

INJECTED = ("TRINGLEDGER_PORT", "TRINGLEDGER_SERVICE_")


class InvalidSetting(WrongUsage):
    """A setting has a value that cannot be used; the message names it, its value and what was expected."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings as values: seconds and counts as whole numbers, None where the ledger's own value is to be taken."""

    store: str
    private_keys: tuple[str, ...]
    retired_keys: tuple[str, ...]
    signature: str
    correlation: str | None
    timezone: str | None
    grace_seconds: int
    max_age_seconds: int
    quarantine_max: int
    quarantine_bytes: int
    suspect_days: int
    notify_path: str
    samples: Path | None
    half_open_max: int
    trusted_proxies: tuple[str, ...]
    forward_url: str | None
    log_key: Path | None
    origin: str | None
    checkpoint_seconds: int
    witnesses: tuple[str, ...]
    spool: Path | None
    spool_max_bytes: int
    metrics: ListenAddress | None
    log_format: str
    log_level: str
    queue_max: int
    connections_max: int
    api_url: str
    api_key: str
    api_signature: str

    @property
    def creates(self) -> bool:
        """Whether recording commands create a missing ledger; in PostgreSQL only ``migrate`` does."""
        return not urls.is_postgres(self.store)

    @property
    def ledger_options(self) -> LedgerOptions:
        """The options to open the ledger with."""
        reach = CorrelationWindow(self.grace_seconds * times.SECOND, self.max_age_seconds * times.SECOND)
        return LedgerOptions(
            self.correlation,
            self.timezone,
            reach,
            self.quarantine_max,
            self.quarantine_bytes,
            self.suspect_days,
            self.connections_max,
        )

    def keyring(self) -> Keyring:
        """Return the active keys; raises InvalidSetting if the formula needs a private key and none is set."""
        if self.signature != UNCHECKED and not self.private_keys:
            msg = (
                "TRINGME_PRIVATE_KEY is not set: expected TringMe's private key (or TRINGLEDGER_SIGNATURE=off, to accept"
                " notifications from anyone)"
            )
            raise InvalidSetting(msg)
        return Keyring(self.signature, () if self.signature == UNCHECKED else self.private_keys, self.retired_keys)

    def needed_keys(self) -> tuple[str, ...]:
        """Return the private keys, of which the first signs our requests; raises InvalidSetting if none is set."""
        if not self.private_keys:
            raise InvalidSetting("TRINGME_PRIVATE_KEY is not set: expected TringMe's private key, which signs")
        return self.private_keys


def load_settings(environment: Mapping[str, str] = os.environ, store: str | None = None) -> Settings:
    """Read all settings; an empty one has its default, and ``store`` (a command's option) goes before the environment's.

    Raises InvalidSetting.
    """
    values: dict[str, Any] = {}
    for setting in SETTINGS:
        values[setting.field] = _value(environment, setting)
    if store:
        values["store"] = _read("--store", read_store, store)
    _check_known(environment)
    if values["max_age_seconds"] < values["grace_seconds"]:
        msg = (
            f"TRINGLEDGER_MAX_AGE_SECONDS={values['max_age_seconds']} cannot be used: expected at least"
            f" TRINGLEDGER_GRACE_SECONDS={values['grace_seconds']}"
        )
        raise InvalidSetting(msg)
    if both := set(values["private_keys"]) & set(values["retired_keys"]):
        printed = ", ".join(sorted(map(fingerprint, both)))
        msg = f"TRINGME_RETIRED_KEYS has the key {printed}, which is in TRINGME_PRIVATE_KEY, too: expected it in one of them"
        raise InvalidSetting(msg)
    return Settings(**values)


def with_current_keys(settings: Settings, environment: Mapping[str, str] | None = None) -> Settings:
    """Return settings with TringMe's keys as the environment and its files have them now; raises InvalidSetting."""
    read = load_settings(os.environ if environment is None else environment, settings.store)
    current = msgspec.structs.replace(settings, private_keys=read.private_keys, retired_keys=read.retired_keys)
    current.keyring()  # Raises where there is no key.
    return current


def _value(environment: Mapping[str, str], setting: Setting) -> Any:
    try:
        secret = secret_files.secret_text(environment, setting.name) if setting.is_secret else None
    except SecretUnusable as error:
        raise InvalidSetting(str(error)) from None
    if secret is None:
        text = environment.get(setting.name, "").strip() or setting.default
        return _read(setting.name, setting.read, text)
    try:
        return setting.read(secret)
    except ValueError as error:
        raise InvalidSetting(secret_files.refusal_of_content(environment, setting.name, str(error))) from None


def _read(name: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        msg = f"{name}={urls.redacted(text)!r} cannot be used: expected {error}"
        raise InvalidSetting(msg) from None


def _check_known(environment: Mapping[str, str]) -> None:
    """Refuse misspelt settings, which would have no effect otherwise."""
    secrets = {setting.name for setting in SETTINGS if setting.is_secret}
    try:
        secret_files.check_names(environment, secrets)
    except SecretUnusable as error:
        raise InvalidSetting(str(error)) from None
    known = {setting.name for setting in SETTINGS} | {name + secret_files.SUFFIX for name in secrets}
    for name in environment:
        # Kubernetes sets these variables for every pod in the namespace of a service called "tringledger".
        if name.startswith("TRINGLEDGER_") and name not in known and not name.startswith(INJECTED):
            msg = f"unknown setting {name}; expected one of {', '.join(sorted(known))}"
            raise InvalidSetting(msg)

"""The settings. Only this module reads the environment; it refuses values that cannot be used, and says why."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from api.setting_readers import (
    ListenAddress,
    choice_reader,
    read_api_url,
    read_file_path,
    read_forward_url,
    read_keys,
    read_listen_address,
    read_origin,
    read_path,
    read_proxies,
    read_store,
    read_timezone,
    read_witnesses,
    whole_number_reader,
)
from domain import times
from domain.calls import correlation
from domain.calls.correlation import CorrelationWindow
from domain.errors import WrongUsage
from domain.ledger_options import QUARANTINE_BYTES_MAX, QUARANTINE_MAX, SUSPECT_DAYS, LedgerOptions
from domain.log import urls
from domain.log.keepalive import CONNECTIONS_MAX
from domain.notices.signature import FORMULAS, UNCHECKED, Keyring, fingerprint

INJECTED = ("TRINGLEDGER_PORT", "TRINGLEDGER_SERVICE_")


class InvalidSetting(WrongUsage):
    """A setting has a value that cannot be used; the message names it, its value and what was expected."""


class Setting(NamedTuple):
    """One setting: its name in the environment and in Settings, its default as text, its meaning, and its reader."""

    name: str
    field: str
    default: str
    meaning: str
    read: Callable[[str], Any]


SETTINGS = (
    Setting("TRINGLEDGER_STORE", "store", "sqlite:///tringledger.db", "The store of the ledger: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.", read_store),
    Setting(
        "TRINGME_PRIVATE_KEY", "private_keys", "", "TringMe's private key; several, separated by commas, while you replace one.", read_keys
    ),
    Setting(
        "TRINGME_RETIRED_KEYS", "retired_keys",
        "",
        "Private keys that are no longer in use, separated by commas. They are never accepted; quarantined notices that fit"
        " one of them say so, and are the last to be dropped.",
        read_keys,
    ),
    Setting(
        "TRINGLEDGER_SIGNATURE", "signature",
        "md5-params",
        "The signature's formula: `md5-params`, `md5-r-key`, `md5-key-r`, `hmac-sha256-params`, or `off` (not checked).",
        choice_reader(*FORMULAS, UNCHECKED),
    ),
    Setting(
        "TRINGLEDGER_CORRELATION", "correlation",
        "",
        "What identifies a line: `tag-src`, or `tag` if tags are unique per call. Written into the ledger"
        " when it is created (default `tag-src`); a different value is refused later.",
        choice_reader(*correlation.CORRELATIONS),
    ),
    Setting(
        "TRINGLEDGER_TIMEZONE", "timezone",
        "",
        "The billing time zone, an IANA name. Written into the ledger when it is created (default `UTC`); a different value"
        " is refused later.",
        read_timezone,
    ),
    Setting("TRINGLEDGER_GRACE_SECONDS", "grace_seconds", "300", "Within how many seconds of a call a notice always belongs to it.", whole_number_reader(0)),
    Setting(
        "TRINGLEDGER_MAX_AGE_SECONDS", "max_age_seconds",
        "86400",
        "For how many seconds a silent call can still get notices; calls in progress that are silent for longer are stale.",
        whole_number_reader(0),
    ),
    Setting(
        "TRINGLEDGER_QUARANTINE_MAX", "quarantine_max",
        str(QUARANTINE_MAX),
        "Maximum number of quarantined notices with a wrong signature; the oldest are dropped first.",
        whole_number_reader(1),
    ),
    Setting(
        "TRINGLEDGER_QUARANTINE_BYTES", "quarantine_bytes",
        str(QUARANTINE_BYTES_MAX),
        "Maximum size of these notices in bytes, whatever their number.",
        whole_number_reader(1 << 16),
    ),
    Setting(
        "TRINGLEDGER_SUSPECT_DAYS", "suspect_days",
        str(SUSPECT_DAYS),
        "How many days before a call an equal one makes it a suspect: it may have been sent again.",
        whole_number_reader(1),
    ),
    Setting("TRINGLEDGER_NOTIFY_PATH", "notify_path", "/notify", "The path that TringMe calls.", read_path),
    Setting(
        "TRINGLEDGER_SAMPLES", "samples",
        "",
        "The file with samples of refused requests. Default: `LEDGER-FILE.samples.db`, or `tringledger.samples.db` in the current"
        " directory if the ledger is in PostgreSQL.",
        read_file_path,
    ),
    Setting(
        "TRINGLEDGER_HALF_OPEN_MAX", "half_open_max",
        "512",
        "Maximum number of connections of one address that have not sent a whole head of a request; if there are more, the"
        " oldest of them ends.",
        whole_number_reader(1),
    ),
    Setting(
        "TRINGLEDGER_TRUSTED_PROXIES", "trusted_proxies",
        "127.0.0.1,::1",
        "The proxies, as addresses or networks, whose `X-Forwarded-For` and `X-Forwarded-Proto` are trusted.",
        read_proxies,
    ),
    Setting(
        "TRINGLEDGER_FORWARD_URL", "forward_url",
        "",
        "The URL of your own handler: every accepted notification is forwarded to it.",
        read_forward_url,
    ),
    Setting(
        "TRINGLEDGER_LOG_KEY", "log_key",
        "",
        "The file with the key that signs the log's checkpoints, as `proof key --generate` makes it (mode 0600). Without"
        " it the proof tree is kept, and nothing is signed.",
        read_file_path,
    ),
    Setting(
        "TRINGLEDGER_ORIGIN", "origin",
        "",
        "The name of the log in its checkpoints: a URL without its scheme. Default: the name of the key, which is"
        " `tringledger/LEDGER-ID` unless you chose another name when you made it.",
        read_origin,
    ),
    Setting(
        "TRINGLEDGER_CHECKPOINT_SECONDS", "checkpoint_seconds",
        "10",
        "How many seconds lie between two checkpoints at least, while the log grows.",
        whole_number_reader(1),
    ),
    Setting(
        "TRINGLEDGER_WITNESSES", "witnesses",
        "",
        "The witnesses that cosign checkpoints: for each its URL, a space and its key, separated by commas.",
        read_witnesses,
    ),
    Setting(
        "TRINGLEDGER_METRICS", "metrics",
        "",
        "The address on which `serve` answers Prometheus at `/metrics`, such as `127.0.0.1:9464`. It needs no user: let nobody but"
        " Prometheus reach it.",
        read_listen_address,
    ),
    Setting("TRINGLEDGER_QUEUE_MAX", "queue_max", "10000", "Maximum number of callbacks that wait to be recorded; further ones get 503.", whole_number_reader(1)),
    Setting(
        "TRINGLEDGER_CONNECTIONS_MAX", "connections_max",
        str(CONNECTIONS_MAX),
        "PostgreSQL: maximum number of connections with which a process reads the log, and as many the read models. The intake"
        " has one of its own.",
        whole_number_reader(2),
    ),
    Setting("TRINGME_API_URL", "api_url", "http://api.tringme.com/api.php", "The URL of TringMe's API, for `register`.", read_api_url),
    Setting("TRINGME_API_KEY", "api_key", "", "TringMe's public API key, for `register`.", str),
    Setting(
        "TRINGME_API_SIGNATURE", "api_signature",
        "md5-params",
        "The formula that `register` signs with: one of those of `TRINGLEDGER_SIGNATURE`, except `off`.",
        choice_reader(*FORMULAS),
    ),
)  # fmt: skip


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
    metrics: ListenAddress | None
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
        text = environment.get(setting.name, "").strip() or setting.default
        values[setting.field] = _read(setting.name, setting.read, text)
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


def _read(name: str, read: Callable[[str], Any], text: str) -> Any:
    try:
        return read(text)
    except ValueError as error:
        msg = f"{name}={urls.redacted(text)!r} cannot be used: expected {error}"
        raise InvalidSetting(msg) from None


def _check_known(environment: Mapping[str, str]) -> None:
    """Refuse misspelt settings, which would have no effect otherwise."""
    known = {setting.name for setting in SETTINGS}
    for name in environment:
        # Kubernetes sets these variables for every pod in the namespace of a service called "tringledger".
        if name.startswith("TRINGLEDGER_") and name not in known and not name.startswith(INJECTED):
            msg = f"unknown setting {name}; expected one of {', '.join(sorted(known))}"
            raise InvalidSetting(msg)

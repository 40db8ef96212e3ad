"""The table of settings: the name of each in the environment, its default, its meaning, and how it is read."""

from collections.abc import Callable
from typing import Any, NamedTuple

from api.setting_readers import (
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
from domain.calls import correlation
from domain.ledger_options import QUARANTINE_BYTES_MAX, QUARANTINE_MAX, SUSPECT_DAYS
from domain.log.keepalive import CONNECTIONS_MAX
from domain.notices.signature import FORMULAS, UNCHECKED

# 366,000 callbacks of the usual length.
SPOOL_BYTES_MAX = 64 << 20


class Setting(NamedTuple):
    """One setting: its name in the environment and in Settings, its default as text, its meaning, and its reader.

    A secret can come from a file, too, which NAME_FILE names.
    """

    name: str
    field: str
    default: str
    meaning: str
    read: Callable[[str], Any]
    is_secret: bool = False


SETTINGS = (
    Setting("TRINGLEDGER_STORE", "store", "sqlite:///tringledger.db", "The store of the ledger: `sqlite:///PATH` or `postgresql://USER:PASSWORD@HOST:PORT/DATABASE`.", read_store, is_secret=True),
    Setting(
        "TRINGME_PRIVATE_KEY", "private_keys", "", "TringMe's private key; several, separated by commas or lines, while you replace one.", read_keys,
        is_secret=True,
    ),
    Setting(
        "TRINGME_RETIRED_KEYS", "retired_keys",
        "",
        "Private keys that are no longer in use, separated by commas or lines. They are never accepted; quarantined notices that fit"
        " one of them say so, and are the last to be dropped.",
        read_keys,
        is_secret=True,
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
        is_secret=True,
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
        "TRINGLEDGER_SPOOL", "spool",
        "",
        "The directory in which callbacks wait while the store is away; put it on a disk that the store does not need. Without it"
        " they get 503 then.",
        read_file_path,
    ),
    Setting(
        "TRINGLEDGER_SPOOL_MAX_BYTES", "spool_max_bytes",
        str(SPOOL_BYTES_MAX),
        "Maximum size of a spool file in bytes, of which each worker has one; further callbacks get 503.",
        whole_number_reader(1 << 17),
    ),
    Setting(
        "TRINGLEDGER_METRICS", "metrics",
        "",
        "The address on which `serve` answers Prometheus at `/metrics`, such as `127.0.0.1:9464`. It needs no user: let nobody but"
        " Prometheus reach it.",
        read_listen_address,
    ),
    Setting("TRINGLEDGER_LOG_FORMAT", "log_format", "text", "The format of the service's log on stderr: `text`, or `json` (one object a line).", choice_reader("text", "json")),
    Setting(
        "TRINGLEDGER_LOG_LEVEL", "log_level",
        "info",
        "The level from which on the service logs: `debug`, `info`, `warning` or `error`.",
        choice_reader("debug", "info", "warning", "error"),
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
    Setting("TRINGME_API_KEY", "api_key", "", "TringMe's public API key, for `register`.", str, is_secret=True),
    Setting(
        "TRINGME_API_SIGNATURE", "api_signature",
        "md5-params",
        "The formula that `register` signs with: one of those of `TRINGLEDGER_SIGNATURE`, except `off`.",
        choice_reader(*FORMULAS),
    ),
)  # fmt: skip

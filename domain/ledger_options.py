"""The options with which a ledger is opened, and their check against its facts. Light, so that settings load fast."""

from collections.abc import Mapping

import msgspec

from domain import times
from domain.calls import correlation
from domain.calls.correlation import CorrelationWindow
from domain.errors import LedgerError, LedgerSettingsMismatch

QUARANTINE_MAX = 100_000
QUARANTINE_BYTES_MAX = 64 << 20
SUSPECT_DAYS = 31


class LedgerOptions(msgspec.Struct, frozen=True):
    """A ledger's options. ``correlation`` and ``timezone`` are fixed at its creation; None accepts those of the ledger.

    ``window`` says how far apart the notices of a call may be. ``quarantine_max`` and ``quarantine_bytes`` limit the open
    notices with a wrong signature. ``suspect_days`` is how many days before a suspect its twin can be (SPEC 9.7).
    ``connections_max`` limits the connections with which a process reads from
    PostgreSQL, to the log and to the read models each; None for the usual number.
    """

    correlation: str | None = None
    timezone: str | None = None
    window: CorrelationWindow = CorrelationWindow()
    quarantine_max: int = QUARANTINE_MAX
    quarantine_bytes: int = QUARANTINE_BYTES_MAX
    suspect_days: int = SUSPECT_DAYS
    connections_max: int | None = None

    def check(self) -> None:
        """Raise LedgerError for an unknown correlation, ValueError for an unknown time zone."""
        if self.correlation not in (None, *correlation.CORRELATIONS):
            expected = " or ".join(correlation.CORRELATIONS)
            msg = f"unknown correlation {self.correlation!r}; expected {expected}"
            raise LedgerError(msg)
        if self.timezone is not None:
            times.zone(self.timezone)

    def check_against(self, facts: Mapping[str, str]) -> None:
        """Raise LedgerSettingsMismatch if the ledger was created with other options."""
        for name, wanted in (("correlation", self.correlation), ("timezone", self.timezone)):
            if wanted is not None and wanted != facts[name]:
                msg = f"this ledger was created with {name} {facts[name]}, and the setting now says {wanted}"
                raise LedgerSettingsMismatch(msg)

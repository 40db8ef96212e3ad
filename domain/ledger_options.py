"""How a ledger is opened: what its own facts and the settings have to agree on. Light, so that settings load fast."""

from collections.abc import Mapping

import msgspec

from domain import times
from domain.calls import correlation
from domain.calls.correlation import CorrelationWindow
from domain.errors import LedgerError, LedgerSettingsMismatch

QUARANTINE_MAX = 100_000


class LedgerOptions(msgspec.Struct, frozen=True):
    """On what terms a ledger is kept: ``correlation`` and ``timezone`` are its own for ever, None takes what it has."""

    correlation: str | None = None
    timezone: str | None = None
    window: CorrelationWindow = CorrelationWindow()
    quarantine_max: int = QUARANTINE_MAX

    def check(self) -> None:
        """Raise LedgerError for a correlation that is not known, ValueError for a time zone that is not."""
        if self.correlation not in (None, *correlation.CORRELATIONS):
            expected = " or ".join(correlation.CORRELATIONS)
            msg = f"the correlation {self.correlation!r} is not known: expected {expected}"
            raise LedgerError(msg)
        if self.timezone is not None:
            times.zone(self.timezone)

    def check_against(self, facts: Mapping[str, str]) -> None:
        """Raise LedgerSettingsMismatch where a ledger's own facts say that it was created on other terms."""
        for name, wanted in (("correlation", self.correlation), ("timezone", self.timezone)):
            if wanted is not None and wanted != facts[name]:
                msg = f"this ledger was created with {name} {facts[name]}, and the setting now says {wanted}"
                raise LedgerSettingsMismatch(msg)

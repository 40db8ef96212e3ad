"""Parts of what ``/health`` answers."""

from typing import Any

from api import urls as addresses
from api.application.process_state import ProcessState
from api.application.spool.service_spool import ServiceSpool
from domain import times
from domain.ledger import Ledger

FAILING = "failing"


def forwarding_content(ledger: Ledger, state: ProcessState, url: str) -> dict[str, Any]:
    """Return how far the log was forwarded to a URL."""
    lag, seconds = ledger.lag(state.position, times.now())
    return {
        "to": addresses.redacted(url),
        "position": state.position,
        "lag": lag,
        "lag_seconds": seconds,
        "failure": state.failure or None,
    }


def content_without_store(failure: str, spool: ServiceSpool | None, *, takes: bool) -> dict[str, Any]:
    """Return what can be known while the store is away; ``takes`` is whether callbacks are taken all the same."""
    content: dict[str, Any] = {"status": "degraded" if takes else FAILING, "failure": failure}
    if spool:
        content["spool"] = spool.health()
    return content

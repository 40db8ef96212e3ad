"""The ledger's status, as ``tringledger status`` shows it."""

from api.application import status
from api.web.hidden_address import hide_addresses
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.request import ApiRequest
from domain.log.urls import is_postgres
from projections.queries.suspects import RECENT_CALLS_MAX, RunCounter

SQLITE, POSTGRESQL = "sqlite", "postgresql"


def operations() -> list[ApiOperation]:
    """Return the operation."""
    return [
        ApiOperation(
            f"{BASE}/status",
            "show-status",
            "The ledger's status: its head, the lag of its read models, and what needs attention. Runs of suspects are"
            f" counted once a minute; they are null among more than {RECENT_CALLS_MAX:,} recent calls. The store is told by its kind.",
            _StatusHandler(),
            {"type": "object", "required": ["ledger", "head", "read_models", "waiting", "suspect_runs"]},
        )
    ]


class _StatusHandler:
    def __init__(self) -> None:
        self._count_runs = RunCounter()

    def __call__(self, asked: ApiRequest) -> ApiResponse:
        with asked.read_session() as room:
            settings = asked.request.app.state.settings
            found = status.ledger_status(
                asked.ledger,
                room.store,
                asked.now,
                caught_up=False,
                counted=False,
                count_runs=self._count_runs,
                forward_url=settings.forward_url,
                checkpoint_seconds=settings.checkpoint_seconds,
                spool=settings.spool,
            )
        # The address of the store is for the command, whose user has the machine.
        document = hide_addresses(status.status_document(found), asked.ledger.url)
        return ApiResponse(document | {"store": POSTGRESQL if is_postgres(asked.ledger.url) else SQLITE})

"""The ledger's status, as ``tringledger status`` shows it."""

from api.application import status
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.request import ApiRequest


def operations() -> list[ApiOperation]:
    """Return the operation."""
    return [
        ApiOperation(
            f"{BASE}/status",
            "show-status",
            "The ledger's status: its head, the lag of its read models, and what needs attention.",
            _show,
            {"type": "object", "required": ["ledger", "head", "read_models", "waiting"]},
        )
    ]


def _show(asked: ApiRequest) -> ApiResponse:
    with asked.read_session() as room:
        settings = asked.request.app.state.settings
        found = status.ledger_status(
            asked.ledger,
            room.store,
            asked.now,
            caught_up=False,
            counted=False,
            forward_url=settings.forward_url,
            checkpoint_seconds=settings.checkpoint_seconds,
        )
    return ApiResponse(status.status_document(found))

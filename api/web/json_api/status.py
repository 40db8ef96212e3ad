"""The ledger's status, as ``tringledger status`` says it."""

from api.application import status
from api.web.json_api.operation import BASE, Answer, Operation
from api.web.json_api.request import Asked


def operations() -> list[Operation]:
    """Return the operation."""
    return [
        Operation(
            f"{BASE}/status",
            "show-status",
            "How the ledger is: its head, how far its read models are behind, and what waits for somebody.",
            _show,
            {"type": "object", "required": ["ledger", "head", "read_models", "waiting"]},
        )
    ]


def _show(asked: Asked) -> Answer:
    with asked.reading() as room:
        settings = asked.request.app.state.settings
        found = status.of_ledger(
            asked.ledger, room.store, asked.now, caught_up=False, counted=False, forward_url=settings.forward_url
        )
    return Answer(status.as_document(found))

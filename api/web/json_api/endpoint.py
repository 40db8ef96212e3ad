"""The endpoint of an operation: reads the parameters, waits for a position, calls the handler, adds headers.

``Ledger-Position`` names the position of the read models that an answer shows; refusals have it too. Waiting uses
no thread, so many requests can wait while threads answer others.
"""

import asyncio
from collections.abc import Collection
from hashlib import blake2b
from urllib.parse import urlencode

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from api.web.hidden_address import hide_address
from api.web.json_api import request as asking
from api.web.json_api.operation import JSON, JSON_OF_CHOSEN_COLUMNS, ApiOperation, ApiResponse
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from domain.errors import LedgerError, StoreUnavailable
from projections.queries.cursors import WrongCursor
from projections.queries.time_points import SelectionError
from projections.stores.generations import ReadModelsUnusable

WAIT_SECONDS_MAX = 5.0
LOOK_AGAIN_SECONDS = 0.05
POSITION_HEADER = "Ledger-Position"
# Browsers may keep the answer but must ask again: the data and the user's roles may have changed.
CACHED = "private, no-cache"


class Endpoint:
    """An operation's endpoint, behind the guard."""

    def __init__(self, operation: ApiOperation, named: Collection[str] = ()) -> None:
        """Serve an operation; ``named`` are the paths without parameters, which take their own methods and no other."""
        self.operation = operation
        self._named = {path for path in named if path != operation.path}

    async def __call__(self, request: Request) -> Response:
        """Answer a request."""
        if request.scope["path"] in self._named:
            raise HTTPException(405)
        asked: ApiRequest | None = None
        try:
            asked = asking.read_api_request(request, self.operation.all_parameters, self.operation.model)
            await self._wait(asked)
            response = await run_in_threadpool(self._handled, asked)
        except ApiError as refusal:
            response = refusal.response()
        except (ReadModelsUnusable, StoreUnavailable) as error:
            response = ApiError(503, hide_address(str(error), request.app.state.ledger.url)).response()
        position = asked.position if asked else None
        if position is None:
            position = await run_in_threadpool(_position, request)
        if position is not None:
            response.headers[POSITION_HEADER] = str(position)
        return response

    async def _wait(self, asked: ApiRequest) -> None:
        wanted = asked.values.pop("min_position", 0)
        if not wanted:
            return
        until = asyncio.get_running_loop().time() + WAIT_SECONDS_MAX
        while (found := await run_in_threadpool(_position, asked.request)) is None or found < wanted:
            if asyncio.get_running_loop().time() > until:
                msg = f"the read models are at position {found}: expected {wanted} within {WAIT_SECONDS_MAX:g} s"
                raise ApiError(503, msg)
            await asyncio.sleep(LOOK_AGAIN_SECONDS)

    def _handled(self, asked: ApiRequest) -> Response:
        try:
            answer = self.operation.handler(asked)
        except WrongCursor as error:
            raise asking.parameter_error("cursor", asked.values.get("cursor", ""), error) from error
        except SelectionError as error:  # Such as a month that is one, and out of the range of days.
            raise ApiError(400, str(error)) from error
        return answer if isinstance(answer, Response) else self._response(asked, answer)

    def _response(self, asked: ApiRequest, answer: ApiResponse) -> Response:
        body = msgspec.json.encode(answer.content)
        headers = {}
        if links := [_link(asked.request, relation, cursor) for relation, cursor in answer.cursors.items() if cursor]:
            headers["Link"] = ", ".join(links)
        if self.operation.changes:
            return Response(body, 200, headers, JSON)
        headers["Cache-Control"] = CACHED
        tag = f'"{blake2b(body, digest_size=16).hexdigest()}"'
        # Weak, because the same content may be sent compressed or not.
        headers["ETag"] = f"W/{tag}"
        if _is_known(asked.request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        is_chosen = self.operation.chosen_schema is not None and "cols" in asked.values
        return Response(body, 200, headers, JSON_OF_CHOSEN_COLUMNS if is_chosen else JSON)


def _position(request: Request) -> int | None:
    """Return the position of the read models, or None if it is unknown."""
    try:
        with request.app.state.read_models.session() as room:
            position: int = room.position
            return position
    except LedgerError:
        return None


def _link(request: Request, relation: str, cursor: str) -> str:
    kept = [
        (name, value) for name, value in request.query_params.multi_items() if name not in ("cursor", "min_position")
    ]
    return f'<{request.url.path}?{urlencode([*kept, ("cursor", cursor)])}>; rel="{relation}"'


def _is_known(header: str, tag: str) -> bool:
    known = (each.strip().removeprefix("W/") for each in header.split(","))
    return any(each in ("*", tag) for each in known)

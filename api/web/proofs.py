"""The log's proofs over HTTP: checkpoint and tiles for auditors, and bundles of bills and calls as downloads."""

import re
from uuid import UUID

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from api.application.proofs.bundle_builder import MadeBundle, bundle_call
from api.application.proofs.proof_files import NoProof
from api.application.proofs.publication import CHECKPOINT, read_published
from api.processes.bundle_worker import BundleUnavailable
from api.web.auth.guard import GuardedRoute, Role, require_role
from api.web.auth.refusal import is_for_a_browser
from api.web.hidden_address import hide_address
from api.web.pages.request_filters import not_found
from api.web.problems import RETRY_AFTER_SECONDS, problem
from domain.errors import LedgerError
from domain.proofs.refusals import ProofRefused

# Full tiles never change; a checkpoint is asked for again each time.
TILE_CACHING = "private, max-age=31536000, immutable"
_UNSAFE_IN_A_NAME = re.compile(r"[^A-Za-z0-9._-]+")


def routes() -> list[GuardedRoute]:
    """Return the routes of proofs."""
    return [
        GuardedRoute("/proofs/checkpoint", show_checkpoint, Role.AUDITOR, name="proof_checkpoint"),
        GuardedRoute("/proofs/tile/{path:path}", show_tile, Role.AUDITOR, name="proof_tile", records=None),
        GuardedRoute("/proofs/calls/{call_id}", prove_call, Role.EXPORT, name="proof_of_call"),
        GuardedRoute("/proofs/bills/{period}/{account:path}", prove_bill, Role.EXPORT, name="proof_of_bill"),
    ]


def show_checkpoint(request: Request) -> Response:
    """Return the last checkpoint with its cosignatures."""
    try:
        content = read_published(request.app.state.ledger, CHECKPOINT)
    except NoProof as error:
        return _missing(request, error)
    return PlainTextResponse(content, headers={"Cache-Control": "no-cache"})


def show_tile(request: Request) -> Response:
    """Return a tile, or a bundle of entries, of the tree of the last checkpoint."""
    path = f"tile/{request.path_params['path']}"
    try:
        content = read_published(request.app.state.ledger, path)
    except (NoProof, ProofRefused) as error:
        return _missing(request, error)
    return Response(content, media_type="application/octet-stream", headers={"Cache-Control": TILE_CACHING})


def prove_call(request: Request) -> Response:
    """Return the bundle of a call."""
    require_role(request, Role.PII)
    try:
        call = UUID(request.path_params["call_id"])
        made = bundle_call(request.app.state.ledger, call)
    except ValueError:
        return problem(404, f"{request.path_params['call_id']!r} is not a call's id: expected a UUID")
    except NoProof as error:
        return _missing(request, error)
    return _download(made, f"call-{call}")


def prove_bill(request: Request) -> Response:
    """Return the bundle of an account's bill of a month."""
    require_role(request, Role.PII)
    account, period = request.path_params["account"], request.path_params["period"]
    try:
        made = request.app.state.bundle_worker.bundle_bill(account, period)
    except NoProof as error:
        return _missing(request, error)
    except BundleUnavailable as error:
        return problem(503, str(error), {"Retry-After": RETRY_AFTER_SECONDS})
    return _download(made, f"{account}-{period}")


def _missing(request: Request, error: LedgerError) -> Response:
    detail = hide_address(str(error), request.app.state.ledger.url)
    return not_found(request, detail) if is_for_a_browser(request) else problem(404, detail)


def _download(made: MadeBundle, name: str) -> Response:
    name = _UNSAFE_IN_A_NAME.sub("-", f"{name}.zip")
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(made.content, media_type="application/zip", headers=headers)

"""Corrections of calls and accounts: what ``tringledger call``, ``adjust`` and ``undo`` do, each with a dry run."""

from collections.abc import Callable

from api.application.account_adjustment import adjustment_command
from api.application.command_preview import do_command, preview_command, preview_document
from api.application.operator_commands import Command
from api.web.auth.guard import AuditAction, Role
from api.web.json_api import correction_parameters as fields
from api.web.json_api.correction_parameters import COMMON, CORRECTION_ANSWER
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import CALL_ID, ApiParameter
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from domain.errors import CommandRejected

Commanding = Callable[[ApiRequest], Command]


def operations() -> list[ApiOperation]:
    """Return the operations."""
    call = f"{BASE}/calls/{{call_id}}"
    return [
        _operation(f"{call}/void", "void-call", "Take a call off its account's bill: its price becomes 0, its cost stays.", _void, CALL_ID),
        _operation(f"{call}/split", "split-call", "Move notices of a call to a new call of the same line.", _split, CALL_ID, fields.POSITIONS),
        _operation(f"{call}/merge", "merge-calls", "Move all notices of a call to another call; the first then no longer exists.", _merge, CALL_ID, fields.INTO),
        _operation(f"{BASE}/cdrs/{{position}}/release", "release-cdr", "Make a repeated CDR a call of its own, which is billed.", _release, fields.REPEATED_CDR),
        _operation(f"{BASE}/operator-events/{{position}}/undo", "undo-correction", "Reverse a correction by another event; both stay.", _undo, fields.CORRECTION),
        _operation(f"{BASE}/adjustments", "adjust-account", "Charge an account an amount, or credit it.", _adjust,
                   fields.ADJUSTED_ACCOUNT, fields.AMOUNT, fields.ADJUSTED_MONTH, fields.NEW_ACCOUNT),
    ]  # fmt: skip


def _operation(path: str, name: str, meaning: str, make: Commanding, *own: ApiParameter) -> ApiOperation:
    def handler(asked: ApiRequest) -> ApiResponse:
        try:
            return _answer(asked, make(asked))
        except CommandRejected as error:
            raise ApiError(409, str(error)) from error

    return ApiOperation(
        path,
        name,
        meaning,
        handler,
        CORRECTION_ANSWER,
        (*own, *COMMON),
        method="POST",
        required_role=Role.OPERATE,
        refusals=(409,),
    )


def _answer(asked: ApiRequest, command: Command) -> ApiResponse:
    by, reason = asked.identity.name, asked.values["reason"]
    if asked.values.get("dry_run"):
        asked.request.state.audit_action = AuditAction.VIEWED
        return ApiResponse(preview_document(preview_command(asked.ledger, by, reason, command)))
    done = do_command(asked.ledger, by, reason, command, asked.values.get("if_preview", ""))
    return ApiResponse(preview_document(done.preview, done.result))


def _void(asked: ApiRequest) -> Command:
    return lambda session: session.void_call(asked.values["call_id"])


def _split(asked: ApiRequest) -> Command:
    return lambda session: session.split_call(asked.values["call_id"], asked.values["positions"])


def _merge(asked: ApiRequest) -> Command:
    return lambda session: session.merge_calls(asked.values["call_id"], asked.values["into"])


def _release(asked: ApiRequest) -> Command:
    return lambda session: session.release_cdr(asked.values["position"])


def _undo(asked: ApiRequest) -> Command:
    return lambda session: session.undo(asked.values["position"])


def _adjust(asked: ApiRequest) -> Command:
    values = asked.values
    return adjustment_command(
        asked.ledger,
        values["account"],
        values["amount"],
        period=values.get("period"),
        new_account=values.get("new_account", False),
    )

"""Bulk jobs: what is done to all items that fit some filters; started, followed and stopped by programs as by pages."""

from collections.abc import Callable

from api.application.bulk_jobs.bulk_job import (
    KINDS,
    REPROCESS_QUARANTINE,
    STATES,
    BulkJob,
    BulkJobRefused,
    bulk_job_document,
)
from api.application.bulk_jobs.orders import FILTERS as FILTERS_OF_KINDS
from api.application.bulk_jobs.orders import BulkRequest
from api.web.auth.guard import AuditAction, Role
from api.web.hidden_address import hide_address
from api.web.json_api.correction_parameters import DRY_RUN, RATED_BY
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import FILTERS, JOB_ID, REASON, ApiParameter, Schema, choice_reader, read_text
from api.web.json_api.refusal import ApiError, parameter_errors
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import object_schema
from domain.errors import CommandRejected, WrongUsage
from projections.queries.filter_texts import BadFilter, WrongFilters
from projections.queries.time_points import SelectionError

PATH = f"{BASE}/bulk-jobs"
_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_WHOLE: Schema = {"type": "integer"}
_COUNTS: Schema = {"type": "object", "additionalProperties": _WHOLE}
_JOB = object_schema(
    {
        "dry_run": {"type": "boolean", "description": "Whether nothing was started."},
        "id": _TEXT,
        "kind": {"type": "string", "enum": list(KINDS)},
        "by": _TEXT,
        "reason": _TEXT,
        "filters": {"type": "object", "additionalProperties": _TEXT},
        "state": {"type": "string", "enum": list(STATES)},
        "started_at": _TIME,
        "seen_at": _TIME,
        "ended_at": {"type": ["string", "null"], "format": "date-time"},
        "total": _WHOLE | {"description": "How many items fitted when it was ordered."},
        "done": _WHOLE | {"description": "How many have been looked at."},
        "left": _WHOLE,
        "outcomes": _COUNTS | {"description": "How many items have which outcome."},
        "refused": _COUNTS | {"description": "How many items were refused for which cause."},
        "stopped_by": _TEXT,
        "failure": _TEXT,
    }
) | {"title": "BulkJob"}
_KIND = ApiParameter(
    "kind",
    "What to do: " + "; ".join(f"`{kind}`: {meaning}" for kind, meaning in KINDS.items()) + ".",
    {"type": "string", "enum": list(KINDS)},
    choice_reader(list(KINDS)),
    "body",
)
_OWN = {
    "cause": ApiParameter("cause", "Only notices with this cause, such as `wrong signature`.", _TEXT, read_text()),
    "source": ApiParameter("source", "Only notices from this source.", _TEXT, read_text()),
    "tariff": RATED_BY._replace(read=read_text()),
}
_REASON = REASON._replace(
    meaning=f"The reason; it is kept permanently, with the user's name. `{REPROCESS_QUARANTINE}` needs none.",
    is_optional=True,
)


def _filters() -> tuple[ApiParameter, ...]:
    names = dict.fromkeys(name for names in FILTERS_OF_KINDS.values() for name in names)
    return tuple((_OWN.get(name) or FILTERS[name])._replace(place="body", is_optional=True) for name in names)


def operations() -> list[ApiOperation]:
    """Return the operations on bulk jobs."""
    return [*_read_operations(), *_write_operations()]


def _read_operations() -> list[ApiOperation]:
    return [
        ApiOperation(
            PATH,
            "list-bulk-jobs",
            "The latest bulk jobs, newest first.",
            _list,
            object_schema({"items": {"type": "array", "items": _JOB}}),
        ),
        ApiOperation(
            f"{PATH}/{{job_id}}",
            "show-bulk-job",
            "One bulk job: how far it is, and what became of its items.",
            _show,
            _JOB,
            (JOB_ID,),
            refusals=(404,),
        ),
    ]


def _write_operations() -> list[ApiOperation]:
    return [
        ApiOperation(
            PATH,
            "start-bulk-job",
            "Do something to all items that fit the filters and are there now; the answer names the job, which goes on.",
            _start,
            _JOB,
            (_KIND, *_filters(), _REASON, DRY_RUN),
            method="POST",
            required_role=Role.OPERATE,
            refusals=(409,),
        ),
        ApiOperation(
            f"{PATH}/{{job_id}}/stop",
            "stop-bulk-job",
            "Stop a bulk job; what it has done stays.",
            _stop,
            _JOB,
            (JOB_ID,),
            method="POST",
            required_role=Role.OPERATE,
            refusals=(404, 409),
        ),
    ]


def _list(asked: ApiRequest) -> ApiResponse:
    return ApiResponse({"items": [_document(asked, job).content for job in asked.bulk.known()]})


def _show(asked: ApiRequest) -> ApiResponse:
    return _document(asked, _found(asked))


def _stop(asked: ApiRequest) -> ApiResponse:
    found = _found(asked)
    return _document(asked, _answered(lambda: asked.bulk.stop(found.id, asked.identity.name)))


def _found(asked: ApiRequest) -> BulkJob:
    wanted = str(asked.values["job_id"])
    found = asked.bulk.find(wanted)
    if found is None:
        msg = f"there is no job {wanted}, or it is too long ago"
        raise ApiError(404, msg)
    return found


def _start(asked: ApiRequest) -> ApiResponse:
    values = asked.values
    wanted = {name: value for name, value in values.items() if name not in ("kind", "reason", "dry_run")}
    who = asked.identity
    if not values.get("reason") and values["kind"] != REPROCESS_QUARANTINE:
        raise parameter_errors([BadFilter("reason", "", f"expected a reason: only {REPROCESS_QUARANTINE} needs none")])
    wish = BulkRequest(values["kind"], wanted, who.name, values.get("reason", ""), who.sees_pii)
    if values.get("dry_run"):
        asked.request.state.audit_action = AuditAction.VIEWED
        return _document(asked, _answered(lambda: asked.bulk.preview(wish)), dry_run=True)
    return _document(asked, _answered(lambda: asked.bulk.start(wish)))


def _answered(act: Callable[[], BulkJob]) -> BulkJob:
    try:
        return act()
    except WrongFilters as wrong:
        raise parameter_errors([BadFilter(each.name, each.value, each.problem) for each in wrong.bad]) from wrong
    except (SelectionError, WrongUsage) as error:
        raise ApiError(400, str(error)) from error
    except (BulkJobRefused, CommandRejected) as error:
        raise ApiError(409, str(error)) from error


def _document(asked: ApiRequest, job: BulkJob, *, dry_run: bool = False) -> ApiResponse:
    document = bulk_job_document(job, whole=asked.identity.sees_pii)
    failure = hide_address(document["failure"], asked.ledger.url)
    return ApiResponse({"dry_run": dry_run} | document | {"failure": failure})

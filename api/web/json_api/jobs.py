"""Jobs: rebuilds and comparisons that run outside any request."""

from typing import Any

import msgspec

from api.application.masking import masked_text
from api.processes import jobs
from api.processes.jobs import BackgroundJob, JobRefused
from api.web.auth.guard import Role
from api.web.hidden_address import hide_address
from api.web.json_api.operation import BASE, ApiOperation, ApiResponse
from api.web.json_api.parameters import JOB_ID, JOB_KIND, Schema
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import object_schema
from domain import times

_TEXT: Schema = {"type": "string"}
_TIME: Schema = {"type": "string", "format": "date-time"}
_WHOLE: Schema = {"type": "integer"}
_PERHAPS: Schema = {"type": ["integer", "null"]}
_JOB = object_schema(
    {
        "id": _TEXT,
        "kind": {"type": "string", "enum": list(jobs.KINDS)},
        "by": _TEXT,
        "state": {"type": "string", "enum": [jobs.RUNNING, jobs.DONE, jobs.FAILED]},
        "started_at": _TIME,
        "seen_at": _TIME,
        "done": _WHOLE,
        "total": _WHOLE,
        "position": _PERHAPS,
        "found": _PERHAPS,
        "differences": {"type": "array", "items": _TEXT},
        "failure": _TEXT,
    }
)


def operations() -> list[ApiOperation]:
    """Return the operations on jobs."""
    return [
        ApiOperation(
            f"{BASE}/jobs",
            "list-jobs",
            "The latest jobs, newest first.",
            _list,
            object_schema({"items": {"type": "array", "items": _JOB}}),
            required_role=Role.OPERATE,
        ),
        ApiOperation(
            f"{BASE}/jobs",
            "start-job",
            "Start a job: `rebuild` builds new read models and activates them, `check` compares them and changes nothing.",
            _start,
            _JOB,
            (JOB_KIND,),
            method="POST",
            required_role=Role.OPERATE,
            refusals=(409,),
        ),
        ApiOperation(
            f"{BASE}/jobs/{{job_id}}",
            "show-job",
            "One job: its progress and its result.",
            _show,
            _JOB,
            (JOB_ID,),
            required_role=Role.OPERATE,
            refusals=(404,),
        ),
    ]


def _list(asked: ApiRequest) -> ApiResponse:
    return ApiResponse({"items": [_document(asked, job) for job in asked.jobs.known()]})


def _start(asked: ApiRequest) -> ApiResponse:
    try:
        return ApiResponse(_document(asked, asked.jobs.start(asked.values["kind"], asked.identity.name)))
    except JobRefused as error:
        raise ApiError(409, str(error)) from error


def _show(asked: ApiRequest) -> ApiResponse:
    wanted = str(asked.values["job_id"])
    found = next((job for job in asked.jobs.known() if job.id == wanted), None)
    if found is None:
        msg = f"there is no job {wanted}, or it is too long ago"
        raise ApiError(404, msg)
    return ApiResponse(_document(asked, found))


def _document(asked: ApiRequest, job: BackgroundJob) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(job)
    said = (lambda text: text) if asked.identity.sees_pii else masked_text
    return found | {
        "started_at": times.iso(job.started_at),
        "seen_at": times.iso(job.seen_at),
        "differences": [said(each) for each in job.differences],
        "failure": said(hide_address(job.failure, asked.ledger.url)),
    }

"""Read models as files of any size: of one position, in constant memory, whatever their readers' pace."""

from collections.abc import Iterator
from contextlib import ExitStack
from threading import BoundedSemaphore

from starlette.responses import Response

from api.web.auth.guard import Role
from api.web.json_api import parameters
from api.web.json_api.operation import BASE, ApiOperation
from api.web.json_api.parameters import AS_OF_POINT, EXCEL_SAFE
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import columns_of
from api.web.json_api.spooled_file import SpooledFile
from projections.queries.row_stream import RowStream
from projections.schema.read_models import TABLES

MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
AT_ONCE_MAX = 8
SENT_AT_ONCE_MAX = 64


class Downloads:
    """The operations that return files; a limited number is made at once, and a larger one is sent to slow readers."""

    def __init__(self) -> None:
        """Begin with no download running."""
        self._free = BoundedSemaphore(AT_ONCE_MAX)
        self._sending = BoundedSemaphore(SENT_AT_ONCE_MAX)

    def operations(self) -> list[ApiOperation]:
        """Return one operation for each read model."""
        return [self._operation(model) for model in TABLES]

    def _operation(self, model: str) -> ApiOperation:
        return ApiOperation(
            f"{BASE}/{model}.{{format}}",
            f"download-{model}",
            f"All selected rows of {model}, as a file.",
            lambda asked: self._file(asked, model),
            None,
            (
                parameters.format_of(list(MEDIA)),
                *parameters.filters_of(model),
                parameters.file_sort_of(model),
                columns_of(model),
                EXCEL_SAFE,
                AS_OF_POINT,
            ),
            model,
            required_role=Role.EXPORT,
            media=tuple(MEDIA.values()),
        )

    def _file(self, asked: ApiRequest, model: str) -> Response:
        form = asked.values["format"]
        headers = {"Content-Disposition": f'attachment; filename="{model}.{form}"'}
        if asked.request.method == "HEAD":
            described = Response(headers=headers, media_type=MEDIA[form])
            del described.headers["Content-Length"]  # It is known only once all rows were read.
            return described
        if not self._sending.acquire(blocking=False):
            msg = f"{SENT_AT_ONCE_MAX} files are being sent already: expected fewer"
            raise ApiError(503, msg)
        with ExitStack() as failing:
            failing.callback(self._sending.release)
            response = self._begun(asked, model, form, headers)
            failing.pop_all()
            return response

    def _begun(self, asked: ApiRequest, model: str, form: str, headers: dict[str, str]) -> Response:
        if not self._free.acquire(blocking=False):
            msg = f"{AT_ONCE_MAX} files are being made already: expected fewer"
            raise ApiError(503, msg)
        with ExitStack() as opening:
            opening.callback(self._free.release)
            rows = _opened(opening, asked, model)
            parts = _parts(rows, form, excel_safe=asked.values.get("excel_safe", False))
            made = opening.pop_all().close
        return SpooledFile(parts, headers, MEDIA[form], made=made, sent=self._sending.release)


def _opened(opening: ExitStack, asked: ApiRequest, model: str) -> RowStream:
    room = opening.enter_context(asked.read_session())
    reading = RowStream(
        room.connection,
        model,
        asked.selection,
        room.ledger.timezone,
        masks=asked.masks,
        sort=asked.values.get("sort", ""),
        columns=asked.values.get("cols", ()),
    )
    opening.callback(reading.close)
    return reading


def _parts(rows: RowStream, form: str, *, excel_safe: bool) -> Iterator[bytes]:
    # pyarrow takes half a second to load: the first download waits for it, callbacks do not.
    from projections.export import writer as export  # noqa: PLC0415

    return export.export_parts(rows, export.Format(form), excel_safe=excel_safe)

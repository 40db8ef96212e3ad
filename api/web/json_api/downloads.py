"""Read models as files of any size: of one position, in constant memory, whatever their readers' pace.

A small file is made right here. A large one is made by the service's own process for that, and sent while it is made.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from tempfile import TemporaryFile
from threading import BoundedSemaphore
from typing import IO

from starlette.responses import Response

from api.application.read_model_pool import ReadSession
from api.processes.download_messages import DownloadOrder, check_room, write_whole
from api.web.auth.guard import Role
from api.web.json_api import parameters
from api.web.json_api.operation import BASE, ApiOperation
from api.web.json_api.parameters import AS_OF_POINT, EXCEL_SAFE
from api.web.json_api.refusal import ApiError
from api.web.json_api.request import ApiRequest
from api.web.json_api.row_schema import columns_of
from api.web.json_api.spooled_file import SpooledFile
from projections.schema.read_models import TABLES
from projections.stores.sqlite import SQLiteReadStore

MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
SENT_AT_ONCE_MAX = 64
# Making so many takes some hundredths of a second, a tenth of what it takes to start a process.
ROWS_MADE_HERE_MAX = 5_000
PAST = 0  # The generation of read models of an earlier position.


class Downloads:
    """The operations that return files; a limited number is sent at once."""

    def __init__(self) -> None:
        """Begin with no download running."""
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
        order = _order_of(asked, model)
        if asked.request.method == "HEAD":
            return _described(_small_content(asked, order), headers, MEDIA[form])
        if not self._sending.acquire(blocking=False):
            msg = f"{SENT_AT_ONCE_MAX} files are being sent already: expected fewer"
            raise ApiError(503, msg)
        with ExitStack() as held:
            held.callback(self._sending.release)
            file: IO[bytes] = held.enter_context(TemporaryFile("w+b", buffering=0))
            if (content := _small_content(asked, order)) is not None:
                check_room(file.fileno())
                sizes: Iterator[int] = iter((write_whole(file.fileno(), content),))
                headers["Content-Length"] = str(len(content))
            else:
                sizes = _begin_large(held, asked, order, file)
            return SpooledFile(file, sizes, headers, MEDIA[form], sent=held.pop_all().close)


def _described(content: bytes | None, headers: dict[str, str], media_type: str) -> Response:
    """Return the answer to HEAD: it has no body, which would be compressed, as files are not; None is a file of many rows."""
    described = Response(headers=headers, media_type=media_type)
    described.headers["Content-Length"] = str(len(content or b""))
    if content is None:
        del described.headers["Content-Length"]  # It is known only once all is made; a GET names none either.
    return described


def _order_of(asked: ApiRequest, model: str) -> DownloadOrder:
    return DownloadOrder(
        model,
        asked.selection,
        asked.values["format"],
        asked.values.get("sort", ""),
        tuple(asked.values.get("cols", ())),
        asked.values.get("excel_safe", False),
        not asked.identity.sees_pii,
    )


def _small_content(asked: ApiRequest, order: DownloadOrder) -> bytes | None:
    """Return the bytes of the file if it has few rows; None if it has many."""
    with ExitStack() as reading:
        room = reading.enter_context(asked.read_session())
        rows = order.open_rows(room, room.ledger.timezone)
        reading.callback(rows.close)
        if rows.are_more_than(ROWS_MADE_HERE_MAX):
            return None
        # pyarrow takes half a second to load: the first download waits for it, callbacks do not.
        from projections.export import writer as export  # noqa: PLC0415

        parts = export.export_parts(rows, export.Format(order.form), excel_safe=order.excel_safe)
        return b"".join(parts)


def _begin_large(held: ExitStack, asked: ApiRequest, order: DownloadOrder, file: IO[bytes]) -> Iterator[int]:
    """Have the file written by the process for that, until what is held is let go; yield how many bytes it has."""
    with ExitStack() as reading:
        past = _past_file(reading.enter_context(asked.read_session()))
        if not past:
            reading.close()  # The process opens the current read models itself, and there may be a wait for it.
        made = asked.download_worker.begin(order._replace(past=past), file)
    held.callback(made.close)
    asked.position = made.position
    return made.sizes()


def _past_file(room: ReadSession) -> str:
    """Return the file of the read models of an earlier position; empty for the current ones."""
    store = room.store
    return str(store.path) if isinstance(store, SQLiteReadStore) and store.generation == PAST else ""

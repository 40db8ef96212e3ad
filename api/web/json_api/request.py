"""A request to an operation: its parameters, read by the operation, and its user."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from starlette.requests import Request

from api.application.bulk_jobs.bulk_runner import BulkRunner
from api.application.masking import MASKS
from api.application.read_model_pool import ReadModelPool, ReadSession
from api.processes.download_worker import DownloadWorker
from api.processes.jobs import Jobs
from api.web.auth.roles import Identity
from api.web.json_api import refusal as refusing
from api.web.json_api.parameters import FILTERS, ApiParameter
from api.web.past_sessions import AS_OF, read_as_of, read_session_as_of
from domain.errors import CommandRejected, LedgerError
from domain.ledger import Ledger
from domain.operators.session import OperatorSession
from projections.queries import filter_texts as filters
from projections.queries.filter_texts import BadFilter, FilterContext, WrongFilters
from projections.queries.log_points import LogPoint
from projections.queries.row_stream import Masks
from projections.queries.selection import Selection
from projections.queries.time_points import SelectionError

SHOWN_VALUE_LENGTH_MAX = 100


class ApiRequest(msgspec.Struct):
    """A request as a handler gets it; ``position`` is set to the position of the data in the answer."""

    request: Request
    values: dict[str, Any]
    selection: Selection
    position: int | None = None

    @property
    def identity(self) -> Identity:
        """The user."""
        who: Identity = self.request.state.identity
        return who

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        ledger: Ledger = self.request.app.state.ledger
        return ledger

    @property
    def read_models(self) -> ReadModelPool:
        """The read models."""
        shelf: ReadModelPool = self.request.app.state.read_models
        return shelf

    @property
    def jobs(self) -> Jobs:
        """The background jobs."""
        found: Jobs = self.request.app.state.jobs
        return found

    @property
    def download_worker(self) -> DownloadWorker:
        """What makes large files."""
        found: DownloadWorker = self.request.app.state.download_worker
        return found

    @property
    def bulk(self) -> BulkRunner:
        """The bulk jobs."""
        found: BulkRunner = self.request.app.state.bulk
        return found

    @property
    def now(self) -> int:
        """The current time, in microseconds, UTC."""
        now: int = self.request.app.state.clock()
        return now

    @property
    def masks(self) -> Masks:
        """The columns that are masked for the user."""
        return {} if self.identity.sees_pii else MASKS

    @contextmanager
    def read_session(self) -> Iterator[ReadSession]:
        """Open a read session, as of the point that the request names, and remember its position for the answer."""
        with read_session_as_of(self.request, self._as_of()) as room:
            self.position = room.position
            yield room

    def _as_of(self) -> LogPoint | None:
        text = str(self.values.get(AS_OF, ""))
        try:
            return read_as_of(self.ledger, text)
        except SelectionError as error:
            raise parameter_error(AS_OF, text, error) from error

    @contextmanager
    def operator_session(self) -> Iterator[OperatorSession]:
        """Open an operator session for the user, with the given reason; raises ApiError if a command is rejected."""
        try:
            with self.ledger.operator_session(self.identity.name, self.values["reason"]) as session:
                yield session
        except CommandRejected as error:
            raise refusing.ApiError(409, str(error)) from error


def read_api_request(request: Request, parameters: Sequence[ApiParameter], model: str | None) -> ApiRequest:
    """Read a request's parameters; raises ApiError, which names each bad one."""
    known = {each.name: each for each in parameters}
    bad = _unknown(request, known)
    values: dict[str, Any] = {}
    places = {"path": request.path_params, "query": request.query_params, "body": _body(request, known)}
    for parameter in parameters:
        value = places[parameter.place].get(parameter.name)
        if value or parameter.is_required:
            try:
                values[parameter.name] = _read(parameter, value)
            except ValueError as error:
                bad.append(BadFilter(parameter.name, _short(value or ""), f"expected {error}"))
    selection = Selection()
    if model:
        said = {name: values.pop(name) for name in list(values) if name in FILTERS and known[name].place == "query"}
        try:
            selection = filters.read_filters(model, said, _terms(request))
        except WrongFilters as wrong:
            bad += [BadFilter(each.name, _short(each.value), each.problem) for each in wrong.bad]
    if bad:
        raise refusing.parameter_errors(bad)
    return ApiRequest(request, values, selection)


def _read(parameter: ApiParameter, value: str | None) -> Any:
    """Read a parameter; raises ValueError, for one that is required and missing, too, even if it may be empty."""
    read = parameter.read(value or "")
    if value is None and parameter.is_required:
        raise ValueError("it, if only as an empty text")
    return read


def _unknown(request: Request, known: Mapping[str, ApiParameter]) -> list[BadFilter]:
    """Return the unknown parameters of the query: a misspelt one must not be ignored silently."""
    given = request.query_params.multi_items()
    counts = Counter(name for name, _ in given)
    expected = [each.name for each in known.values() if each.place == "query"]
    bad = [
        BadFilter(_short(name), _short(value), f"no parameter here: expected some of {', '.join(expected) or 'none'}")
        for name, value in given
        if name not in expected
    ]
    return bad + [
        BadFilter(name, "", "given more than once: expected it once") for name in expected if counts[name] > 1
    ]


def _body(request: Request, known: Mapping[str, ApiParameter]) -> dict[str, str]:
    """Return the texts of a JSON object, if the operation has a body."""
    if not any(each.place == "body" for each in known.values()):
        return {}
    try:
        body = msgspec.json.decode(request.state.body, type=dict[str, str])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise refusing.parameter_errors([BadFilter("body", "", f"expected a JSON object of texts: {error}")]) from error
    bad = [
        BadFilter(_short(name), _short(value), "no member here") for name, value in body.items() if name not in known
    ]
    if bad:
        raise refusing.parameter_errors(bad)
    return body


def _terms(request: Request) -> FilterContext:
    ledger: Ledger = request.app.state.ledger
    return FilterContext(
        ledger.timezone,
        ledger.line_rule,
        ledger.options.window,
        request.app.state.clock(),
        request.state.identity.sees_pii,
    )


def _short(value: str) -> str:
    return value if len(value) <= SHOWN_VALUE_LENGTH_MAX else value[:SHOWN_VALUE_LENGTH_MAX] + "…"


def parameter_error(name: str, value: str, error: LedgerError) -> refusing.ApiError:
    """Return the refusal of one parameter that turned out to be wrong only while reading data."""
    return refusing.parameter_errors([BadFilter(name, _short(value), str(error))])

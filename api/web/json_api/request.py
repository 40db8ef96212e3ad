"""What was asked of an operation: its parameters, read by the operation's own table, and who asks."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from sqlalchemy import Connection
from starlette.requests import Request

from api.application.masking import MASKS
from api.application.read_model_pool import Room, Shelf
from api.processes.jobs import Jobs
from api.web.auth.roles import Who
from api.web.json_api import refusal as refusing
from api.web.json_api.parameters import FILTERS, Parameter
from domain.errors import LedgerError, WrongAct
from domain.ledger import Ledger
from domain.operators.session import Acting
from projections.queries import filter_texts as filters
from projections.queries.filter_texts import BadFilter, Terms, WrongFilters
from projections.queries.row_stream import Masks
from projections.queries.selection import Selection

SHOWN_VALUE_LENGTH_MAX = 100


class Asked(msgspec.Struct):
    """A request as a handler gets it; ``position`` is set to where what it shows stands in the log."""

    request: Request
    values: dict[str, Any]
    selection: Selection
    position: int | None = None

    @property
    def who(self) -> Who:
        """Who asks."""
        who: Who = self.request.state.who
        return who

    @property
    def ledger(self) -> Ledger:
        """The ledger."""
        ledger: Ledger = self.request.app.state.ledger
        return ledger

    @property
    def shelf(self) -> Shelf:
        """The read models."""
        shelf: Shelf = self.request.app.state.shelf
        return shelf

    @property
    def jobs(self) -> Jobs:
        """What starts jobs, and knows the last ones."""
        found: Jobs = self.request.app.state.jobs
        return found

    @property
    def now(self) -> int:
        """The moment, in microseconds, UTC."""
        now: int = self.request.app.state.clock()
        return now

    @property
    def masks(self) -> Masks:
        """The columns that who asks may not see as they are."""
        return {} if self.who.sees_pii else MASKS

    @contextmanager
    def reading(self) -> Iterator[Room]:
        """Begin to read the read models, and note at which position."""
        with self.shelf.reading() as room:
            self.position = room.position
            yield room

    @contextmanager
    def acting(self) -> Iterator[Acting]:
        """Begin an act of who asks, for the reason given; raises Refusal where the act is not possible."""
        try:
            with self.ledger.acting(self.who.name, self.values["reason"]) as acting:
                yield acting
        except WrongAct as error:
            raise refusing.Refusal(409, str(error)) from error

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Begin to read the read models, for who needs only their tables."""
        with self.reading() as room:
            yield room.connection


def read(request: Request, parameters: Sequence[Parameter], model: str | None) -> Asked:
    """Read a request's parameters; raises Refusal, which names each bad one."""
    known = {each.name: each for each in parameters}
    bad = _unknown(request, known)
    values: dict[str, Any] = {}
    places = {"path": request.path_params, "query": request.query_params, "body": _body(request, known)}
    for parameter in parameters:
        value = places[parameter.place].get(parameter.name)
        is_given = value is not None and (value or parameter.place != "query")
        if is_given or parameter.is_required:
            try:
                values[parameter.name] = parameter.read(value or "")
            except ValueError as error:
                bad.append(BadFilter(parameter.name, _short(value or ""), f"expected {error}"))
    selection = Selection()
    if model:
        said = {name: values.pop(name) for name in list(values) if name in FILTERS and known[name].place == "query"}
        try:
            selection = filters.read(model, said, _terms(request))
        except WrongFilters as wrong:
            bad += [BadFilter(each.name, _short(each.value), each.problem) for each in wrong.bad]
    if bad:
        raise refusing.wrong(bad)
    return Asked(request, values, selection)


def _unknown(request: Request, known: Mapping[str, Parameter]) -> list[BadFilter]:
    """Return the parameters of the query that mean nothing here: one that is misspelt must not be without effect."""
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


def _body(request: Request, known: Mapping[str, Parameter]) -> dict[str, str]:
    """Return the texts of a JSON object, where an operation takes one."""
    if not any(each.place == "body" for each in known.values()):
        return {}
    try:
        body = msgspec.json.decode(request.state.body, type=dict[str, str])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise refusing.wrong([BadFilter("body", "", f"expected a JSON object of texts: {error}")]) from error
    bad = [
        BadFilter(_short(name), _short(value), "no member here") for name, value in body.items() if name not in known
    ]
    if bad:
        raise refusing.wrong(bad)
    return body


def _terms(request: Request) -> Terms:
    ledger: Ledger = request.app.state.ledger
    return Terms(ledger.timezone, ledger.terms.reach, request.app.state.clock())


def _short(value: str) -> str:
    return value if len(value) <= SHOWN_VALUE_LENGTH_MAX else value[:SHOWN_VALUE_LENGTH_MAX] + "…"


def refused(name: str, value: str, error: LedgerError) -> refusing.Refusal:
    """Return the refusal of one parameter, of which only the reading itself could tell that it is wrong."""
    return refusing.wrong([BadFilter(name, _short(value), str(error))])

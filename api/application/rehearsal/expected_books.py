"""The expected books: what was sent, how it was answered, and so what must be charged, per call and per tag.

They follow from the calls and their answered notices, by SPEC 5 and 7. They do not use the ledger's own code: two programs
that share a mistake cannot find it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import msgspec

from api.application.rehearsal import random_charges as cdr
from api.application.rehearsal.charged_call import ChargedCall, TagTotal, charged_call, tag_totals
from api.application.rehearsal.plan import NoticeRef, PlannedRequest
from api.application.rehearsal.simulated_call import KINDS, Kind, SimulatedCall, SimulatedNotice
from domain.calls.call import MISSING_OPENING, REPEATED_CDR
from domain.errors import WrongUsage
from domain.notices.statuses import DISPOSITIONS, FAILED_OPENINGS, OUTCOMES
from projections.atomic_file import NotWritten, write_whole

VERSION = 1
CLIENT_ERRORS = range(400, 500)
HUNG_UP = 0


class InvalidBooksFile(WrongUsage):
    """A file is not the books of a rehearsal; the message says why."""


class CallEntry(msgspec.Struct, frozen=True):
    """A call in the books: its sent and unsent notices, and the row that the ledger must have for it.

    ``events`` is the number of notices that the ledger must have. ``row`` is None if no CDR was sent: then nothing can be
    charged. An ``unsure`` call has a sent notice without an answer, so it is not known what the ledger has of its line.
    """

    sort: str
    tag: str
    src: str
    sent: list[Kind]
    unsent: list[Kind]
    events: int
    row: ChargedCall | None
    unsure: bool = False


class InvalidRequest(msgspec.Struct, frozen=True):
    """A notice that must be in quarantine: as it was sent, and the parameter at fault (``sig``: the signature)."""

    query: str
    parameter: str


class BooksFile(msgspec.Struct, frozen=True):
    """The saved books; ``answers`` counts HTTP statuses, ``totals`` are per tag."""

    version: int
    seed: int
    calls: list[CallEntry]
    totals: list[TagTotal]
    voicemails: list[str]
    channels: list[str]
    unfit: list[InvalidRequest]
    answers: dict[str, int]


class ExpectedBooks:
    """The expected books of a running rehearsal."""

    def __init__(self, seed: int, calls: Sequence[SimulatedCall]) -> None:
        """Expect the calls of the scenario, in its order."""
        self._seed = seed
        self._calls = calls
        self._begun: dict[int, set[NoticeRef]] = {}
        self._answered: dict[int, set[NoticeRef]] = {}
        self._unfit: dict[bytes, str] = {}
        self.answers: Counter[int] = Counter()
        self.unexpected: Counter[str] = Counter()

    def begin(self, sending: PlannedRequest) -> None:
        """Note that a request is about to be sent: from now on the ledger may have its notice."""
        if sending.notified:
            self._begun.setdefault(sending.notified.call, set()).add(sending.notified)

    def answer(self, sending: PlannedRequest, status: int) -> None:
        """Note the final answer to a request, an HTTP status."""
        self.answers[status] += 1
        if sending.notified:
            self._answered.setdefault(sending.notified.call, set()).add(sending.notified)
        if sending.what in ("wrong-signature", "broken"):
            self._unfit[sending.query] = sending.at_fault or "sig"
        if not _is_expected(sending, status):
            self.unexpected[f"{status} to what was {sending.what}"] += 1

    @property
    def calls(self) -> int:
        """The number of calls with a sent notice so far."""
        return sum(self._calls[number].sort not in KINDS for number in self._begun)

    @property
    def unanswered(self) -> int:
        """The number of sent notices without an answer so far."""
        return sum(len(begun - self._answered.get(number, set())) for number, begun in self._begun.items())

    def document(self) -> BooksFile:
        """Return the books so far; notices that were not sent are not in them."""
        entries = [self._entry(number) for number in sorted(self._begun)]
        calls = [entry for entry in entries if entry.sort not in KINDS]
        unsure = {(entry.tag, entry.src) for entry in calls if entry.unsure}
        owed = [entry.row for entry in calls if entry.row and (entry.tag, entry.src) not in unsure]
        return BooksFile(
            VERSION,
            self._seed,
            calls,
            tag_totals(owed),
            self._system("voicemail", "voicemail"),
            self._system("deletechannel", "src"),
            [InvalidRequest(query.decode(), parameter) for query, parameter in self._unfit.items()],
            {str(status): count for status, count in sorted(self.answers.items())},
        )

    def _entry(self, number: int) -> CallEntry:
        call, answered = self._calls[number], self._answered.get(number, set())
        known = {notified.notice for notified in answered}
        sent = [notice for place, notice in enumerate(call.notices) if place in known]
        unsent = [notice.kind for place, notice in enumerate(call.notices) if place not in known]
        cdrs = sum(notified.kind == "cdr" for notified in answered)
        row = _owed(call, sent, cdrs) if cdrs else None
        unsure = self._begun[number] != answered
        return CallEntry(
            call.sort, call.tag, call.src, [notice.kind for notice in sent], unsent, len(answered), row, unsure
        )

    def _system(self, kind: str, name: str) -> list[str]:
        """Return one parameter of each answered notice of the system of a kind."""
        numbers = [number for number in sorted(self._answered) if self._calls[number].sort == kind]
        return [self._calls[number].notices[0].value(name) for number in numbers]


def _owed(call: SimulatedCall, sent: list[SimulatedNotice], cdrs: int) -> ChargedCall:
    """Return the row that a ledger must have for a call with these sent notices, including this number of CDRs."""
    said: dict[Kind, SimulatedNotice] = {notice.kind: notice for notice in sent if notice.kind != "input"}
    numbers = cdr.read_charges(said["cdr"].pairs)
    disposition = DISPOSITIONS.get(_deciding_status(said)) or ("ANSWERED" if numbers[1] else "UNKNOWN")
    flags = [MISSING_OPENING] * ("opening" not in said) + [REPEATED_CDR] * (cdrs > 1)
    return charged_call(call.tag, call.src, disposition, numbers, flags)


def _deciding_status(said: Mapping[Kind, SimulatedNotice]) -> str:
    """Return the deciding status (SPEC 5) of a call without contradictory notices."""
    status = {kind: notice.value("status") for kind, notice in said.items()}
    if status["cdr"] in OUTCOMES:
        return status["cdr"]
    if "outcome" in status:
        return status["outcome"]
    return status["cdr"] if status["cdr"] in FAILED_OPENINGS else status.get("opening", "")


def _is_expected(sending: PlannedRequest, status: int) -> bool:
    if sending.what == "garbage":
        return status in CLIENT_ERRORS or status == HUNG_UP
    return status == {"genuine": 200, "broken": 202, "wrong-signature": 403}[sending.what]


def save_books(document: BooksFile, path: Path) -> None:
    """Write the books into a file, whole or not at all; raises NotWritten."""
    try:
        with write_whole(path) as file:
            file.write(msgspec.json.format(msgspec.json.encode(document), indent=1))
    except OSError as error:
        msg = f"the books cannot be written to {path}: {error.strerror or error}"
        raise NotWritten(msg) from error


def load_books(path: Path) -> BooksFile:
    """Read saved books; raises InvalidBooksFile."""
    try:
        document = msgspec.json.decode(path.read_bytes(), type=BooksFile)
    except (OSError, msgspec.DecodeError) as error:
        msg = f"{path} cannot be read as the books of a rehearsal: {error}"
        raise InvalidBooksFile(msg) from error
    if document.version != VERSION:
        msg = f"{path} has version {document.version} of a rehearsal's books: expected {VERSION}"
        raise InvalidBooksFile(msg)
    return document

"""A rehearsal without a network: the requests of a plan in the order in which a platform would make them, on made-up time."""

import heapq
from collections.abc import Callable, Iterator, Sequence

from api.application.rehearsal.expected_books import BooksFile, ExpectedBooks
from api.application.rehearsal.plan import Chain, PlannedRequest
from api.application.rehearsal.script import Script
from domain.ledger import Ledger
from domain.outcomes import Quarantined, RecordOutcome
from tests.support.notices import KEY, START

FORMULA = "md5-params"


def script(seed: int = 7, calls: int = 40, *, chaos: bool = True, speed: float = 60) -> Script:
    """Return a short script."""
    return Script(seed=seed, calls=calls, rate=5, speed=speed, chaos=chaos)


def in_order(plan: Sequence[Chain]) -> Iterator[tuple[int, PlannedRequest]]:
    """Yield the requests with their times, microseconds from the start: each when due, and after the one before it."""
    waiting = [(chain[0].due, number, 0) for number, chain in enumerate(plan) if chain]
    heapq.heapify(waiting)
    while waiting:
        at, number, place = heapq.heappop(waiting)
        chain = plan[number]
        yield at, chain[place]
        if place + 1 < len(chain):
            heapq.heappush(waiting, (max(at + 1, chain[place + 1].due), number, place + 1))


def play(plan: Sequence[Chain], books: ExpectedBooks, answer: Callable[[int, bytes], int]) -> BooksFile:
    """Have every notice of a plan answered with a status, given its time and its query, and return the books."""
    for at, sending in in_order(plan):
        if sending.what != "garbage":
            books.begin(sending)
            books.answer(sending, answer(START + at, sending.query))
    return books.document()


def play_into(ledger: Ledger, played: Script) -> BooksFile:
    """Play a script into a ledger, in one transaction, and return the platform's books."""
    plan, books = played.prepare(FORMULA, KEY)
    with ledger.recording() as recording:
        return play(plan, books, lambda at, query: status(recording.record_all([ledger.verify_delivery(query, at)])[0]))


def status(answer: RecordOutcome) -> int:
    """Return the HTTP status that stands for a ledger's answer."""
    if isinstance(answer, Quarantined):
        return 202 if answer.problem else 403
    return 200

"""A process that records into a store beside others: ``python -m tests.support.recorder_process MODE URL SEED``.

It opens (or creates) the ledger when a line comes in on stdin, so that several begin at one moment, and prints what it
was answered as JSON.

``share``: two threads record all of ``crowd()`` in an order of their own, in small transactions. ``throng``: one does so
with ``throng()``. ``endless``: one event a
transaction, each position printed once it is promised, until killed. ``full``: the same, in a file that may not grow,
then in one that may.
"""

import json
import random
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

from domain.errors import StoreUnavailable
from domain.ledger import Ledger
from domain.notices.signature import Keyring
from domain.outcomes import Duplicate, Recorded
from tests.support.ledgers import record
from tests.support.notices import FORMULA, GRACE, KEY, SentNotice, callstatus, cdr

Answers = list[tuple[str, str, int]]


def crowd() -> list[SentNotice]:
    """Return notices that crowd a few lines: many open calls of their own, in whatever order they are recorded."""
    found = []
    for tag in ("one", "two", "three"):
        for number in range(20):
            at = number * 300 * GRACE
            found.append(callstatus("SRCFAILED", at, tag=tag, r=f"{tag}-{number}-a"))
            found.append(cdr(at + 1, "COMPLETED", tag=tag, r=f"{tag}-{number}-b", srcduration=str(number)))
    return found


def throng() -> list[SentNotice]:
    """Return the notices of many calls on very few lines, most of them near each other."""
    found = []
    for number in range(120):
        tag, at = f"line-{number % 3}", number * GRACE // 4
        for step, name in enumerate(("SRCANSWERED", "COMPLETED", "RINGING")):
            found.append(callstatus(name, at + step, tag=tag, r=f"{number}-{step}"))
        found.append(cdr(at + 9, "COMPLETED", tag=tag, r=f"{number}-cdr", srcduration=str(number)))
    return found


def share(ledger: Ledger, seed: int, notices: Callable[[], list[SentNotice]] = crowd) -> Answers:
    """Record all of the notices in an order of one's own."""
    chance = random.Random(seed)
    todo = notices()
    chance.shuffle(todo)
    answers: Answers = []
    while todo:
        size = chance.randint(1, 5)
        batch, todo = todo[:size], todo[size:]
        for notice, answer in zip(batch, record(ledger, *batch), strict=True):
            assert isinstance(answer, Recorded | Duplicate)
            answers.append((dict(notice.pairs)["r"], type(answer).__name__, answer.position))
    return answers


def endless(ledger: Ledger, seed: int) -> None:
    """Record for ever; say each position only once it is promised."""
    for number in range(10**9):
        (answer,) = record(ledger, callstatus("RINGING", number * GRACE, r=f"{seed}-{number}"))
        assert isinstance(answer, Recorded)
        print(answer.position, flush=True)


def full(ledger: Ledger) -> dict[str, object]:
    """Fill a file that may not grow beyond a limit, then let it grow."""
    size = Path(ledger.path + "-wal").stat().st_size
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 200_000, hard))
    large, kept, refusal = "x" * 10_000, 0, ""
    while not refusal:
        try:
            record(ledger, *[cdr(kept, p=large, r=f"{kept}-{number}") for number in range(3)])
            kept += 1
        except StoreUnavailable as error:
            refusal = str(error)
    head = ledger.head()
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    answers = record(ledger, *[cdr(kept, p=large, r=f"{kept}-{number}") for number in range(3)])
    after = [answer.position for answer in answers if isinstance(answer, Recorded)]
    return {"kept": kept, "head": head, "refusal": refusal, "after": after}


def main(mode: str, url: str, seed: int) -> None:
    """Do as the mode says, once told to begin."""
    print("ready", flush=True)
    sys.stdin.readline()
    with closing(Ledger(url, Keyring(FORMULA, [KEY]), create=True)) as ledger:
        if mode == "share":
            with ThreadPoolExecutor(2) as threads:
                shared = threads.map(lambda number: share(ledger, 2 * seed + number), (0, 1))
                print(json.dumps({"id": ledger.id, "answers": [answer for answers in shared for answer in answers]}))
        elif mode == "throng":
            print(json.dumps({"id": ledger.id, "answers": share(ledger, seed, throng)}))
        elif mode == "full":
            print(json.dumps(full(ledger)))
        else:
            endless(ledger, seed)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))

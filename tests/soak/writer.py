"""A process that writes a ledger as told, by children of its own that may be killed: ``python -m tests.soak.writer``.

A child is made for each line of stdin, a job; it takes half a second less than a new process. It opens the ledger, takes the
steps and says on stdout what became of each. This process then says how the child ended.
"""

import os
import sys
import traceback
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec

import domain.log.postgres.log  # noqa: F401 - loaded before a child is made, and not by each of them
import projections.stores.postgres  # noqa: F401
from domain import times
from domain.errors import CommandRejected, LedgerError
from domain.ledger import Ledger
from domain.notices.signature import Keyring
from domain.outcomes import Duplicate, Recorded
from projections.building.catch_up import catch_up
from projections.stores.generations import open_current
from tests.soak.acts import ACTS, act
from tests.soak.jobs import Job, Said, Step
from tests.support.notices import FORMULA, KEY


def say(said: Said) -> None:
    """Say something in one piece."""
    os.write(1, msgspec.json.encode(said) + b"\n")


def journal_bytes() -> int:
    """Return how much of the journal of changes there is: what is answered now must survive a power cut from here on."""
    return Path(os.environ["SOAK_JOURNAL"]).stat().st_size


def record(ledger: Ledger, step: Step) -> list[int]:
    """Record a step's notices in one transaction, and return their positions."""
    answers = ledger.record([ledger.verify_delivery(query.encode(), times.now()) for query in step.queries])
    return [answer.position for answer in answers if isinstance(answer, Recorded | Duplicate)]


def follow(ledger: Ledger, _: Step) -> list[int]:
    """Let the read models follow."""
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
    return []


STEPS: dict[str, Callable[[Ledger, Step], list[int]]] = {
    "record": record,
    **dict.fromkeys(ACTS, act),
    "follow": follow,
}


def take_steps(job: Job) -> None:
    """Take the steps of a job; what the store cannot do now is said and left to a later job."""
    with closing(Ledger(job.url, Keyring(FORMULA, [KEY]), create=True)) as ledger:
        for number, step in enumerate(job.steps):
            try:
                say(Said(number, "done", STEPS[step.what](ledger, step), journal_bytes()))
            except CommandRejected as error:
                say(Said(number, "rejected", text=str(error)))
            except LedgerError as error:
                say(Said(number, "refused", text=str(error)))


def work(job: Job) -> int:
    """Do a job in a child, and return how that ended."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    status = 1
    try:
        take_steps(job)
        status = 0
    except LedgerError as error:
        say(Said(-1, "refused", text=str(error)))
        status = 3
    except BaseException:  # noqa: BLE001 - anything else is a finding, and the one who asked is told
        say(Said(-1, "crashed", text=traceback.format_exc()))
    finally:
        os._exit(status)


def main() -> None:
    """Do each job that stdin brings."""
    for line in sys.stdin.buffer:
        status = work(msgspec.json.decode(line, type=Job))
        say(Said(-1, "ended", [os.waitstatus_to_exitcode(status)]))


if __name__ == "__main__":
    main()

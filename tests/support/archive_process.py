"""A process that archives a ledger, and kills itself before or after one of its steps.

Arguments: the store's URL, the folder, the number of the step, and ``before`` or ``after``.
"""

import os
import signal
import sys
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from api.application.archive.folder import ArchiveFolder
from domain.ledger import Ledger
from tests.support.archives import archived

STEPS = ("keep", "replace")


def dying(step: Callable[..., Any], numbers: "count[int]", last: int, moment: str) -> Callable[..., Any]:
    def take(*arguments: Any) -> Any:
        number = next(numbers)
        if number == last and moment == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        done = step(*arguments)
        if number == last:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    return take


def main(url: str, dest: str, last: str, moment: str) -> None:
    numbers = count(1)
    for name in STEPS:
        setattr(ArchiveFolder, name, dying(getattr(ArchiveFolder, name), numbers, int(last), moment))
    with Ledger(url) as ledger:
        archived(ledger, Path(dest))


if __name__ == "__main__":
    main(*sys.argv[1:])

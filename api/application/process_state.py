"""The state of a helper process, and how it says what stopped it."""

from pathlib import Path
from traceback import extract_tb

import msgspec

from domain.errors import LedgerError


class ProcessState(msgspec.Struct, frozen=True):
    """How far a process is in the log, what stopped it (empty: nothing), and whether it is on standby.

    ``held_by`` says whose turn it is then, as the database names that session.
    """

    position: int = 0
    failure: str = ""
    stands_by: bool = False
    held_by: str = ""


def describe_failure(error: BaseException) -> str:
    """Return what stopped a process, for the log and for ``/health``.

    Errors of ours and of the system say it themselves. Of others the text is left out, because it may quote what a caller
    sent, a number or a tag: their type and where they were raised must do.
    """
    if isinstance(error, LedgerError):
        return str(error)
    kind = type(error).__name__
    if isinstance(error, OSError) and error.strerror:
        return f"{kind}: {error.strerror}"
    raised = extract_tb(error.__traceback__)
    return f"{kind} in {Path(raised[-1].filename).name}, line {raised[-1].lineno}" if raised else kind

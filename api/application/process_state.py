"""The state of a helper process."""

import msgspec


class ProcessState(msgspec.Struct, frozen=True):
    """How far a process is in the log, what stopped it (empty: nothing), and whether it is on standby.

    ``held_by`` says whose turn it is then, as the database names that session.
    """

    position: int = 0
    failure: str = ""
    stands_by: bool = False
    held_by: str = ""

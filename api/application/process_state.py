"""How far a helper process has come, and what stopped it."""

import msgspec


class ProcessState(msgspec.Struct, frozen=True):
    """How far a process has come in the log, what stops it (empty: nothing), and whether another does its work."""

    position: int = 0
    failure: str = ""
    stands_by: bool = False

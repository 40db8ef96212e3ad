"""The state of a helper process."""

import msgspec


class ProcessState(msgspec.Struct, frozen=True):
    """How far a process is in the log, what stopped it (empty: nothing), and whether it is on standby."""

    position: int = 0
    failure: str = ""
    stands_by: bool = False

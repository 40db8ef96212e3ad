"""What starts the helper processes: they are named, not imported, so that a service starts fast."""

from typing import TYPE_CHECKING

from api.application.forwarding_position import load_or_start
from api.application.process_state import ProcessState
from api.processes.supervised import SupervisedProcess
from domain.ledger import Ledger

if TYPE_CHECKING:
    from api.settings import Settings


def forwarder_process(ledger: Ledger, url: str) -> SupervisedProcess:
    """Return the forwarder of a ledger to a handler's address, not started; what comes from now on is forwarded."""
    stopped, going_on = "forwarding stands still", "forwarding goes on"
    # Named, not imported: it needs a library that callbacks should not wait for.
    child = SupervisedProcess("api.processes.forwarder", [ledger.url, url], stopped=stopped, going_on=going_on)
    child.state = ProcessState(load_or_start(ledger).position)
    return child


def follower_process(url: str) -> SupervisedProcess:
    """Return the follower of a ledger that exists, not started."""
    return SupervisedProcess(
        "api.processes.follower", [url], stopped="the read models stand still", going_on="the read models follow again"
    )


def prover_process(url: str, settings: "Settings") -> SupervisedProcess:
    """Return the prover of a ledger that exists, not started."""
    key_file = str(settings.log_key or "")
    arguments = [url, key_file, settings.origin or "", str(settings.checkpoint_seconds), *settings.witnesses]
    return SupervisedProcess(
        "api.processes.prover", arguments, stopped="the proof tree stopped", going_on="the proof tree grows again"
    )

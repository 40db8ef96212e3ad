"""What starts the helper processes: they are named, not imported, so that a service starts fast."""

from api.application.forwarding_position import load_or_start
from api.application.process_state import ProcessState
from api.processes.supervised import SupervisedProcess
from domain.ledger import Ledger


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

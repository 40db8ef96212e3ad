"""What starts the helper processes: they are named, not imported, so that a service starts fast."""

from api.application.forwarding_position import begin
from api.application.process_state import State
from api.processes.supervised import Child
from domain.ledger import Ledger


def of(ledger: Ledger, url: str) -> Child:
    """Return the forwarder of a ledger to a handler's address, not started; what comes from now on is forwarded."""
    stopped, going_on = "forwarding stands still", "forwarding goes on"
    # Named, not imported: it needs a library that callbacks should not wait for.
    child = Child("api.processes.forwarder", [ledger.url, url], stopped=stopped, going_on=going_on)
    child.state = State(begin(ledger).position)
    return child


def follower(url: str) -> Child:
    """Return the follower of a ledger that exists, not started."""
    return Child(
        "api.processes.follower", [url], stopped="the read models stand still", going_on="the read models follow again"
    )

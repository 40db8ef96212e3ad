"""Makes the supervised helper processes; their modules are named, not imported, so that the service starts fast."""

from typing import TYPE_CHECKING

from api.application.forwarding_position import load_or_start
from api.application.process_state import ProcessState
from api.processes.supervised import SupervisedProcess
from domain.ledger import Ledger

if TYPE_CHECKING:
    from api.settings import Settings


def forwarder_process(ledger: Ledger, url: str) -> SupervisedProcess:
    """Return the forwarder to a handler's URL, not started yet; it forwards notifications that come in from now on."""
    stopped, resumed = "forwarding stopped", "forwarding continues"
    child = SupervisedProcess("api.processes.forwarder", [ledger.url, url], stopped=stopped, resumed=resumed)
    child.state = ProcessState(load_or_start(ledger).position)
    return child


def follower_process(url: str) -> SupervisedProcess:
    """Return the follower of an existing ledger, not started yet."""
    return SupervisedProcess(
        "api.processes.follower", [url], stopped="read models stopped", resumed="read models continue"
    )


def prover_process(url: str, settings: "Settings") -> SupervisedProcess:
    """Return the prover of an existing ledger, not started yet."""
    key_file = str(settings.log_key or "")
    arguments = [url, key_file, settings.origin or "", str(settings.checkpoint_seconds), *settings.witnesses]
    return SupervisedProcess(
        "api.processes.prover", arguments, stopped="the proof tree stopped", resumed="the proof tree continues"
    )

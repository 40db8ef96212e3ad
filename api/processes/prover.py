"""The prover: a process of its own that takes the log's events into the proof tree and signs checkpoints of it.

No callback waits for it, and nothing that stops it touches them: neither a full disk for the tree, nor a key that cannot be
used, nor a log that does not continue its tree. Each is told in the service's log and on ``/health``.
"""

from threading import Event

from api.application.proofs.prover_settings import prover_settings_of_texts
from api.application.proofs.tree_keeper import TreeKeeper, keep_tree
from api.processes import supervised


def main() -> None:
    """Keep the tree of the ledger that the service names, until the service ends.

    Its state goes to the service after each step.
    """
    url, *texts = supervised.read_arguments()
    # Callbacks come first: a tree that is behind catches up.
    supervised.give_way()
    stopping = Event()
    supervised.on_parent_exit(stopping.set)
    ledger = supervised.open_ledger(url, stopping)
    if ledger is None:
        return
    with ledger:
        keep_tree(TreeKeeper(ledger, prover_settings_of_texts(*texts)), stopping, supervised.report_state)


if __name__ == "__main__":
    main()

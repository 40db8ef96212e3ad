"""A process of an operator, who acts on a ledger beside others: ``python -m tests.support.operator_process MODE URL NAME``.

It begins when a line comes in on stdin. ``together``: publishes tariffs, closes months and corrects the same call as the others
do, and prints as JSON at which positions it did so, 0 where it was refused. ``endless``: three acts a transaction, the position of
the last printed once all are promised, until killed. ``halting``: acts, says so, and stays before the end of its transaction.
"""

import json
import sys
from collections.abc import Callable
from contextlib import closing

from domain.errors import CommandRejected
from domain.events.streams import call_id
from domain.ledger import Ledger
from domain.operators.session import OperatorSession
from tests.support.notices import SRC, TAG

CALL = call_id((TAG, SRC), 1)
TARIFF = '[[rules]]\ntag = "*"\nmarkup_percent = 7\n'
PUBLISHED_EACH = 8
MONTHS = [f"2026-{month:02}" for month in range(1, 10)]
REASON = "as agreed"


def act(ledger: Ledger, name: str, do: Callable[[OperatorSession], int]) -> int:
    """Do one thing in a transaction of its own; return its position, or 0 where it was refused."""
    try:
        with ledger.operator_session(name, REASON) as session:
            return do(session)
    except CommandRejected:
        return 0


def close(month: str) -> Callable[[OperatorSession], int]:
    """Return what closes a month."""
    return lambda session: session.close_month(month)


def together(ledger: Ledger, name: str) -> dict[str, list[int]]:
    """Do what all do."""
    return {
        "published": [act(ledger, name, lambda session: session.publish_tariff(TARIFF)) for _ in range(PUBLISHED_EACH)],
        "closed": [act(ledger, name, close(month)) for month in MONTHS],
        "voided": [act(ledger, name, lambda session: session.void_call(CALL))],
        "split": [act(ledger, name, lambda session: session.split_call(CALL, [1]))],
    }


def three(session: OperatorSession) -> int:
    """Publish a tariff, charge an account, and credit it."""
    session.publish_tariff(TARIFF)
    return session.adjust_account("acme", 1_000_000, "2026-10") and session.adjust_account(
        "acme", -1_000_000, "2026-10"
    )


def endless(ledger: Ledger, name: str) -> None:
    """Act for ever; say each position only once it is promised."""
    while True:
        print(act(ledger, name, three), flush=True)


def halting(ledger: Ledger, name: str) -> None:
    """Act, and stay within the transaction."""
    with ledger.operator_session(name, REASON) as session:
        three(session)
        session.close_month("2026-09")
        print("acted", flush=True)
        sys.stdin.readline()


def main(mode: str, url: str, name: str) -> None:
    """Do as the mode says, once told to begin."""
    print("ready", flush=True)
    sys.stdin.readline()
    with closing(Ledger(url)) as ledger:
        if mode == "together":
            print(json.dumps(together(ledger, name)))
        elif mode == "endless":
            endless(ledger, name)
        else:
            halting(ledger, name)


if __name__ == "__main__":
    main(*sys.argv[1:])

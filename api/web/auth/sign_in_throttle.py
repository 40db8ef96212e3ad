"""How often somebody may guess: after five failed sign-ins by a name or from an address, only every so many seconds.

An attempt is noted as failed before it is looked at, and struck out where it succeeds: many at once count as many. Names
are kept as digests, since a token typed into the wrong field is one, too.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, delete, func, insert, select

from api.web.auth.store import AccessStore
from api.web.auth.tables import ATTEMPTS
from domain import times

FREE_ATTEMPTS = 5
WINDOW_SECONDS = 15 * 60
WAIT_SECONDS_MIN, WAIT_SECONDS_MAX = 4, 60
ATTEMPT = "attempt"


def of_name(name: str) -> str:
    """Return what attempts by a user's name are counted under."""
    return f"name {name}"


def of_address(host: str) -> str:
    """Return what attempts from an address are counted under."""
    return f"address {host}"


def begin_attempt(store: AccessStore, of: Sequence[str], now: int) -> int:
    """Note an attempt as failed, and return 0; or, where there were too many, return how many seconds are to be waited."""
    digests = [store.sealer.digest(ATTEMPT, each) for each in of]
    with store.exclusive() as connection:
        connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.at <= now - WINDOW_SECONDS * times.SECOND))
        wait = max(_wait(connection, digest, now) for digest in digests)
        if not wait:
            connection.execute(insert(ATTEMPTS), [{"of": digest, "at": now} for digest in digests])
    return wait


def forget_attempts(store: AccessStore, name: str, host: str, begun: int) -> None:
    """Strike out all attempts by a name, and of those from an address the one that began then and succeeded.

    The others stay, or else who has a token of his own could guess at others' for ever.
    """
    mine, ours = (store.sealer.digest(ATTEMPT, each) for each in (of_name(name), of_address(host)))
    with store.exclusive() as connection:
        connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.of == mine))
        one = select(func.max(ATTEMPTS.c.id)).where(ATTEMPTS.c.of == ours, ATTEMPTS.c.at == begun).scalar_subquery()
        connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.id == one))


def _wait(connection: Connection, of: bytes, now: int) -> int:
    counted = select(func.count(), func.max(ATTEMPTS.c.at)).where(ATTEMPTS.c.of == of)
    failed, last = connection.execute(counted).one()
    if failed < FREE_ATTEMPTS:
        return 0
    until: int = last + min(WAIT_SECONDS_MIN << (failed - FREE_ATTEMPTS), WAIT_SECONDS_MAX) * times.SECOND
    return max(-((now - until) // times.SECOND), 0)  # Rounded up: who comes back after so many is let in.

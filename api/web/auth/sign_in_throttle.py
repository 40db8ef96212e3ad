"""Limits on guessing: after five failed sign-ins of a name or an address, the next ones must wait.

An attempt is recorded as failed before it is checked and removed if it succeeds, so parallel attempts all count.
Names are kept as digests, since users sometimes type a token into the name field. The right token of a name is taken at any time (see ``sign_in``).
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
    """Return the key under which attempts for a user name are counted."""
    return f"name {name}"


def of_address(host: str) -> str:
    """Return the key under which attempts from an address are counted."""
    return f"address {host}"


def begin_attempt(store: AccessStore, of: Sequence[str], now: int) -> int:
    """Record an attempt as failed and return 0, or return how many seconds to wait if there were too many."""
    digests = [store.sealer.digest(ATTEMPT, each) for each in of]
    with store.exclusive() as connection:
        connection.execute(delete(ATTEMPTS).where(ATTEMPTS.c.at <= now - WINDOW_SECONDS * times.SECOND))
        wait = max(_wait(connection, digest, now) for digest in digests)
        if not wait:
            connection.execute(insert(ATTEMPTS), [{"of": digest, "at": now} for digest in digests])
    return wait


def forget_attempts(store: AccessStore, name: str, host: str, begun: int | None = None) -> None:
    """Remove all attempts for a name, and the one from an address that began at ``begun``, if any, and succeeded.

    The other attempts from the address stay; otherwise a user with a token could guess at other users' without
    limit.
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
    return max(-((now - until) // times.SECOND), 0)  # Rounded up, so that waiting exactly that long is enough.

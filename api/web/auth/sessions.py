"""Browser sessions: begun by signing in or by a link, ended by signing out or by time.

The cookie carries a random, signed name; the store keeps its digest. A session ends everywhere as soon as its row
is gone, and the roles of its user are read again on each request.
"""

from sqlalchemy import delete, insert, select

from api.web.auth.roles import Identity
from api.web.auth.store import AccessStore
from api.web.auth.tables import LINKS, SESSIONS, USERS
from api.web.auth.tokens import new_name
from api.web.auth.users import NoSuchUser, read_roles
from domain import times

SESSION_SECONDS = 12 * 3600
LINK_SECONDS = 3600
SESSION, CSRF, LINK = "session", "csrf", "link"


def begin_session(store: AccessStore, name: str, now: int) -> str:
    """Begin a session of a user and return the value of its cookie."""
    session = new_name()
    with store.exclusive() as connection:
        connection.execute(delete(SESSIONS).where(SESSIONS.c.ends_at <= now))
        ends_at = now + SESSION_SECONDS * times.SECOND
        digest = store.sealer.digest(SESSION, session)
        connection.execute(insert(SESSIONS).values(session=digest, name=name, began_at=now, ends_at=ends_at))
    return store.sealer.signed(session)


def find_session(store: AccessStore, cookie: str, now: int) -> Identity | None:
    """Return the user of the session in a cookie, or None if the session ended or the user was removed."""
    session = store.sealer.unsigned(cookie)
    if session is None:
        return None
    wanted = (
        select(USERS.c.name, USERS.c.roles)
        .join(SESSIONS, SESSIONS.c.name == USERS.c.name)
        .where(SESSIONS.c.session == store.sealer.digest(SESSION, session), SESSIONS.c.ends_at > now)
    )
    with store.snapshot() as connection:
        row = connection.execute(wanted).first()
    return (
        Identity(row.name, read_roles(row.roles), "session", store.sealer.digest(CSRF, session).hex()) if row else None
    )


def end_session(store: AccessStore, cookie: str) -> None:
    """End the session in a cookie, if there is one."""
    session = store.sealer.unsigned(cookie)
    if session is not None:
        with store.exclusive() as connection:
            connection.execute(delete(SESSIONS).where(SESSIONS.c.session == store.sealer.digest(SESSION, session)))


def new_link(store: AccessStore, name: str, now: int) -> str:
    """Return the secret of a link that signs a user in once, within an hour; raises NoSuchUser."""
    link = new_name()
    with store.exclusive() as connection:
        if not connection.execute(select(USERS.c.name).where(USERS.c.name == name)).first():
            msg = f"there is no user {name!r}"
            raise NoSuchUser(msg)
        ends_at = now + LINK_SECONDS * times.SECOND
        connection.execute(insert(LINKS).values(link=store.sealer.digest(LINK, link), name=name, ends_at=ends_at))
    return link


def redeem_link(store: AccessStore, link: str, now: int) -> str | None:
    """Return the user whom a link signs in and invalidate the link; None if it was used before or is too old."""
    digest = store.sealer.digest(LINK, link)
    with store.exclusive() as connection:
        name = connection.execute(select(LINKS.c.name).where(LINKS.c.link == digest, LINKS.c.ends_at > now)).scalar()
        connection.execute(delete(LINKS).where((LINKS.c.link == digest) | (LINKS.c.ends_at <= now)))
    return name

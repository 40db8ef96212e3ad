"""The users: their names, their roles, and the digest of each user's token."""

import hmac
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import Row, delete, insert, select, update

from api.web.auth.roles import Role
from api.web.auth.store import AccessStore
from api.web.auth.tables import LINKS, SESSIONS, USERS
from api.web.auth.tokens import SIZE_BYTES, new_token
from domain.errors import WrongUsage

NAME_LENGTH_MAX = 64
TOKEN = "token"  # noqa: S105 - what the digest is for


class UserExists(WrongUsage):
    """A user of that name exists already."""


class NoSuchUser(WrongUsage):
    """No user has that name."""


class User(NamedTuple):
    """A user as stored; times are microseconds, UTC."""

    name: str
    roles: frozenset[Role]
    added_at: int
    token_at: int


def is_name(text: str) -> bool:
    """Whether a text can be a user's name: printable, up to 64 characters, no spaces around it."""
    return 0 < len(text) <= NAME_LENGTH_MAX and text.isprintable() and text == text.strip()


def add_user(store: AccessStore, name: str, roles: Iterable[Role], now: int) -> str:
    """Add a user and return their token, which cannot be shown again; raises UserExists."""
    token = new_token()
    with store.exclusive() as connection:
        if connection.execute(select(USERS.c.name).where(USERS.c.name == name)).first():
            msg = f"there is a user {name!r} already"
            raise UserExists(msg)
        for table in (SESSIONS, LINKS):  # Left by a user of the same name who was removed while signing in.
            connection.execute(delete(table).where(table.c.name == name))
        row = {"token": store.sealer.digest(TOKEN, token), "added_at": now, "token_at": now}
        connection.execute(insert(USERS).values(name=name, roles=_text(roles), **row))
    return token


def list_users(store: AccessStore) -> list[User]:
    """Return all users, by name."""
    with store.snapshot() as connection:
        return [_user(row) for row in connection.execute(select(USERS).order_by(USERS.c.name))]


def remove_user(store: AccessStore, name: str) -> None:
    """Remove a user; their token, sessions and links become invalid at once. Raises NoSuchUser."""
    with store.exclusive() as connection:
        if not connection.execute(delete(USERS).where(USERS.c.name == name)).rowcount:
            raise _missing(name)
        for table in (SESSIONS, LINKS):
            connection.execute(delete(table).where(table.c.name == name))


def set_roles(store: AccessStore, name: str, roles: Iterable[Role]) -> None:
    """Give a user exactly these roles, from their next request on; raises NoSuchUser."""
    with store.exclusive() as connection:
        if not connection.execute(update(USERS).where(USERS.c.name == name).values(roles=_text(roles))).rowcount:
            raise _missing(name)


def renew_token(store: AccessStore, name: str, now: int) -> str:
    """Return a new token for a user; the old one, their sessions and links become invalid. Raises NoSuchUser."""
    token = new_token()
    with store.exclusive() as connection:
        changed = {"token": store.sealer.digest(TOKEN, token), "token_at": now}
        if not connection.execute(update(USERS).where(USERS.c.name == name).values(changed)).rowcount:
            raise _missing(name)
        for table in (SESSIONS, LINKS):
            connection.execute(delete(table).where(table.c.name == name))
    return token


def user_with_token(store: AccessStore, token: str) -> User | None:
    """Return the user who has this token."""
    with store.snapshot() as connection:
        row = connection.execute(select(USERS).where(USERS.c.token == store.sealer.digest(TOKEN, token))).first()
    return _user(row) if row else None


def has_token(store: AccessStore, name: str, token: str) -> bool:
    """Whether the user of that name has that token."""
    with store.snapshot() as connection:
        kept = connection.execute(select(USERS.c.token).where(USERS.c.name == name)).scalar()
    return hmac.compare_digest(kept or bytes(SIZE_BYTES), store.sealer.digest(TOKEN, token))


def read_roles(text: str) -> frozenset[Role]:
    """Return the roles in a stored text."""
    return frozenset(Role(role) for role in text.split())


def _text(roles: Iterable[Role]) -> str:
    return " ".join(sorted(roles))


def _user(row: Row[tuple[str, str, bytes, int, int]]) -> User:
    return User(row.name, read_roles(row.roles), row.added_at, row.token_at)


def _missing(name: str) -> NoSuchUser:
    return NoSuchUser(f"there is no user {name!r}")

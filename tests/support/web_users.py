"""Users of a service under test: signed in with a browser's session, or with a token as programs have."""

import re
from itertools import count

from starlette.testclient import TestClient

from api.service import Service
from api.web.auth import sessions, users
from api.web.auth.roles import Role

_numbers = count(1)


def added(service: Service, *roles: str, name: str = "") -> tuple[str, str]:
    """Add a user with these roles; return his name and token."""
    name = name or f"user {next(_numbers)}"
    return name, users.add_user(
        service.authenticator.store, name, [Role(role) for role in roles], service.authenticator.clock()
    )


def bearer(service: Service, *roles: str) -> dict[str, str]:
    """Return the headers of a program that has these roles."""
    return {"Authorization": f"Bearer {added(service, *roles)[1]}"}


def sign_in(client: TestClient, service: Service, *roles: str) -> str:
    """Sign a client in as a new user with these roles, by a link; return the user's name."""
    name, _ = added(service, *roles)
    link = sessions.new_link(service.authenticator.store, name, service.authenticator.clock())
    assert client.get(f"/sign-in?link={link}", follow_redirects=False).status_code == 303
    return name


def csrf_token(client: TestClient, path: str = "/access-log") -> str:
    """Return what the forms of a client's session carry, as a page shows it."""
    found = re.search(r'name="csrf_token" value="([0-9a-f]+)"', client.get(path).text)
    assert found
    return found[1]

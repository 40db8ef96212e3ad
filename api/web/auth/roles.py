"""The roles, and who somebody is: his name and what he may."""

from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """What a user may do. Each of them includes ``read``, and none includes any other."""

    READ = "read"
    EXPORT = "export"
    OPERATE = "operate"
    PII = "pii"


class Identity(NamedTuple):
    """Who asks; ``how`` is ``session`` or ``token``, and ``csrf_token`` is what his forms carry (empty with a token)."""

    name: str
    roles: frozenset[Role]
    how: str = "session"
    csrf_token: str = ""

    def has_role(self, role: Role) -> bool:
        """Whether he has a role, or one that includes it."""
        return role in self.roles or (role == Role.READ and bool(self.roles))

    @property
    def sees_pii(self) -> bool:
        """Whether he sees full phone numbers, e-mails and what callers keyed."""
        return Role.PII in self.roles


class Did(StrEnum):
    """What somebody did, as the access log says it."""

    VIEWED = "viewed"
    EXPORTED = "exported"
    CHANGED = "changed"
    REFUSED = "refused"
    SIGNED_IN = "signed in"
    SIGNED_OUT = "signed out"
    FAILED = "failed to sign in"

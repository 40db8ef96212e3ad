"""The roles, and the identity of a user: a name and its roles."""

from enum import StrEnum
from typing import NamedTuple


class Role(StrEnum):
    """What a user may do. Each role includes ``read``, and none includes another."""

    READ = "read"
    EXPORT = "export"
    OPERATE = "operate"
    PII = "pii"
    AUDITOR = "auditor"


class Identity(NamedTuple):
    """The user of a request; ``how`` is ``session`` or ``token``; ``csrf_token`` goes into forms (empty with a token)."""

    name: str
    roles: frozenset[Role]
    how: str = "session"
    csrf_token: str = ""

    def has_role(self, role: Role) -> bool:
        """Whether the user has a role, or one that includes it."""
        return role in self.roles or (role == Role.READ and bool(self.roles))

    @property
    def sees_pii(self) -> bool:
        """Whether the user sees full phone numbers, e-mail addresses and keyed digits."""
        return Role.PII in self.roles


class AuditAction(StrEnum):
    """What a user did, as the audit log records it."""

    VIEWED = "viewed"
    EXPORTED = "exported"
    CHANGED = "changed"
    REFUSED = "refused"
    SIGNED_IN = "signed in"
    SIGNED_OUT = "signed out"
    FAILED = "failed to sign in"

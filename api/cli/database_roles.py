"""What `migrate` makes in PostgreSQL besides the log, and the rights of the roles that use it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from domain.ledger import Ledger
    from projections.stores.postgres_rights import Right


def make_other_schemas(ledger: Ledger) -> bool:
    """Make the schemas of the read models, the users and the proofs; return whether read models were dropped for that."""
    from api.web.auth.store import make_access_schema
    from projections.proofs.proof_store import make_proofs_schema
    from projections.stores.postgres import PostgresGenerations

    make_access_schema(ledger.url)
    make_proofs_schema(ledger.url, ledger.id)
    return PostgresGenerations(ledger.url, ledger.id).make()


def lacks_other_schemas(ledger: Ledger) -> bool:
    """Whether the schemas of the read models are missing, or have the form of another version."""
    from projections.stores.postgres import PostgresGenerations

    return not PostgresGenerations(ledger.url, ledger.id).are_made()


def service_rights() -> Sequence[Right]:
    """Return what the role of a service needs."""
    from api.web.auth import store as access
    from projections.proofs import proof_store
    from projections.stores import postgres_rights

    return (*postgres_rights.SERVICE, *proof_store.SERVICE_RIGHTS, *access.SERVICE_RIGHTS)


def reader_rights() -> Sequence[Right]:
    """Return what the role of a reader needs."""
    from projections.proofs import proof_store
    from projections.stores import postgres_rights

    return (*postgres_rights.READER, *proof_store.READER_RIGHTS)


def missing_rights(url: str, service: Sequence[str], reader: Sequence[str]) -> list[str]:
    """Return as sentences what the roles lack; without any, what the connecting role lacks to serve."""
    from projections.stores import postgres_rights

    wanted: list[tuple[str | None, Sequence[Right]]] = [
        *((role, service_rights()) for role in service),
        *((role, reader_rights()) for role in reader),
    ]
    return [
        sentence
        for role, rights in wanted or [(None, service_rights())]
        for sentence in postgres_rights.missing_rights(url, role, rights)
    ]


def grant_rights(url: str, service: Sequence[str], reader: Sequence[str]) -> list[str]:
    """Give the roles what they need, and return as sentences what was given to whom."""
    from projections.stores import postgres_rights

    for role in service:
        postgres_rights.grant(url, role, service_rights())
    for role in reader:
        postgres_rights.grant(url, role, reader_rights())
    return [*(f"role {role} may serve" for role in service), *(f"role {role} may read" for role in reader)]

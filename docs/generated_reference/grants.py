"""The rights of database roles, as `tringledger migrate` grants them."""

from api.cli import database_roles
from projections.stores.postgres_rights import grant_statements

SERVICE, READER = "ledger_service", "ledger_reader"


def script() -> str:
    """Return the statements that give a service and a reader their rights, one a line."""
    rights = ((SERVICE, database_roles.service_rights()), (READER, database_roles.reader_rights()))
    return "\n".join(f"{text};" for role, each in rights for text in grant_statements(role, each))


def describe() -> str:
    """Return the script as a block."""
    return f"```sql\n{script()}\n```\n"

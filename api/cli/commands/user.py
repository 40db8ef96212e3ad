"""``tringledger user``: users of the pages and the API, and their roles."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

import click

from api.cli.console import note, print_json, print_table
from api.cli.ledger_access import open_ledger
from api.cli.options import Address, format_option, store_option
from api.web.auth.roles import Role
from domain import times

if TYPE_CHECKING:
    from api.web.auth.store import AccessStore

ROLES = [role.value for role in Role]


@click.group()
def user() -> None:
    """Add and remove users of pages and API, and set their roles.

    \b
    Roles; each includes read:
      read     see calls, CDRs, billing, exceptions and quarantine
      export   download them as files
      operate  reprocess, rebuild, correct, publish, close, and read the audit log
      pii      see phone numbers, e-mail addresses and keyed digits; others see them masked, in files too
      auditor  fetch checkpoints and tiles of the log's proofs
    """


def role_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the option ``--role``."""
    return click.option(
        "--role",
        "roles",
        multiple=True,
        required=True,
        type=click.Choice(ROLES),
        help="A role of the user. Repeatable.",
    )(command)


@user.command()
@click.argument("name")
@role_option
@store_option
def add(name: str, roles: tuple[str, ...], store: str | None) -> None:
    """Add a user and print their token, once: only a digest of it is kept.

    \b
    Examples:
      tringledger user add ann --role read --role pii
      tringledger user add nightly-export --role export > token.txt
    """
    from api.web.auth import users

    if not users.is_name(name):
        msg = f"{name!r} cannot be a name; expected 1 to {users.NAME_LENGTH_MAX} printable characters"
        raise click.UsageError(msg)
    with _changing(store, f"add {name} {' '.join(sorted(roles))}") as kept:
        token = users.add_user(kept, name, map(Role, roles), times.now())
    click.echo(token)
    note(f"added {name} with the roles {', '.join(sorted({*roles, Role.READ}))}; the token above is not shown again")


@user.command("list")
@format_option
@store_option
def list_(output: str, store: str | None) -> None:
    """List the users and their roles.

    \b
    Examples:
      tringledger user list --format json
    """
    from api.web.auth import users

    with opened(store) as kept:
        found = [
            {
                "name": each.name,
                "roles": sorted(each.roles),
                "added_at": times.iso(each.added_at),
                "token_at": times.iso(each.token_at),
            }
            for each in users.list_users(kept)
        ]
    if output == "json":
        print_json(found)
        return
    print_table(
        ["name", "roles", "added", "token from"],
        [[each["name"], " ".join(each["roles"]), each["added_at"], each["token_at"]] for each in found],
    )


@user.command()
@click.argument("name")
@store_option
def remove(name: str, store: str | None) -> None:
    """Remove a user; their token and sessions become invalid at once.

    \b
    Examples:
      tringledger user remove kim
    """
    from api.web.auth import users

    with _changing(store, f"remove {name}") as kept:
        users.remove_user(kept, name)
    note(f"removed {name}")


@user.command()
@click.argument("name")
@role_option
@store_option
def roles(name: str, roles: tuple[str, ...], store: str | None) -> None:
    """Replace the roles of a user, from their next request on.

    \b
    Examples:
      tringledger user roles kim --role read --role export
    """
    from api.web.auth import users

    with _changing(store, f"roles {name} {' '.join(sorted(roles))}") as kept:
        users.set_roles(kept, name, map(Role, roles))
    note(f"{name} has the roles {', '.join(sorted({*roles, Role.READ}))}")


@user.command("new-token")
@click.argument("name")
@store_option
def new_token(name: str, store: str | None) -> None:
    """Print a new token for a user, once; their old token and sessions become invalid at once.

    \b
    Examples:
      tringledger user new-token kim
    """
    from api.web.auth import users

    with _changing(store, f"new-token {name}") as kept:
        token = users.renew_token(kept, name, times.now())
    click.echo(token)
    note(f"the token above is the new token of {name}; it is not shown again")


@user.command()
@click.argument("name")
@click.option(
    "--at", "url", type=Address(), default="http://127.0.0.1:8000", show_default=True, help="The URL of the service."
)
@store_option
def link(name: str, url: str, store: str | None) -> None:
    """Print a link that signs a user in without their token: once, within an hour.

    \b
    Examples:
      tringledger user link kim
    """
    from api.web.auth import sessions
    from api.web.auth.refusal import SIGN_IN

    with _changing(store, f"link {name}") as kept:
        made = sessions.new_link(kept, name, times.now())
    click.echo(f"{url.rstrip('/')}{SIGN_IN}?link={made}")


@contextmanager
def opened(store: str | None) -> Iterator[AccessStore]:
    """Open the store of users and the audit log of an existing ledger."""
    from api.web.auth.store import open_access_store

    with open_ledger(store) as (ledger, _), closing(open_access_store(ledger.url, durable=True)) as kept:
        yield kept


@contextmanager
def _changing(store: str | None, what: str) -> Iterator[AccessStore]:
    from api.web.auth import audit_log as records

    with opened(store) as kept:
        yield kept
        records.add_entry(kept, records.command_entry(f"user {what}", times.now()))

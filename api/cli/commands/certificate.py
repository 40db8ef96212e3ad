"""``tringledger certificate``: which events the last rebuild read and what it built, to compare with another rebuild."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.cli.console import note, print_json, print_table
from api.cli.ledger_access import open_ledger
from api.cli.options import format_option, store_option

if TYPE_CHECKING:
    from projections.building.certificate import Certificate
    from projections.proofs.checked_tree import CheckedTree


@click.command()
@click.option(
    "--compare",
    "other",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A certificate printed with --format json: show where the two differ, and exit with 1 if they do.",
)
@format_option
@store_option
@click.pass_context
def certificate(context: click.Context, other: Path | None, output: str, store: str | None) -> None:
    """Show the certificate of the last rebuild.

    It names the events that the read models were built from, the program's version, and for each read model its number of
    rows and their digest. Two rebuilds of the same events have equal digests, on every machine and every kind of store.

    \b
    Examples:
      tringledger certificate
      tringledger certificate --format json > october.json
      tringledger certificate --compare october.json
    """
    from projections.building import certificate as certificates

    with open_ledger(store) as (ledger, _):
        found = certificates.load_certificate(ledger)
    if found is None:
        note("there is no certificate yet; `tringledger rebuild` makes one")
        context.exit(1)
    if other:
        _compare(context, found, _read(other), str(other))
    elif output == "json":
        print_json(found)
    else:
        print_certificate(found)


def _read(path: Path) -> Certificate:
    import msgspec

    from projections.building import certificate as certificates

    try:
        return certificates.decode_certificate(path.read_bytes())
    except msgspec.DecodeError as error:
        msg = f"{path} is not a certificate: {error}; expected the output of `tringledger certificate --format json`"
        raise click.UsageError(msg) from None


def _compare(context: click.Context, ours: Certificate, theirs: Certificate, name: str) -> None:
    from projections.building import certificate as certificates

    differences = certificates.certificate_differences(ours, theirs)
    if differences:
        print_table(["", "this ledger", name], differences)
        context.exit(1)
    note(f"the certificates agree: positions {ours.first} to {ours.last} of ledger {ours.ledger}")


def print_certificate(found: Certificate) -> None:
    """Print a certificate for people, on stdout."""
    money = found.money
    rows = [
        ("events", f"{found.events}, positions {found.first} to {found.last}, of ledger {found.ledger}"),
        ("made", f"{found.made_at}, by tringledger {found.version}, schema {found.schema}"),
        ("in", f"{found.seconds} s, by {found.jobs} job(s)"),
        ("US cents", f"cost {money['cost']}, price {money['price']}, margin {money['margin']}"),
        ("SIP credits", money["sip_credits"]),
        ("proof tree", _told_of_tree(found.tree)),
    ]
    print_table(["certificate", ""], rows)
    click.echo()
    sealed = [(name, each.rows, each.digest) for name, each in found.read_models.items()]
    print_table(["read model", "rows", "SHA-256"], sealed)


def _told_of_tree(tree: CheckedTree | None) -> str:
    if tree is None:
        return "none: the log was not checked"
    return f"{tree.size} events, root {tree.root}" + ("" if tree.holds else ": THE LOG DOES NOT HOLD against it")

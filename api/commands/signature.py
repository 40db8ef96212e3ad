"""``tringledger signature``: which formula TringMe signs with, told from one captured notification (SPEC 3)."""

import sys

import click

from api import settings
from api.settings import WrongSetting
from api.showing import say
from domain import notification
from domain.signature import FORMULAS, Keyring


@click.group()
def signature() -> None:
    """Find out how TringMe signs its notifications."""


@signature.command()
@click.option(
    "--query",
    default="-",
    metavar="QUERY",
    help="A captured query string, or the whole URL (default: a line of stdin).",
)
@click.pass_context
def identify(context: click.Context, query: str) -> None:
    """Tell which formula fits a captured notification, with TRINGME_PRIVATE_KEY; the key is never printed.

    \b
    Example:
      TRINGME_PRIVATE_KEY=… tringledger signature identify --query 'f=tm&tag=…&r=…&sig=…'
    """
    keys = settings.load().private_keys
    if not keys:
        raise WrongSetting(
            "TRINGME_PRIVATE_KEY is not set: expected the private key that the notification was signed with"
        )
    raw = sys.stdin.buffer.readline().strip() if query == "-" else query.encode()
    path, mark, after = raw.partition(b"?")
    pairs = notification.parse(after if mark and b"=" not in path else raw)
    fitting = [name for name in FORMULAS if Keyring(name, keys).verify(pairs)]
    if not fitting:
        say(f"none fits; tried {', '.join(FORMULAS)} with {len(keys)} key(s)")
        context.exit(1)
    for name in fitting:
        click.echo(f"TRINGLEDGER_SIGNATURE={name}")

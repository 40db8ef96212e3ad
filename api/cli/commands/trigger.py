"""``tringledger trigger``: send one sample notification to a running service."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

import click

from api import urls as addresses
from api.application import sample_notice as triggering
from api.cli.console import note, show_answer
from api.cli.exit_codes import DONE, FINDING
from api.cli.options import Address, timeout_option

if TYPE_CHECKING:
    from api.application.http_get import HttpAnswer

SERVICE = "http://127.0.0.1:8000"


class NameValue(click.ParamType[tuple[str, str]]):
    """A notification's parameter, as ``name=value``."""

    name = "name=value"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        """Return name and value, or end with wrong usage."""
        name, equals, text = value.partition("=")
        if not (name and equals):
            self.fail(f"{value!r}: expected name=value", param, ctx)
        return name, text


@click.command()
@click.argument("status")
@click.option("--tag", help=f"The call's tag (default: {triggering.TAG}; on system notices {triggering.SYSTEM_TAG}).")
@click.option("--src", help=f"The phone number (default: {triggering.SRC}).")
@click.option("--type", "kind", help="The type, if it does not follow from STATUS, such as cdr with COMPLETED.")
@click.option(
    "--set", "given", metavar="NAME=VALUE", multiple=True, type=NameValue(), help="Any parameter. Repeatable."
)
@click.option("--to", type=Address(), help=f"The notify URL (default: {SERVICE} and TRINGLEDGER_NOTIFY_PATH).")
@click.option("--dry-run", is_flag=True, help="Print the signed URL; send nothing.")
@timeout_option
@click.pass_context
def trigger(
    context: click.Context,
    status: str,
    tag: str | None,
    src: str | None,
    kind: str | None,
    given: tuple[tuple[str, str], ...],
    to: str | None,
    dry_run: bool,
    timeout: float,
) -> None:
    """Send one signed sample notification to a running service.

    Use it to try an integration. The answer goes to stdout. STATUS is a call status such as SRCANSWERED or COMPLETED, or cdr, voicemail or deletechannel. The ledger keeps the
    notification like any other, so use a separate store. Exit codes: 0 for the answer 200, 1 for 202 or a refusal, 3 for
    no answer or 503.

    \b
    Examples:
      tringledger trigger SRCANSWERED --tag acme-1
      tringledger trigger cdr --tag acme-1 --set srccharge=49.2 --set destduration=71
      tringledger trigger COMPLETED --set sig=wrong --to https://calls.example.com/notify
    """
    from api import settings
    from api.application import http_get as calling

    read = settings.load_settings()
    if status not in triggering.KNOWN:
        note(f"WARNING: TringMe does not document the status {status!r}; the ledger keeps and flags it. Documented are")
        note(f"  {', '.join(triggering.KNOWN)}")
    shorthand = [(name, value) for name, value in (("tag", tag), ("src", src)) if value is not None]
    pairs = triggering.sign_parameters(read, triggering.sample_parameters(status, kind, [*shorthand, *given]))
    url = to or SERVICE + read.notify_path
    if dry_run:
        click.echo(addresses.with_query(url, pairs))
        return
    answer = calling.http_get(addresses.with_query(url, pairs), timeout_seconds=timeout)
    show_answer(answer)
    context.exit(_judged(answer, url))


def _judged(answer: HttpAnswer, url: str) -> int:
    """Return the exit code for an answer; raises Unanswered if the service did not take the notification."""
    from api.application.http_get import Unanswered

    refused = HTTPStatus.BAD_REQUEST <= answer.status < HTTPStatus.INTERNAL_SERVER_ERROR
    if answer.flaw or not (refused or HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES):
        msg = f"{url}: {answer.flaw or f'answered {answer.line}'}"
        raise Unanswered(msg)
    return DONE if answer.status == HTTPStatus.OK else FINDING

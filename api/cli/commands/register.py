"""``tringledger register``: tell TringMe where to send its notifications."""

from __future__ import annotations

import click

from api import urls as addresses
from api.cli.console import note, show_answer
from api.cli.options import Address, timeout_option

OK = 200


@click.command()
@click.argument("url", type=Address())
@click.option("--flag", help="The parameter flag, which TringMe's page calls reserved.")
@click.option("--dry-run", is_flag=True, help="Print the request with its keys masked; send nothing.")
@timeout_option
def register(url: str, flag: str | None, dry_run: bool, timeout: float) -> None:
    """Tell TringMe to send its notifications to URL.

    Calls the operation setnotifyurl of TringMe's API. TringMe's page does not say what it answers, so the HTTP status decides about success, and the answer is printed
    unchanged. The request is signed with TRINGME_PRIVATE_KEY (the first of several) by the formula TRINGME_API_SIGNATURE.

    \b
    Examples:
      tringledger register https://calls.example.com/notify --dry-run
      TRINGME_API_KEY=… TRINGME_PRIVATE_KEY=… tringledger register https://calls.example.com/notify
    """
    from api import settings
    from api.application import http_get as calling
    from api.application import tringme_api as registering
    from api.application.http_get import Unanswered

    read = settings.load_settings()
    pairs = registering.set_notify_url_request(read, url, flag)
    request = addresses.with_query(read.api_url, pairs)
    shown = addresses.redacted(request, registering.SECRET)
    for warning in registering.warnings(read, url):
        note(f"WARNING: {warning}")
    if dry_run:
        click.echo(shown)
        return
    answer = calling.http_get(request, timeout_seconds=timeout)
    show_answer(answer)
    if answer.status != OK or answer.flaw:
        problem = answer.flaw or f"answered {answer.line}, expected {OK}"
        msg = f"{shown}: {problem}"
        raise Unanswered(msg)

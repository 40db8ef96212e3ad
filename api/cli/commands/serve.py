"""``tringledger serve``: take callbacks until told to stop."""

import sys
from contextlib import closing, suppress
from socket import socket
from typing import Any
from urllib.parse import urlsplit

import click
import uvicorn

from api import server as workers
from api import settings
from api.application import forwarding_position as forwarder
from api.cli.console import say
from api.cli.exit_codes import UNAVAILABLE
from api.cli.ledger_access import store_option
from api.service import Service
from api.settings import Settings, WrongSetting
from domain.ledger import Ledger
from domain.log import urls
from domain.notices.signature import OFF

GRACEFUL_SHUTDOWN_SECONDS = 10
LOOPBACK, ANY = {"localhost", "127.0.0.1", "::1"}, {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="The port (0: any free one)."
)
@click.option(
    "--workers",
    "count",
    default=1,
    show_default=True,
    type=click.IntRange(1, 256),
    help="How many processes take callbacks; more than one only with a store in PostgreSQL.",
)
@store_option
def serve(host: str, port: int, count: int, store: str | None) -> None:
    """Take TringMe's callbacks, keep the read models up to date, and serve the pages and the API, until Ctrl-C.

    Every callback is on disk before it is answered. Pages and API are for users: `tringledger user add`. A ledger in a file is created where there is none; in PostgreSQL,
    `tringledger migrate` comes first.

    \b
    Examples:
      TRINGME_PRIVATE_KEY=… tringledger serve --port 8000
      tringledger serve --workers 4 --store postgresql://ledger@db.example.com/tringledger
    """
    read = settings.load(store=store)
    if read.forward_url and is_own(read.forward_url, host, port, read.notify_path):
        msg = f"TRINGLEDGER_FORWARD_URL={forwarder.masked(read.forward_url)} cannot be used: it is this service's own address"
        raise WrongSetting(msg)
    # The access log would carry phone numbers and signatures: it stays off.
    options: dict[str, Any] = {
        "access_log": False,
        "proxy_headers": False,
        "log_level": "warning",
        "timeout_graceful_shutdown": GRACEFUL_SHUTDOWN_SECONDS,
    }
    if count > 1:
        _serve_by_many(read, host, port, count, options)
    else:
        _serve_alone(read, host, port, options)


def _serve_alone(read: Settings, host: str, port: int, options: dict[str, Any]) -> None:
    service = Service(read)
    workers.log_to_stderr()
    _introduce(service.ledger, read)
    server = _Server(uvicorn.Config(service.app, host=host, port=port, **options), service)
    with suppress(KeyboardInterrupt):
        server.run()
    if not server.started:
        sys.exit(UNAVAILABLE)


def is_own(url: str, host: str, port: int, notify_path: str) -> bool:
    """Whether an address is evidently where the service takes its own callbacks."""
    split = urlsplit(url)
    ours = {host} | (LOOPBACK if host in LOOPBACK | ANY else set())
    default = 443 if split.scheme == "https" else 80
    return split.hostname in ours and (split.port or default) == port and split.path == notify_path


def _serve_by_many(read: Settings, host: str, port: int, count: int, options: dict[str, Any]) -> None:
    if not urls.is_postgres(read.store):
        msg = (
            f"--workers {count} needs a store in PostgreSQL: a SQLite file takes one writer at a time, so that several"
            " processes would only wait for each other"
        )
        raise click.UsageError(msg)
    with closing(Ledger(read.store, read.keyring(), read.terms)) as ledger:
        _introduce(ledger, read)
    try:
        listening = workers.listen(host, port)
    except OSError as error:
        say(f"cannot listen on {host} port {port}: {error.strerror}")
        sys.exit(UNAVAILABLE)
    with listening:
        _say_where(listening, read.notify_path)
        workers.run(read, listening, count, **options)


def _introduce(ledger: Ledger, read: Settings) -> None:
    say(f"ledger {ledger.shown_url} ({ledger.head()} events)")
    if read.signature == OFF:
        say("WARNING: signatures are NOT checked (TRINGLEDGER_SIGNATURE=off): anybody can write into this ledger")
    else:
        say(f"signatures are checked: {read.signature}, {len(read.private_keys)} active key(s)")
    if read.forward_url:
        after = forwarder.begin(ledger).position
        say(f"forwarding to {forwarder.masked(read.forward_url)}, after position {after}")


def _say_where(listening: socket, notify_path: str) -> None:
    host, port = listening.getsockname()[:2]
    here = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    say(f"callbacks at {here}{notify_path}, stop with Ctrl-C")
    say(f"pages and API at {here}/, for users (`tringledger user add`)")


class _Server(uvicorn.Server):
    """Says where it listens once it does, since only then is a free port known; lets live pages go when it stops."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers if self.started else []:
            for listening in server.sockets:
                _say_where(listening, self._service.settings.notify_path)

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        self._service.feed.close()  # The server waits for open pages before it tells anybody that it stops.
        await super().shutdown(sockets)

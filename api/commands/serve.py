"""``tringledger serve``: take callbacks until told to stop."""

import logging
import sys
from contextlib import suppress
from socket import socket
from urllib.parse import urlsplit

import click
import uvicorn

from api import forwarder, settings
from api.commands.common import store_option
from api.service import Service
from api.settings import WrongSetting
from api.showing import say
from domain.signature import OFF

GRACEFUL_SHUTDOWN_SECONDS = 10
UNAVAILABLE = 3
LOOPBACK, ANY = {"localhost", "127.0.0.1", "::1"}, {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port", default=8000, show_default=True, type=click.IntRange(0, 65535), help="The port (0: any free one)."
)
@store_option
def serve(host: str, port: int, store: str | None) -> None:
    """Take TringMe's callbacks and keep the read models up to date, until Ctrl-C.

    Every callback is on disk before it is answered. The ledger is created where there is none.

    \b
    Example:
      TRINGME_PRIVATE_KEY=… tringledger serve --port 8000
    """
    read = settings.load(store=store)
    if read.forward_url and is_own(read.forward_url, host, port, read.notify_path):
        msg = f"TRINGLEDGER_FORWARD_URL={forwarder.masked(read.forward_url)} cannot be used: it is this service's own address"
        raise WrongSetting(msg)
    service = Service(read)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)
    say(f"ledger {service.ledger.url} ({service.ledger.head()} events)")
    if read.signature == OFF:
        say("WARNING: signatures are NOT checked (TRINGLEDGER_SIGNATURE=off): anybody can write into this ledger")
    else:
        say(f"signatures are checked: {read.signature}, {len(read.private_keys)} active key(s)")
    if read.forward_url and service.forwarder:
        say(f"forwarding to {forwarder.masked(read.forward_url)}, after position {service.forwarder.state.position}")
    # The access log would carry phone numbers and signatures: it stays off.
    config = uvicorn.Config(
        service.app,
        host=host,
        port=port,
        access_log=False,
        proxy_headers=False,
        log_level="warning",
        timeout_graceful_shutdown=GRACEFUL_SHUTDOWN_SECONDS,
    )
    server = _Server(config, read.notify_path)
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


class _Server(uvicorn.Server):
    """Says where it listens once it does: only then is a free port known, or that this one is taken."""

    def __init__(self, config: uvicorn.Config, notify_path: str) -> None:
        super().__init__(config)
        self._notify_path = notify_path

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        for server in self.servers if self.started else []:
            for listening in server.sockets:
                host, port = listening.getsockname()[:2]
                say(
                    f"callbacks at http://{f'[{host}]' if ':' in host else host}:{port}{self._notify_path}, stop with Ctrl-C"
                )

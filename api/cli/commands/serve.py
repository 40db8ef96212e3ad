"""``tringledger serve``: record callbacks, and serve the pages and the API, until stopped."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from logging import WARNING
from pathlib import Path
from socket import socket
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import click

from api import urls as addresses
from api.cli.console import note
from api.cli.exit_codes import UNAVAILABLE
from api.cli.ledger_access import wait_for_store
from api.cli.options import store_option, wait_option

if TYPE_CHECKING:
    from api.application.monitoring.worker_report import WorkerReport
    from api.settings import Settings
    from domain.ledger import Ledger

LOOPBACK, ANY = {"localhost", "127.0.0.1", "::1"}, {"0.0.0.0", "::"}  # noqa: S104 - compared with, not bound to


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    default=8000,
    show_default=True,
    type=click.IntRange(0, 65535),
    help="The port to listen on (0: any free port).",
)
@click.option(
    "--workers",
    "count",
    default=1,
    show_default=True,
    type=click.IntRange(1, 256),
    help="Number of processes; more than one needs a store in PostgreSQL.",
)
@wait_option
@store_option
def serve(host: str, port: int, count: int, wait: float, store: str | None) -> None:
    """Record TringMe's callbacks, and serve the pages and the API.

    Runs until Ctrl-C; SIGHUP reads TringMe's keys again from their files. It keeps the read models up to date. Every callback is committed before it is answered. The pages and the API need a user: `tringledger user add`. A ledger
    in a file is created if it does not exist; in PostgreSQL, run `tringledger migrate` first.

    \b
    Examples:
      TRINGME_PRIVATE_KEY=… tringledger serve --port 8000
      tringledger serve --workers 4 --store postgresql://ledger@db.example.com/tringledger
    """
    from api import settings
    from api.settings import InvalidSetting

    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # Until the keys can be read again: it would end the program.
    read = settings.load_settings(store=store)
    if read.forward_url and is_own(read.forward_url, host, port, read.notify_path):
        msg = f"TRINGLEDGER_FORWARD_URL={addresses.redacted(read.forward_url)} cannot be used: it is the URL of this service"
        raise InvalidSetting(msg)
    if wait:
        wait_for_store(read.store, wait)
    if count > 1:
        _serve_by_many(read, host, port, count)
    else:
        _serve_alone(read, host, port)


def _serve_alone(read: Settings, host: str, port: int) -> None:
    from api import server
    from api.service import Service
    from api.service_log import begin_log

    service = Service(read)
    begin_log(read)
    _introduce(service.ledger, read)
    with _metrics(read, service.report, service.ledger.id):
        served = server.serve(service, host, port, lambda listening: _say_where(listening, read.notify_path))
    if not served:
        sys.exit(UNAVAILABLE)


@contextmanager
def _metrics(read: Settings, report: Callable[[], WorkerReport], ledger_id: str) -> Iterator[None]:
    """Serve metrics meanwhile, if they are wanted; end the program where their address cannot be had."""
    if read.metrics is None:
        yield
        return
    from api.metrics_listener import metrics_served
    from api.service_log import announce

    with ExitStack() as stack:
        try:
            where = stack.enter_context(metrics_served(read, read.metrics, report, ledger_id))
        except OSError as error:
            note(f"cannot listen on {read.metrics.host} port {read.metrics.port} for metrics: {error.strerror}")
            sys.exit(UNAVAILABLE)
        announce(f"metrics at {where}")
        yield


def is_own(url: str, host: str, port: int, notify_path: str) -> bool:
    """Whether a URL is evidently the one at which this service takes callbacks."""
    split = urlsplit(url)
    ours = {host} | (LOOPBACK if host in LOOPBACK | ANY else set())
    default = 443 if split.scheme == "https" else 80
    return split.hostname in ours and (split.port or default) == port and split.path == notify_path


def _serve_by_many(read: Settings, host: str, port: int, count: int) -> None:
    from api import server
    from api.metrics_listener import WorkerReports
    from api.service_log import begin_log
    from domain.ledger import Ledger
    from domain.log import urls

    if not urls.is_postgres(read.store):
        msg = (
            f"--workers {count} needs a store in PostgreSQL: a SQLite file has one writer at a time, so several processes"
            " would only wait for each other"
        )
        raise click.UsageError(msg)
    with closing(Ledger(read.store, read.keyring(), read.ledger_options)) as ledger:
        begin_log(read)
        _introduce(ledger, read)
    try:
        listening = server.open_listeners(host, port, count)
    except OSError as error:
        note(f"cannot listen on {host} port {port}: {error.strerror}")
        sys.exit(UNAVAILABLE)
    with ExitStack() as stack:
        for each in listening:
            stack.enter_context(each)
        _say_where(listening[0], read.notify_path)
        reports = WorkerReports()
        with _metrics(read, reports.total, ledger.id):
            server.run_workers(read, listening, reports)


def _introduce(ledger: Ledger, read: Settings) -> None:
    from api.application import forwarding_position as forwarder
    from api.service_log import announce
    from domain.notices.signature import UNCHECKED

    announce(f"ledger {ledger.shown_url} ({ledger.head()} events)")
    if problem := ledger.store.durability_problem():
        announce(problem, WARNING)
    if read.signature == UNCHECKED:
        announce("signatures are NOT checked (TRINGLEDGER_SIGNATURE=off): anyone can write into this ledger", WARNING)
    else:
        announce(f"signatures are checked: formula {read.signature}, {len(read.private_keys)} active key(s)")
    _introduce_log_key(ledger, read)
    if read.spool:
        waiting = _spool_totals(ledger.id, read.spool)
        announce(f"callbacks are spooled in {read.spool} while the store is away; {waiting} wait there")
    if read.forward_url:
        after = forwarder.load_or_start(ledger).position
        announce(f"forwarding to {addresses.redacted(read.forward_url)}, after position {after}")


def _spool_totals(ledger_id: str, path: Path) -> int:
    from api.application.spool.spool_directory import SpoolDirectory

    directory = SpoolDirectory(path, ledger_id)
    directory.check()
    return directory.totals().callbacks


def _introduce_log_key(ledger: Ledger, read: Settings) -> None:
    """Say by which name the log is signed, or why it is not: callbacks are taken in any case."""
    if read.log_key is None:
        return
    from api.application.proofs.log_key import public_key
    from api.application.proofs.prover_settings import signing_settings
    from api.service_log import announce
    from domain.errors import LedgerError

    try:
        announce(f"checkpoints are signed as {public_key(ledger, signing_settings(read)).name}")
    except LedgerError as error:  # Whatever it is, it must not keep callbacks from being taken.
        announce(f"no checkpoint is signed: {error}", WARNING)


def _say_where(listening: socket, notify_path: str) -> None:
    from api.service_log import announce

    host, port = listening.getsockname()[:2]
    here = f"http://{f'[{host}]' if ':' in host else host}:{port}"
    announce(f"callbacks at {here}{notify_path}; stop with Ctrl-C")
    announce(f"pages and API at {here}/, for users (add one with `tringledger user add`)")

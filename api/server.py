"""The web server: one process, or several that share a port, because a Python process uses one core only.

With several, the first process opens a listening socket for each, so that the system divides connections evenly among them:
of workers on one socket, the first to wake up takes all that wait. It keeps the sockets open, so that connections to a worker
that died wait for the next one, starts the workers, restarts workers that die, and stops all of them on
SIGTERM. If it is killed itself, the workers end too; otherwise they would keep the port. uvicorn's own supervisor is not
used: it ignores signals while it waits for a worker that starts slowly.
"""

import asyncio
import logging
import multiprocessing
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from threading import Event, Thread
from typing import Any, cast

import uvicorn

from api.metrics_listener import WorkerReports, send_reports
from api.service import Service
from api.service_log import begin_log
from api.settings import Settings
from api.web.transport import HEAD_SECONDS_MAX, ConnectionLimits, LimitedProtocol
from domain.errors import LedgerError
from domain.garbage_collection import set_aside_present_objects

BACKLOG = 2048
LOOK_SECONDS = 0.3
RETRY_SECONDS = 2.0
END_SECONDS_MAX = 20.0
OPTIONS: dict[str, Any] = {
    "log_config": None,  # Its messages go the way of ours.
    "access_log": False,  # It would carry phone numbers and signatures.
    "proxy_headers": False,
    "log_level": "warning",
    "timeout_graceful_shutdown": 10,
}

Begun = Callable[[socket.socket], None]

_log = logging.getLogger(__name__)
_spawn = multiprocessing.get_context("spawn")


class Server(uvicorn.Server):
    """Serves a service; calls ``begun`` with each listening socket once it takes callbacks there.

    Only then is a port known that the system chose, and only then do callbacks get in that others may have waited for.
    """

    def __init__(self, service: Service, begun: Begun, **where: Any) -> None:
        """Serve at ``where``, uvicorn's host and port; without, on the sockets with which the server is run."""
        limits = ConnectionLimits(
            service.settings.half_open_max, service.notify.counts, service.notify.note_unparsed, HEAD_SECONDS_MAX
        )
        http = cast("type[asyncio.Protocol]", partial(LimitedProtocol, limits))
        super().__init__(uvicorn.Config(service.app, http=http, **where, **OPTIONS))
        self._service = service
        self._begun = begun

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen, and say so; from now on SIGHUP reads the keys again."""
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._service.reload_keys)
        self._service.reload_keys(
            is_told=False
        )  # They may have changed since this process was started, or was to be replaced.
        await super().startup(sockets)
        for server in self.servers if self.started else []:
            for listening in server.sockets:
                self._begun(listening)
        set_aside_present_objects()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let live pages go, and stop."""
        self._service.feed.close()  # The server waits for open pages before it tells anybody that it stops.
        await super().shutdown(sockets)


def serve(service: Service, host: str, port: int, begun: Begun) -> bool:
    """Serve in this process until SIGTERM or Ctrl-C; return False where the port could not be had, which was logged."""
    server = Server(service, begun, host=host, port=port)
    with suppress(KeyboardInterrupt):
        server.run()
    return bool(server.started)


def open_listener(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises OSError where it cannot be had."""
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(where[:2], family=family, backlog=BACKLOG)


def open_listeners(host: str, port: int, count: int) -> list[socket.socket]:
    """Return so many listening sockets of one address, among which the system divides connections; raises OSError.

    Where the system does not do that, it is one socket so many times.
    """
    first = open_listener(host, port)  # Alone, it is refused a port that another service shares among its workers.
    if sys.platform != "linux":
        return [first] * count
    family, where = first.family, first.getsockname()[:2]
    first.close()
    return [socket.create_server(where, family=family, backlog=BACKLOG, reuse_port=True) for _ in range(count)]


def run_workers(settings: Settings, listening: list[socket.socket], reports: WorkerReports) -> None:
    """Keep a worker running for each listening socket until SIGTERM or Ctrl-C, and read their reports."""
    stopping = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: stopping.set())
    workers: list[BaseProcess] = []
    signal.signal(signal.SIGHUP, lambda _number, _frame: _pass_on(signal.SIGHUP, workers))
    workers += [_start(settings, each, reports) for each in listening]
    while not stopping.is_set():
        ready = wait([*(worker.sentinel for worker in workers), *reports.pipes()], LOOK_SECONDS)
        for pipe in ready:
            if isinstance(pipe, Connection):
                reports.read(pipe)
        ended = [place for place, worker in enumerate(workers) if not worker.is_alive()]
        if ended and not stopping.wait(RETRY_SECONDS):
            _log.error("%d of %d workers have ended; starting as many", len(ended), len(workers))
            for place in ended:
                workers[place] = _start(settings, listening[place], reports)
    _end(workers)


def _pass_on(number: int, workers: list[BaseProcess]) -> None:
    """Send a signal to all workers; one that is starting or ending does not need it."""
    for worker in workers:
        if worker.pid and worker.is_alive():
            os.kill(worker.pid, number)


def _start(settings: Settings, listening: socket.socket, reports: WorkerReports) -> BaseProcess:
    with reports.open_pipe() as pipe:
        worker = _spawn.Process(target=_work, args=(settings, listening, pipe))
        with _deaf():
            worker.start()
    return worker


@contextmanager
def _deaf() -> Iterator[None]:
    """Let a process that is started now ignore Ctrl-C, which is for the first process, and SIGHUP until it can take it."""
    before = [(number, signal.signal(number, signal.SIG_IGN)) for number in (signal.SIGINT, signal.SIGHUP)]
    try:
        yield
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def _end(workers: list[BaseProcess]) -> None:
    for worker in workers:
        worker.terminate()
    for worker in workers:
        worker.join(END_SECONDS_MAX)
        if worker.is_alive():
            worker.kill()


def _work(settings: Settings, listening: socket.socket, pipe: Connection) -> None:
    """Take callbacks on the socket until told to end."""
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    begin_log(settings)
    try:
        service = Service(settings)
    except LedgerError as error:
        _log.error("a worker cannot start: %s", error)
        sys.exit(1)
    Thread(target=send_reports, args=(service.report, pipe), name="reports", daemon=True).start()
    Server(service, _tell_of_start).run([listening])


def _tell_of_start(_listening: socket.socket) -> None:
    _log.info("worker %d takes callbacks", os.getpid())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

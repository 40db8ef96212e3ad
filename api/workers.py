"""Several processes that take callbacks on one listening socket: one Python process fills one core, and no more.

uvicorn's supervisor starts them, restarts one that has died, and ends all of them when it is told to. Should it be
killed itself, they end too: nobody would be left to end them, and they would keep the port.
"""

import logging
import multiprocessing
import os
import signal
import socket
import sys
from functools import partial
from threading import Thread
from typing import Any

import uvicorn
from starlette.applications import Starlette
from uvicorn.supervisors import Multiprocess

from api.service import Service
from api.settings import Settings
from api.showing import say
from domain.errors import LedgerError

BACKLOG = 2048
# A worker that does not answer its supervisor for so long is killed and replaced.
HANGING_SECONDS = 60
FAILED_TO_START = 3


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; raises OSError where it cannot be had."""
    family, _, _, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    return socket.create_server(where[:2], family=family, backlog=BACKLOG)


def run(settings: Settings, listening: socket.socket, count: int, **options: Any) -> bool:
    """Keep so many workers running until told to stop; return whether they could start at all."""
    config = uvicorn.Config(
        partial(_app, settings),
        factory=True,
        workers=count,
        timeout_worker_healthcheck=HANGING_SECONDS,
        **options,
    )
    workers = Multiprocess(config, [listening])
    workers.run()
    return FAILED_TO_START not in (worker.exitcode for worker in workers.processes)


def log_to_stderr() -> None:
    """Write the service's log, from INFO on, to stderr."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr)


def _app(settings: Settings) -> Starlette:
    """Return the application of one worker; where it cannot be made now, end the worker, so that another is tried."""
    Thread(target=_end_with_parent, name="parent", daemon=True).start()
    log_to_stderr()
    try:
        return Service(settings).app
    except LedgerError as error:
        say(f"a worker cannot start: {error}")
        sys.exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

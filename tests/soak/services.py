"""Services and commands as processes under the interposer, and the traffic that they get."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from tests.soak.rounds import Round
from tests.soak.stores import children_of
from tests.support import http_client as caller
from tests.support.command import Server, spawn
from tests.support.http_client import Replies, deliver
from tests.support.notices import KEY
from tests.support.ports import free_port

UP_SECONDS_MAX = 60
WELL_SECONDS_MAX = 60


def environment(this: Round, *, meddled: bool) -> dict[str, str]:
    """Return the environment of a service or a command."""
    given = this.interposer.environment if meddled else dict(os.environ)
    spool = {"TRINGLEDGER_SPOOL": str(this.spool)} if this.spool else {}
    return {**given, **spool, "TRINGLEDGER_STORE": this.store.url, "TRINGME_PRIVATE_KEY": KEY}


@contextmanager
def started(this: Round, name: str, *, meddled: bool = True) -> Iterator[Server]:
    """Start a service and wait until it listens; what is left of it at the end is killed, its helpers too."""
    log, port = this.interposer.journal.with_name(f"{name}.log"), free_port()
    with log.open("ab") as stderr:
        process = spawn(
            "serve", "--port", str(port), stdout=stderr, stderr=stderr, env=environment(this, meddled=meddled)
        )
    server = Server(process, port, log)
    try:
        wait_until_up(server)
        yield server
    finally:
        end(process)
    assert "Traceback" not in server.said, server.said[-4000:]


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its helpers, which would end by themselves in a moment."""
    helpers = children_of(process.pid)
    if process.poll() is None:
        process.kill()
        process.wait(UP_SECONDS_MAX)
    for helper in helpers:
        with suppress(OSError):
            os.kill(helper, signal.SIGKILL)


def wait_until_up(server: Server) -> None:
    """Wait until a service answers, or has ended."""
    deadline = time.monotonic() + UP_SECONDS_MAX
    while server.process.poll() is None:
        with suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            caller.health(server.port)
            return
        assert time.monotonic() < deadline, f"the service did not come up: {server.said[-2000:]}"
        time.sleep(0.02)


def send(this: Round, server: Server, queries: Sequence[str], connections: int = 4) -> None:
    """Send notices to a service, and note its answers; what it does not answer in time has none."""
    replies = Replies()
    with suppress(TimeoutError):
        asyncio.run(deliver(server.port, queries, replies, connections))
    this.promises.take(replies)
    this.tell(f"  {len(replies)} of {len(queries)} answered, {sum(r.status == 200 for r in replies.values())} with 200")


def send_until_all_are_recorded(this: Round, server: Server) -> None:
    """Send again what got no success: once nothing is in its way a service takes everything, with nobody's help.

    Returns early where the service has been killed.
    """
    deadline = time.monotonic() + WELL_SECONDS_MAX
    while this.promises.open and server.process.poll() != -signal.SIGKILL:
        send(this, server, this.promises.open)
        assert time.monotonic() < deadline, f"the service does not get well: {server.said[-3000:]}"
        time.sleep(0.05)


def wait_until_followed(server: Server) -> None:
    """Wait until a service says that all is well and the read models have followed."""
    deadline = time.monotonic() + WELL_SECONDS_MAX
    while not is_well(server):
        assert time.monotonic() < deadline, f"{caller.health(server.port)}: {server.said[-3000:]}"
        time.sleep(0.05)


def is_well(server: Server) -> bool:
    """Whether nothing fails; a clock that was ahead is still told of until it is caught up with."""
    health = caller.health(server.port)
    following = health["read_models"]
    is_drained = health.get("spool", {}).get("callbacks", 0) == 0
    return bool(health["failure"] is following["failure"] is None and following["lag"] == 0 and is_drained)

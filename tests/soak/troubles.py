"""What happens to running services from outside: helpers killed, processes stopped, clocks moved, networks and servers lost."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from threading import Event, Thread

from tests.soak.rounds import Round
from tests.soak.stores import children_of
from tests.support.command import Server

DAY = 86_400
RECOVERY_SECONDS_MAX = 60
Trouble = Callable[[Round, Random, Sequence[Server]], None]


def kill_helper(this: Round, random: Random, servers: Sequence[Server]) -> None:
    """Kill one of the processes that a service has started: it is started again."""
    helpers = [each for server in servers for each in children_of(server.process.pid)]
    if helpers:
        with suppress(ProcessLookupError):
            os.kill(random.choice(sorted(helpers)), signal.SIGKILL)
            this.count("helper killed")


def stop_for_a_moment(this: Round, random: Random, servers: Sequence[Server]) -> None:
    """Stop a service, as a machine does that is out of breath; what it was answering waits."""
    process = random.choice(servers).process
    if process.poll() is None:
        process.send_signal(signal.SIGSTOP)
        this.count("service stopped")
        time.sleep(random.uniform(0.05, 0.4))
        process.send_signal(signal.SIGCONT)


def move_clock(this: Round, random: Random, _: Sequence[Server]) -> None:
    """Set the clock of all processes."""
    this.interposer.move_clock(random.choice((-2 * DAY, -30, 30, 400, DAY, 0)))
    this.count("clock moved")


def cut_network(this: Round, random: Random, _: Sequence[Server]) -> None:
    """Cut all connections to the database, and refuse further ones for a moment."""
    assert this.store.way
    this.store.way.cut()
    this.count("network cut")
    time.sleep(random.uniform(0, 0.3))
    this.store.way.mend()


def freeze_network(this: Round, random: Random, _: Sequence[Server]) -> None:
    """Hold all that is sent for a moment: it arrives afterwards."""
    assert this.store.way
    this.store.way.freeze()
    this.count("network frozen")
    time.sleep(random.uniform(0.1, 0.6))
    this.store.way.mend()


def slow_network(this: Round, random: Random, _: Sequence[Server]) -> None:
    """Delay each part of what is sent for a while."""
    assert this.store.way
    this.store.way.delay = random.uniform(0.002, 0.02)
    this.count("network slowed down")
    time.sleep(0.3)
    this.store.way.delay = 0


def cut_off(this: Round, _: Random, __: Sequence[Server]) -> None:
    """End all sessions, as an administrator does."""
    assert this.store.server
    this.count("session ended", this.store.server.kill_backends(this.store.url))


def kill_backend(this: Round, random: Random, _: Sequence[Server]) -> None:
    """Kill a process of the database server, which then throws everybody out and recovers from its log."""
    assert this.store.server
    name = this.store.server.name_of(this.store.url)
    found = this.store.server.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", name)
    if found:
        os.kill(random.choice(sorted(pid for (pid,) in found)), signal.SIGKILL)
        this.store.server._disconnect()  # The connection that it keeps is gone.
        this.count("database crashed")
        wait_for_recovery(this)


def wait_for_recovery(this: Round) -> None:
    """Wait until the database lets somebody in again."""
    assert this.store.server
    for _ in range(RECOVERY_SECONDS_MAX * 20):
        time.sleep(0.05)
        with suppress(Exception):
            this.store.server.execute("SELECT 1")
            return


def restart_server(this: Round, _: Random, __: Sequence[Server]) -> None:
    """Restart the database server, half of the time without letting it finish."""
    server = this.store.server
    assert server
    postmaster = int((Path(server.directory) / "postmaster.pid").read_text().split()[0])
    os.kill(postmaster, signal.SIGQUIT)
    while Path(f"/proc/{postmaster}").exists():
        time.sleep(0.02)
    server._disconnect()
    this.count("database restarted")
    deadline = time.monotonic() + RECOVERY_SECONDS_MAX
    while True:
        try:
            server.start()
        except AssertionError:  # Its library does not expect one that recovers.
            assert time.monotonic() < deadline, "the database server does not recover"
            time.sleep(0.2)
        else:
            return


ANYWHERE: tuple[Trouble, ...] = (kill_helper, stop_for_a_moment, move_clock)
ON_POSTGRES: tuple[Trouble, ...] = (
    cut_network,
    cut_network,
    freeze_network,
    slow_network,
    cut_off,
    kill_backend,
    restart_server,
)


@contextmanager
def troubles(this: Round, servers: Sequence[Server]) -> Iterator[None]:
    """Make trouble for services from time to time, until told to stop."""
    kinds = ANYWHERE + (ON_POSTGRES if this.store.server else ())
    random = Random(this.random.random())
    ending = Event()

    def make() -> None:
        while not ending.wait(random.uniform(0.05, 0.5)):
            trouble = random.choice(kinds)
            this.tell(f"  {trouble.__name__}")
            trouble(this, random, servers)

    making = Thread(target=make)
    making.start()
    try:
        yield
    finally:
        ending.set()
        making.join()

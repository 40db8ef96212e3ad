"""Rounds of whole services: traffic, commands and trouble at once, on one ledger with one service or two."""

import shutil
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from threading import Thread

from domain.ledger import Ledger
from tests.soak.commands import command, finish_command
from tests.soak.oracle import check_everything, check_log, rows_of
from tests.soak.rounds import Round, kept_awake
from tests.soak.services import (
    end,
    send,
    send_until_all_are_recorded,
    started,
    wait_until_followed,
)
from tests.soak.traffic import storm
from tests.soak.troubles import troubles
from tests.support.command import Server, run

NOTICES = (10, 50)


def run_service_round(this: Round, bouts: int = 3) -> None:
    """Let services live through bouts of trouble, judge after each, and at last let one finish in peace."""
    if this.random.random() < 0.5:
        this.spool = this.store.folder / "spool"
        this.spool.mkdir(mode=0o700)
        this.tell("services have a spool")
    for number in range(bouts):
        count = this.random.choice((1, 1, 2))
        this.tell(f"bout {number} with {count} services")
        live_through(this, f"{this.number}-{number}", count)
        if this.promises.recorded:
            check_everything(this.store.url, this.promises, whole=False)
    this.interposer.move_clock(0)
    with started(this, "last", meddled=False) as server:
        this.fresh(2)
        send_until_all_are_recorded(this, server)
        wait_until_followed(server)
        server.terminate()
    this.tell(f"{len(this.promises.spooled)} were spooled, and recorded later")
    check_everything(this.store.url, this.promises, whole=True)
    check_backup(this)


def live_through(this: Round, name: str, count: int) -> None:
    """Start services, and have traffic, a command and trouble come at once; some are killed, the others get well."""
    is_killed = this.random.random() < 0.6
    with ExitStack() as stack:
        servers = [stack.enter_context(started(this, f"service-{name}-{one}")) for one in range(count)]
        stack.enter_context(kept_awake(*(server.process.pid for server in servers)))
        rules = storm(this.random, this.calls)
        this.tell(f"  rules: {'; '.join(map(str, rules))}")
        this.interposer.arm(rules)
        operator = command(this, f"act-{name}") if this.random.random() < 0.6 else None
        if operator:
            stack.callback(end, operator)
            stack.enter_context(kept_awake(operator.pid))
        with troubles(this, servers):
            under_traffic(this, servers)
        if is_killed:
            for server in servers:
                server.process.kill()
            this.count("service killed", count)
        this.interposer.disarm()
        if operator:
            finish_command(this, operator, f"act-{name}")
        if not is_killed:
            heal(this, servers)


def under_traffic(this: Round, servers: Sequence[Server]) -> None:
    """Send notices to all services at once; those without an answer go to all of them."""
    waiting = this.promises.open
    sending = []
    for server in servers:
        new = this.fresh(this.random.randint(*NOTICES))
        queries = list(dict.fromkeys([*waiting, *new]))
        sending.append(Thread(target=send, args=(this, server, queries)))
        sending[-1].start()
    for each in sending:
        each.join()


def heal(this: Round, servers: Sequence[Server]) -> None:
    """Services that still run record everything once the trouble is over, without a restart.

    A kill that has fired may come late: the process may have been stopped before it carried it out.
    """
    running = [server for server in servers if server.process.poll() is None]
    for server in running:
        send_until_all_are_recorded(this, server)
        if server.process.poll() is not None:
            assert has_killed(this), (
                f"a service ended by itself with {server.process.returncode}: {server.said[-3000:]}"
            )
            this.tell("  a service was killed late")
        this.fresh(1)
    for server in running:
        server.terminate()


def has_killed(this: Round) -> bool:
    """Whether a rule has killed a process."""
    return any(what.startswith(("kill ", "tear ")) for what in this.interposer.fired())


def check_backup(this: Round) -> None:
    """A backup that is restored elsewhere has all that was promised before it was made."""
    backups = this.store.folder.parent / "backups"
    shutil.rmtree(backups, ignore_errors=True)  # What commands made in the midst of trouble.
    made = run("backup", str(backups), "--store", this.store.url)
    assert made.code == 0, made.err
    target = this.store.folder.parent / "restored.db"
    restored = run("restore", str(Path(made.out.strip())), f"sqlite:///{target}")
    assert restored.code == 0, restored.err
    with closing(Ledger(f"sqlite:///{target}")) as ledger:
        check_log(rows_of(ledger), this.promises)
    this.count("backup restored")

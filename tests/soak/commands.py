"""Commands of operators as processes under the interposer, beside services: corrections, tariffs, backups and rebuilds."""

import signal
import subprocess
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from domain.errors import CommandRejected
from domain.ledger import Ledger
from tests.soak.acts import Picks
from tests.soak.oracle import rows_of
from tests.soak.rounds import Round
from tests.soak.services import UP_SECONDS_MAX, environment
from tests.support.command import spawn

DONE, REFUSED, UNAVAILABLE = 0, 1, 3


def command(this: Round, name: str) -> subprocess.Popen[bytes]:
    """Start a command; one that changes something has the name as its reason."""
    what = this.random.choice(sorted((*WITHOUT_REASON, *CORRECTIONS)))
    number = this.random.randrange(1000)
    given = WITHOUT_REASON[what](this) if what in WITHOUT_REASON else corrected(this, what, number)
    if what in CORRECTIONS:
        this.promises.tried.add(name)
        given = [*given, "--by", "soak", "--reason", name]
    this.tell(f"  command {' '.join(given)} for {name}")
    with command_log(this).open("ab") as log:
        return spawn(*given, stdout=log, stderr=log, env=environment(this, meddled=True))


WITHOUT_REASON: dict[str, Callable[[Round], list[str]]] = {
    "backup": lambda this: ["backup", str(this.store.folder.parent / "backups")],
    "rebuild": lambda _: ["rebuild", "--jobs", "1"],
    "status": lambda _: ["status"],
}


def corrected(this: Round, what: str, number: int) -> list[str]:
    """Return the command of a correction of what is in the ledger; where there is nothing to correct, an adjustment."""
    try:
        with closing(Ledger(this.store.url)) as ledger:
            return CORRECTIONS[what](this, Picks(rows_of(ledger), number))
    except CommandRejected:
        return adjust(this, Picks([], number))


def adjust(this: Round, _: Picks) -> list[str]:
    return ["adjust", "sales", str(this.random.randint(1, 99)), "--new-account", "--period", "2026-10"]


def publish(this: Round, _: Picks) -> list[str]:
    tariff = this.store.folder.parent / "prices.toml"
    tariff.write_text(f'[[rules]]\ntag = "*"\nmarkup_percent = {this.random.randint(1, 90)}\n')
    return ["tariff", "publish", str(tariff)]


def split(_: Round, picks: Picks) -> list[str]:
    call, positions = picks.call()
    return ["call", "split", str(call), *map(str, picks.some(positions) or [1])]


CORRECTIONS: dict[str, Callable[[Round, Picks], list[str]]] = {
    "adjust": adjust,
    "publish": publish,
    "split": split,
    "void": lambda _, picks: ["call", "void", str(picks.call().call)],
    "merge": lambda _, picks: ["call", "merge", str(picks.call().call), str(picks.call(1).call)],
    "release": lambda _, picks: ["call", "release", str(picks.repeated_cdr())],
    "undo": lambda _, picks: ["undo", str(picks.operator_event())],
}


def command_log(this: Round) -> Path:
    """Return the file of what commands have said."""
    return this.interposer.journal.with_name("commands.log")


def finish_command(this: Round, process: subprocess.Popen[bytes], name: str) -> None:
    """Wait for a command's end: it may succeed, be refused or be killed, and nothing else."""
    code = process.wait(UP_SECONDS_MAX)
    this.tell(f"  command {name} ended with {code}")
    expected = (DONE, REFUSED, UNAVAILABLE, -signal.SIGKILL)
    assert code in expected, f"a command ended with {code}: {command_log(this).read_text()[-3000:]}"
    assert "Traceback" not in (said := command_log(this).read_text()), said[-4000:]
    if code == DONE and name in this.promises.tried:
        this.promises.acted[name] = 0
        this.acts["by command"] += 1

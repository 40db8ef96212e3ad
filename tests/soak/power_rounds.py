"""Rounds of power cuts: a ledger is written while all its writes and syncs are recorded, and then opened as each moment left it."""

import shutil
from bisect import bisect_right
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from domain.ledger import Ledger
from domain.outcomes import Duplicate
from projections.building.catch_up import catch_up
from projections.building.rebuild import check_read_models
from projections.stores.generations import open_current
from tests.soak.jobs import Said, Step, writer
from tests.soak.oracle import check_acts, check_log, rows_of
from tests.soak.power_cuts import Change, Disk, read_journal
from tests.soak.rounds import Round
from tests.soak.traffic import failing, killing, steps
from tests.soak.writer_rounds import take
from tests.support.ledgers import opened

JOBS = 5
STATES = 1000
STATES_FOLLOWED = 25  # One state in so many is followed by read models, and these are compared.


class Required(NamedTuple):
    """What must be there: notices and acts, each with its position."""

    notices: dict[str, int]
    acts: dict[str, int]


class Stamps:
    """From which byte of the journal on each promise must survive a power cut."""

    def __init__(self) -> None:
        self._moments: list[int] = []
        self._promises: list[tuple[Step, list[int]]] = []

    def add(self, journal_bytes: int, step: Step, positions: list[int]) -> None:
        self._moments.append(journal_bytes)
        self._promises.append((step, positions))

    def required(self, journal_bytes: int) -> Required:
        """Return what was promised by a moment."""
        found = Required({}, {})
        for step, positions in self._promises[: bisect_right(self._moments, journal_bytes)]:
            found.notices.update(zip(step.queries, positions, strict=step.what == "record"))
            if step.reason:
                found.acts[step.reason] = positions[0]
        return found


def run_power_round(this: Round, states: int = STATES) -> None:
    """Write a ledger, with deaths and failing syncs among it; then cut the power at moments drawn from all there were."""
    stamps = Stamps()
    this.interposer.record()
    with writer(this.interposer) as by:
        for number in range(JOBS):
            rules = [killing(this.random, this.calls, 150)] if this.random.random() < 0.5 else []
            rules += [failing(this.random, ("fsync",))] if this.random.random() < 0.3 else []
            todo = steps(this.random, this.fresh(this.random.randint(2, 9)), f"{this.number}-{number}")
            this.tell(f"job {number}: {'; '.join(map(str, rules))}")
            this.interposer.arm(rules)
            for said in by.work(this.store.url, todo):
                take(this, todo, said)
                stamp(stamps, todo, said)
            this.interposer.disarm()
    cut_power(this, stamps, states)


def stamp(stamps: Stamps, todo: Sequence[Step], said: Said) -> None:
    """Note from when on what a step promised must be there."""
    if said.what == "done":
        stamps.add(said.journal_bytes, todo[said.step], said.positions)


def cut_power(this: Round, stamps: Stamps, states: int) -> None:
    """Open the ledger as so many cuts may leave it, at moments drawn from all records of the journal."""
    changes = list(read_journal(this.interposer.journal))
    chosen = Counter(this.random.choices(range(len(changes)), k=states))
    disk = Disk()
    for number, change in enumerate(changes):
        disk.apply(change)
        for _ in range(chosen[number]):
            files = disk.after_cut(this.random)
            open_after_cut(this, files, stamps.required(change.end), number, change)
            this.count("power cut")


def open_after_cut(this: Round, files: dict[str, bytes], required: Required, number: int, change: Change) -> None:
    """Lay the files out elsewhere, and judge what is opened there; a state that fails is kept."""
    place = this.store.folder.parent / f"cut-{number}"
    place.mkdir()
    for path, content in files.items():
        (place / Path(path).name).write_bytes(content)
    kept = place.with_name(f"{place.name}-kept")
    shutil.copytree(place, kept)
    this.tell(
        f"power cut after record {number}, {change.kind} of {change.path}, with {sorted(map(len, files.values()))}"
    )
    judge_state(this, f"sqlite:///{place}/ledger.db", required, follow=this.random.randrange(STATES_FOLLOWED) == 0)
    shutil.rmtree(place)
    shutil.rmtree(kept)


def judge_state(this: Round, url: str, required: Required, *, follow: bool) -> None:
    """What was promised is there, is known as a duplicate, and the rest can be recorded; read models follow."""
    with opened(url) as ledger:
        rows = rows_of(ledger)
        check_log(rows, this.promises, required.notices)
        check_acts(rows, this.promises, required.acts)
        sent = list(this.promises.sent)
        answers = ledger.record([ledger.verify_delivery(query.encode(), ledger._clock()) for query in sent])
        for query, answer in zip(sent, answers, strict=True):
            if query in required.notices:
                assert answer == Duplicate(required.notices[query]), f"answered {answer} after the cut: {query}"
        check_log(rows_of(ledger), this.promises, required.notices)
        if follow:
            check_followed(ledger)


def check_followed(ledger: Ledger) -> None:
    """Whatever the cut left of the read models, they catch up and are those of a fresh build."""
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
    report = check_read_models(ledger)
    assert not report.found, f"the read models differ from a fresh build: {report.differences}"

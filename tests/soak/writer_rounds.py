"""Rounds of writers that are killed and failed at system calls of the write path, hundreds of times in a minute."""

from collections.abc import Sequence
from contextlib import ExitStack

from tests.soak.interposer import Rule
from tests.soak.jobs import Said, Step, Writer, was_killed, writer
from tests.soak.oracle import check_everything
from tests.soak.rounds import Round, kept_awake
from tests.soak.stores import SmallDisk
from tests.soak.traffic import failing, killing, slowing, steps

JOBS = 30
DAY = 86_400


def run_writer_round(this: Round, jobs: int = JOBS) -> None:
    """Have notices recorded by writers in trouble, judge after each, and at last let them finish in peace."""
    with ExitStack() as stack:
        small = small_disk(this, stack)
        by = stack.enter_context(writer(this.interposer))
        stack.enter_context(kept_awake(by.process.pid))
        if small:
            small.limit_process(by.process.pid)
        for number in range(jobs):
            if small and number == jobs // 2:
                small.grow(by.process.pid)
            do_job(this, by, rules_for(this), f"{this.number}-{number}")
            judge(this)
        this.interposer.disarm()
        finish(this, by)
        check_everything(this.store.url, this.promises, whole=True)


def small_disk(this: Round, stack: ExitStack) -> SmallDisk | None:
    """Make the disk small in some rounds on files."""
    if this.store.way or this.random.random() > 0.2:
        return None
    small = SmallDisk(this.store.folder, this.random.randint(300, 700))
    this.has_small_disk = True
    stack.callback(small.close)
    this.tell(f"the disk is small, {'mounted' if small.is_mounted else 'by a limit of file size'}")
    return small


def rules_for(this: Round) -> list[Rule]:
    """Return one death mostly, or a few failures, and sometimes a pause."""
    most = 12 if this.store.way else 60
    rules = [killing(this.random, this.calls, most)] if this.random.random() < 0.7 else []
    rules += [failing(this.random, this.calls) for _ in range(this.random.choice((0, 1, 3)))]
    return rules + [slowing(this.random, this.calls) for _ in range(this.random.choice((0, 0, 0, 1)))]


def do_job(this: Round, by: Writer, rules: Sequence[Rule], name: str) -> None:
    """Have a job done under rules, and note what was promised."""
    if this.random.random() < 0.2:
        seconds = this.random.choice((-45 * DAY, -DAY, -5, 5, 400, 2 * DAY, 0))
        this.interposer.move_clock(seconds)
        this.count("clock moved")
        this.tell(f"clock moved by {seconds}")
    todo = steps(this.random, this.fresh(this.random.randint(0, 6))[:40], name)
    this.tell(f"job {name}: {len(todo)} steps; {'; '.join(map(str, rules))}")
    this.interposer.arm(rules)
    for said in by.work(this.store.url, todo):
        take(this, todo, said)
    this.interposer.disarm()


def take(this: Round, todo: Sequence[Step], said: Said) -> None:
    """Note what a writer says."""
    this.promises.tried.update(step.reason for step in todo if step.reason)
    if said.what == "ended":
        assert was_killed(said) or said.positions in ([0], [3]), f"a writer ended with {said.positions}"
        return
    assert said.what != "crashed", said.text
    this.tell(f"  {said.step} {said.what} {said.positions} {said.text[:200]}")
    if this.has_small_disk and "full" in said.text:
        this.count("disk full")
    if said.what != "done":
        return
    step = todo[said.step]
    if step.what == "record":
        assert len(said.positions) == len(step.queries), f"{step.queries} were answered with {said.positions}"
        for query, position in zip(step.queries, said.positions, strict=True):
            this.promises.answer(query, position)
    elif said.positions:
        this.promises.acted[step.reason] = said.positions[0]
        this.acts[step.what] += 1


def judge(this: Round) -> None:
    """Judge the log, if there is one by now."""
    if this.promises.recorded or this.promises.acted:
        check_everything(this.store.url, this.promises, whole=False)


def finish(this: Round, by: Writer) -> None:
    """Record what is left, with nothing in the way: nothing may be refused any more."""
    this.interposer.move_clock(0)
    todo = [*(Step("record", [query]) for query in this.fresh(2)), Step("follow")]
    for said in by.work(this.store.url, todo):
        assert said.what in ("done", "ended"), f"with no fault left: {said}"
        take(this, todo, said)

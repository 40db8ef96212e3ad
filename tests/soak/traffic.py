"""Traffic and faults drawn from a seed: notices of calls on few lines, jobs of writers, and rules that break system calls."""

import errno
from collections.abc import Iterator
from itertools import count
from random import Random

from tests.soak.interposer import RULES_MAX, Rule
from tests.soak.jobs import Step
from tests.support.notices import callstatus, cdr, signed

OUTCOMES = ("COMPLETED", "COMPLETED", "DESTBUSY", "DESTNOTANSWERED")
# The errors that each call may come back with.
ERRORS = {
    "write": (errno.EIO, errno.ENOSPC),
    "fsync": (errno.EIO, errno.ENOSPC),
    "open": (errno.EIO, errno.ENOSPC, errno.EMFILE),
    "stat": (errno.EIO, errno.ENOSPC, errno.EACCES),
    "mmap": (errno.EIO, errno.ENOSPC, errno.ENOMEM),
    "ftruncate": (errno.EIO, errno.ENOSPC),
    "read": (errno.EIO,),
    "rename": (errno.EIO, errno.ENOSPC),
    "unlink": (errno.EIO, errno.EACCES),
    "send": (errno.ECONNRESET, errno.EPIPE),
    "recv": (errno.ECONNRESET, errno.ETIMEDOUT),
}
OF_FILES = ("write", "write", "fsync", "fsync", "open", "stat", "mmap", "ftruncate", "read", "unlink")
OF_SOCKETS = ("send", "recv")
PATHS = ("ledger.db-wal", "ledger.db-wal", "ledger.db", "ledger.db", "ledger.db.read-", "")
# What operators do, some of it more often.
COMMON_ACTS = ("merge", "split", "undo")
SELDOM_ACTS = ("adjust", "publish", "close", "void", "rerate", "release", "resolve")


def notices(random: Random) -> Iterator[str]:
    """Yield signed notices without an end, of calls that overlap on few lines; none is the same as another."""
    for number in count():
        line = {"tag": random.choice(("sales", "support")), "src": f"1858555000{random.randrange(4)}"}
        yield signed(callstatus("SRCANSWERED", r=f"{number}-a", **line))
        if random.random() < 0.7:
            yield signed(callstatus(random.choice(OUTCOMES), r=f"{number}-b", **line))
        if random.random() < 0.8:
            cents = f"{random.randrange(30)}.{random.randrange(1000)}"
            numbers = {"destduration": str(random.randrange(300)), "destcharge": cents}
            yield signed(cdr(r=f"{number}-c", **numbers, **line))
            if random.random() < 0.2:
                yield signed(cdr(r=f"{number}-d", **numbers, **line))


def failing(random: Random, calls: tuple[str, ...]) -> Rule:
    """Return a rule by which a call fails now and then."""
    call = random.choice(calls)
    path = random.choice(PATHS) if calls is OF_FILES else ""
    # A disk that keeps failing to read is damaged, and a service stops to trust it: so that comes seldom.
    every = random.choice((3, 10, 25, 60)) if call != "read" else 500
    return Rule(call, "fail", random.choice(ERRORS[call]), random.randint(1, 40), every, path)


def killing(random: Random, calls: tuple[str, ...], most: int) -> Rule:
    """Return a rule by which a process is killed once, before a call of the write path, or in the middle of a write."""
    call = random.choice(calls)
    action = random.choice(("kill", "kill", "tear")) if call == "write" else "kill"
    return Rule(call, action, 0, random.randint(1, most), 0, random.choice(PATHS[:4]) if calls is OF_FILES else "")


def slowing(random: Random, calls: tuple[str, ...]) -> Rule:
    """Return a rule by which processes are stopped, or held up, at a call now and then."""
    return Rule(random.choice(calls), random.choice(("stop", "delay")), 0, random.randint(1, 50), 80)


def storm(random: Random, calls: tuple[str, ...]) -> list[Rule]:
    """Return rules for many faults at a time."""
    rules = [failing(random, calls) for _ in range(random.randint(1, 5))]
    rules += [slowing(random, calls) for _ in range(random.randint(0, 2))]
    rules += [killing(random, calls, 150) for _ in range(random.choice((0, 0, 1)))]
    return rules[:RULES_MAX]


def steps(random: Random, queries: list[str], name: str) -> list[Step]:
    """Return steps that record these notices, a few at a time, with an operator's acts and read models between them."""
    found, rest = [], list(queries)
    while rest:
        size = random.randint(1, 4)
        found.append(Step("record", rest[:size]))
        rest = rest[size:]
        while random.random() < 0.5:
            found.append(some_act(random, f"{name}-{len(found)}"))
        if random.random() < 0.2:
            found.append(Step("follow"))
    return found


def some_act(random: Random, reason: str) -> Step:
    """Return an operator's act at random."""
    what = random.choice(COMMON_ACTS * 2 + SELDOM_ACTS)
    month = f"2026-{random.randint(1, 10):02}"
    return Step(what, reason=reason, amount=random.randint(1, 90), month=month, number=random.randrange(1000))

"""Runs mutmut so that the tests are collected once, and each mutant meets them in a fork: hundreds a minute, not dozens.

mutmut itself starts pytest anew for each mutant, which takes many times as long as most tests do. Here the process that
forks for each mutant does so within a run of pytest, after its collection: what is forked has all modules and all tests.
"""

import os
import re
import sys
from collections.abc import Iterable
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from random import Random
from typing import ClassVar, TextIO

import mutmut.__main__
import pytest
from mutmut.configuration import config
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.runners.harness import PytestRunner
from mutmut.workers import isolation

FAILED = 1
# mutmut's code for what is not tried.
SKIPPED = 34
SQL = re.compile(r"\b(SELECT|INSERT|UPDATE|DELETE|FROM|WHERE|ORDER BY|VALUES|PRAGMA)\b")
CLEAN = 20
WORDS = ("--rootdir=.", "--capture=sys", "--tb=no", "-q", "-o", "tmp_path_retention_policy=failed")


class CollectedTests(PytestRunner):
    """The tests of a group, once collected: ``session`` is theirs."""

    session: pytest.Session
    # Held here, for to the tests a file that nobody closes is a mistake.
    silenced: ClassVar[list[TextIO]] = []

    def warm_up(self) -> None:
        """See that the fastest tests pass in a fork where nothing is changed; what fails there would notice every mutant."""
        set_mutant_under_test("")
        self.silenced.append(sys.stdout)
        if isolation.run_in_fork(lambda: self._run(self.session.items[:CLEAN])):
            raise isolation.ForkServerCrashError(FAILED, [], "mutants/tests.txt")

    def run_tests(self, *, mutant_name: str | None, tests: Iterable[str]) -> int:
        """Run the tests of a mutant until one fails, and return 0 where none does."""
        if mutant_name is None:
            return 0
        wanted = set(tests)
        return self._run([item for item in self.session.items if item.nodeid in wanted])

    def run_forced_fail(self) -> int:
        """Say that tests fail where the code does: a group of which no mutant is noticed would show it."""
        return FAILED

    def _run(self, items: list[pytest.Item]) -> int:
        self.silenced.append(sys.stdout)
        for item, following in zip(items, [*items[1:], None], strict=True):
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            if self.session.testsfailed:
                # What the tests have made goes, such as databases of a server that goes on.
                self.session._setupstate.teardown_exact(None)
                return FAILED
        return 0


class ForkingInPytest(isolation.ForkServerRunner):
    """The process that forks for each mutant, within pytest's own loop over its tests."""

    def submit(self, mutant_name: str, tests: list[str], cpu_time_limit: int, estimated_time: float) -> None:
        """Have a mutant tried, unless it is known to change nothing."""
        if tests and is_same_statement(mutant_name):
            self._no_tests_results.append(isolation.MutantResult(mutant_name, SKIPPED, 0.0))
        else:
            super().submit(mutant_name, tests, cpu_time_limit, estimated_time)

    def _forkserver_main(self, work_fd: int, result_fd: int) -> None:
        serve = super()._forkserver_main

        class Loop:
            def pytest_runtestloop(self, session: pytest.Session) -> bool:
                CollectedTests.session = session
                session.config._tmp_path_factory.getbasetemp()  # type: ignore[attr-defined]
                serve(work_fd, result_fd)
                return True

        os.chdir("mutants")
        words = [*WORDS, *config().pytest_add_cli_args_test_selection, *config().pytest_add_cli_args]
        with Path("tests.txt").open("w") as printed, redirect_stdout(printed), redirect_stderr(printed):
            pytest.main(words, [Loop()])


def is_same_statement(mutant_name: str) -> bool:
    """Whether a mutant is but the same SQL in other letters, which mean the same there."""
    path = Path(mutant_name.rpartition(".")[0].replace(".", "/") + ".py")
    lines = [
        line for line in get_diff_for_mutant(mutant_name, path=path).splitlines() if line[:3] not in {"---", "+++"}
    ]
    gone, come = ("\n".join(line[1:] for line in lines if line.startswith(sign)) for sign in "-+")
    return gone.casefold() == come.casefold() and any(SQL.search(text) for text in (gone, come))


def place(mutant_name: str) -> float:
    """Return the place of a mutant: at random, the same in each run, so that what a run has tried when it is ended is a sample."""
    return Random(mutant_name).random()


def runner(max_workers: int = 1) -> ForkingInPytest:
    """Return what runs the mutants, so many at a time."""
    return ForkingInPytest(max_workers, CollectedTests, {})


if __name__ == "__main__":
    mutmut.__main__.get_mutant_runner = runner
    mutmut.__main__.estimated_worst_case_time = place
    mutmut.__main__.cli()

"""A command whose output is no longer read ends quietly; any other broken pipe is an error."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click
import pytest

from api.cli.exit_codes import DONE
from api.cli.main import main
from api.cli.stop_signals import end_quietly_when_unread


@contextmanager
def unread(*names: str) -> Iterator[None]:
    """Make ``stdout``, ``stderr`` or both a pipe that nobody reads."""
    kept = {name: getattr(sys, name) for name in names}
    reader, writer = os.pipe()
    os.close(reader)
    for name in names:
        setattr(sys, name, os.fdopen(os.dup(writer), "w"))
    os.close(writer)
    try:
        yield
    finally:
        for name, stream in kept.items():
            broken = getattr(sys, name)
            setattr(sys, name, stream)
            with pytest.MonkeyPatch.context(), open(os.devnull, "w") as nowhere:  # noqa: PTH123 - what it holds goes nowhere
                os.dup2(nowhere.fileno(), broken.fileno())
                broken.close()


@pytest.fixture
def stderr_is_a_file(capfd: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """Give stdout and stderr descriptors of their own."""
    return capfd


@pytest.mark.usefixtures("stderr_is_a_file")
class TestAnUnreadOutput:
    def test_ends_a_command_with_0_though_it_wrote_little(self) -> None:
        with unread("stdout"), pytest.raises(SystemExit) as ended:
            main(["certificate", "--help"], prog_name="tringledger")
        assert ended.value.code == DONE

    def test_is_found_at_the_last_where_the_text_still_waits_to_be_written(self) -> None:
        with unread("stdout"), pytest.raises(click.exceptions.Exit) as ended, end_quietly_when_unread():
            sys.stdout.write("one line")
        assert ended.value.exit_code == DONE

    def test_does_not_hide_that_another_pipe_broke(self) -> None:
        with pytest.raises(BrokenPipeError), end_quietly_when_unread():
            raise BrokenPipeError

    def test_is_no_excuse_where_the_messages_are_not_read_either(self) -> None:
        with unread("stdout", "stderr"), pytest.raises(BrokenPipeError), end_quietly_when_unread():
            sys.stdout.write("one line")

"""The service's log: its two formats, its level, and what it never holds."""

import json
import logging
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api import settings
from api.application.process_state import describe_failure
from api.service_log import announce, begin_log
from domain.errors import StoreUnavailable

NUMBER, TAG = "+491701234567", "sales-berlin"
TIME = r"20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
Begin = Callable[..., None]

ours, foreign = logging.getLogger("api.intake"), logging.getLogger("httpx2")


@pytest.fixture
def begin() -> Iterator[Begin]:
    """Return a function that begins the log with settings; afterwards all is as it was."""
    loggers = [logging.getLogger(name) for name in ("", "api", "domain", "projections")]
    before = [(logger, logger.level, list(logger.handlers)) for logger in loggers]
    # Otherwise they would be closed, and the test's own are needed again.
    logging.getLogger().handlers = []
    yield lambda **environment: begin_log(settings.load_settings(environment))
    for logger, level, handlers in before:
        logger.level, logger.handlers = level, handlers
        logger.manager._clear_cache()  # type: ignore[attr-defined]


def failed() -> None:
    """Log an exception whose text quotes what a caller sent."""
    try:
        int(f"no such line: src={NUMBER}&tag={TAG}")
    except ValueError:
        ours.exception("cannot record a notification")


def test_a_line_has_the_time_in_utc_the_level_and_the_message(begin: Begin, capsys: pytest.CaptureFixture[str]) -> None:
    begin()
    ours.info("callbacks are recorded again")
    assert re.fullmatch(rf"{TIME} INFO callbacks are recorded again\n", capsys.readouterr().err)


def test_as_json_each_line_is_an_object_what_is_announced_too(begin: Begin, capsys: pytest.CaptureFixture[str]) -> None:
    begin(TRINGLEDGER_LOG_FORMAT="json")
    announce("signatures are NOT checked", logging.WARNING)
    failed()
    first, second = map(json.loads, capsys.readouterr().err.splitlines())
    assert (first["level"], first["message"]) == ("warning", "signatures are NOT checked")
    assert (second["level"], second["logger"], second["message"]) == (
        *("error", "api.intake", "cannot record a notification"),
    )
    assert all(re.fullmatch(TIME, line["time"]) for line in (first, second))
    assert second["exception"].endswith("ValueError")


@pytest.mark.parametrize("form", ["text", "json"])
def test_an_exceptions_text_is_left_out_as_it_may_quote_a_caller(
    begin: Begin, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    begin(TRINGLEDGER_LOG_FORMAT=form)
    failed()
    told = capsys.readouterr().err
    assert "ValueError" in told
    assert Path(__file__).name in told
    assert NUMBER not in told
    assert TAG not in told


def test_a_message_stays_on_its_line(begin: Begin, capsys: pytest.CaptureFixture[str]) -> None:
    begin()
    ours.error("the job %s failed", "x\n2026-01-01T00:00:00.000Z INFO all is well")
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(("level", "expected"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_the_level_is_a_setting(begin: Begin, capsys: pytest.CaptureFixture[str], level: str, expected: int) -> None:
    begin(TRINGLEDGER_LOG_LEVEL=level)
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        ours.log(number, "a message")
    assert len(capsys.readouterr().err.splitlines()) == expected


def test_libraries_do_not_tell_of_requests(begin: Begin, capsys: pytest.CaptureFixture[str]) -> None:
    begin(TRINGLEDGER_LOG_LEVEL="debug")
    foreign.info("HTTP Request: GET http://127.0.0.1/handler?src=%s", NUMBER)
    assert capsys.readouterr().err == ""


def test_a_failure_of_a_process_names_what_is_ours_and_hides_what_may_be_a_callers() -> None:
    assert describe_failure(StoreUnavailable("the disk is full")) == "the disk is full"
    assert describe_failure(OSError(28, "No space left on device")) == "OSError: No space left on device"
    with pytest.raises(ValueError) as raised:  # noqa: PT011 - What it says is the point.
        int(NUMBER + TAG)
    assert NUMBER in str(raised.value)
    assert re.fullmatch(rf"ValueError in {Path(__file__).name}, line \d+", describe_failure(raised.value))

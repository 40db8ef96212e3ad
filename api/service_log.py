"""The service's log on stderr: one line a message, or JSON; times in UTC. It never holds a number, a tag or a query.

Messages are our own and name positions and call ids. Texts of foreign exceptions are left out, because they may quote what a
caller sent: the log has their type and where they were raised.
"""

import logging
import sys
from datetime import UTC, datetime
from traceback import format_tb
from types import TracebackType
from typing import Any

import msgspec

from api.settings import Settings
from domain.errors import LedgerError
from domain.text import printable

TEXT, JSON = "text", "json"
# Libraries log requests with their URLs at INFO: theirs begins at WARNING.
OURS = ("api", "domain", "projections")

_log = logging.getLogger(__name__)

ExceptionInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class ServiceFormatter(logging.Formatter):
    """Formats a message as a line of text: the time (ISO 8601, UTC), the level, the message."""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: ARG002, N802 - logging's name
        """Return the time of a message."""
        return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def formatException(self, ei: ExceptionInfo) -> str:  # noqa: N802 - logging's name
        """Return where an exception was raised, its type, and its text if it is one of ours."""
        _, error, traceback = ei
        return "".join(format_tb(traceback)) + type_and_text(error)

    def format(self, record: logging.LogRecord) -> str:
        """Return the line; an announcement is for whoever started the service, and has no time."""
        if hasattr(record, "announced"):
            prefix = f"{record.levelname}: " if record.levelno > logging.INFO else ""
            return prefix + printable(record.getMessage())
        line = f"{self.formatTime(record)} {record.levelname} {printable(record.getMessage())}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


class JsonFormatter(ServiceFormatter):
    """Formats a message as one JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        content: dict[str, Any] = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
            "message": record.getMessage(),
        }
        if record.exc_info:
            content["exception"] = self.formatException(record.exc_info)
        return msgspec.json.encode(content).decode()


def type_and_text(error: BaseException | None) -> str:
    """Return what the log may say of an exception."""
    return f"{type(error).__name__}: {error}" if isinstance(error, LedgerError) else type(error).__name__


def begin_log(settings: Settings) -> None:
    """Write the log to stderr from now on, in the format and from the level that are set."""
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if settings.log_format == JSON else ServiceFormatter())
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    for name in OURS:
        logging.getLogger(name).setLevel(level)


def announce(text: str, level: int = logging.INFO) -> None:
    """Log what whoever starts the service wants to know."""
    _log.log(level, "%s", text, extra={"announced": True})

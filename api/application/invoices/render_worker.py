"""A worker of a bill run: a process that renders the files of the documents that it receives, and sends them back."""

import sys
from contextlib import suppress
from multiprocessing.connection import Connection

from api.application.invoices.rendering import RenderTask, render
from domain.errors import LedgerError

RenderedFiles = list[tuple[str, bytes]]


def render_files(tasks: list[tuple[str, RenderTask]]) -> RenderedFiles:
    """Return files by name."""
    return [(name, render(task)) for name, task in tasks]


def serve_documents(connection: Connection) -> None:
    """Receive documents, and send the files of each; an error is sent, too, and ends the worker."""
    connection.recv()
    try:
        while True:
            connection.send(render_files(connection.recv()))
    except LedgerError as error:
        connection.send(error)


def main(descriptor: int) -> None:
    """Work until the other end of the connection is closed."""
    with Connection(descriptor) as connection, suppress(EOFError, BrokenPipeError, ConnectionResetError):
        serve_documents(connection)


if __name__ == "__main__":
    main(int(sys.argv[1]))

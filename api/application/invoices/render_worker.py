"""A worker of a bill run: a process that renders the files of the documents that it receives, and sends them back."""

import sys
from multiprocessing.connection import Connection

from api.application.invoices.rendering import RenderTask, render
from projections.worker_link import serve_parent

RenderedFiles = list[tuple[str, bytes]]


def render_files(tasks: list[tuple[str, RenderTask]]) -> RenderedFiles:
    """Return files by name."""
    return [(name, render(task)) for name, task in tasks]


def serve_documents(connection: Connection) -> None:
    """Receive documents, and send the files of each."""
    connection.recv()
    while True:
        connection.send(render_files(connection.recv()))


def main(descriptor: int) -> None:
    """Work until the other end of the connection is closed."""
    serve_parent(descriptor, serve_documents)


if __name__ == "__main__":
    main(int(sys.argv[1]))

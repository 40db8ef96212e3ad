"""Documents rendered by processes of this machine where that takes long, as PDFs do; few or light ones right here."""

from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait

from api.application.invoices.bill_run import DocumentFiles
from api.application.invoices.render_worker import RenderedFiles, render_files
from api.application.invoices.rendering import PDF
from projections.worker_link import WorkerLink, WorkersCrashed

MODULE = "api.application.invoices.render_worker"
# Starting a process takes as long as some documents.
DOCUMENTS_MIN = 8

Rendered = tuple[DocumentFiles, RenderedFiles]


def render_documents(
    documents: Iterable[DocumentFiles], count: int, forms: tuple[str, ...], jobs: int
) -> Iterator[Rendered]:
    """Yield documents with their rendered files, in any order; ``count`` is about how many there are.

    Raises WorkersCrashed where a process ended over a document.
    """
    if PDF not in forms or count < DOCUMENTS_MIN or jobs < 2:  # noqa: PLR2004 - one process is this one.
        for document in documents:
            yield document, render_files(document.tasks)
        return
    links = [WorkerLink(MODULE, None) for _ in range(jobs)]
    try:
        yield from _render_by(links, iter(documents))
    finally:
        for link in links:
            link.stop()


def _render_by(links: list[WorkerLink], documents: Iterator[DocumentFiles]) -> Iterator[Rendered]:
    busy: dict[Connection, tuple[WorkerLink, DocumentFiles]] = {}
    idle = [*links]
    while True:
        while idle and (document := next(documents, None)) is not None:
            link = idle.pop()
            link.send(document.tasks)
            busy[link.connection] = (link, document)
        if not busy:
            return
        link, document = busy.pop(wait(list(busy))[0])  # type: ignore[call-overload]
        files = link.receive()
        if files is None:
            msg = f"a process ended over {document.entry['number']}; run the command again, or with --jobs 1"
            raise WorkersCrashed(msg)
        assert isinstance(files, list)
        idle.append(link)
        yield document, files

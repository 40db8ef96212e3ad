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
    """Yield documents with their rendered files, in their order; ``count`` is about how many there are.

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
    busy: dict[Connection, tuple[WorkerLink, int, DocumentFiles]] = {}
    idle, numbered = [*links], enumerate(documents)
    # What overtook an earlier document waits for it, so that a zip has the same bytes again.
    ready: dict[int, Rendered] = {}
    following = 0
    while True:
        while idle and (taken := next(numbered, None)) is not None:
            link = idle.pop()
            link.send(taken[1].tasks)
            busy[link.connection] = (link, *taken)
        if not busy:
            return
        link, number, document = busy.pop(wait(list(busy))[0])  # type: ignore[call-overload]
        idle.append(link)
        ready[number] = (document, _receive(link, document))
        while following in ready:
            yield ready.pop(following)
            following += 1


def _receive(link: WorkerLink, document: DocumentFiles) -> RenderedFiles:
    files = link.receive()
    if files is None:
        msg = f"a process ended over {document.entry['number']}; run the command again, or with --jobs 1"
        raise WorkersCrashed(msg)
    assert isinstance(files, list)
    return files

"""Opens a ledger and its read models for a command. Imports are inside the functions, so that a help does not load them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from time import monotonic, sleep
from typing import TYPE_CHECKING

from api.cli.console import note, progress

if TYPE_CHECKING:
    from api.settings import Settings
    from domain.ledger import Ledger
    from projections.stores.generations import ReadStore


@contextmanager
def frozen_imports() -> Iterator[None]:
    """Import modules, and never look for garbage among them: that would take a quarter of a short command's time."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()


RETRY_SECONDS = 0.5


@contextmanager
def open_ledger(store: str | None) -> Iterator[tuple[Ledger, Settings]]:
    """Open an existing ledger for reading; the private key is not needed."""
    from api import settings
    from domain.ledger import Ledger

    read = settings.load_settings(store=store)
    with Ledger(read.store, options=read.ledger_options) as ledger:
        yield ledger, read


def wait_for_store(url: str, seconds: float) -> None:
    """Wait until the server of a store answers, for at most ``seconds``; raises StoreUnavailable after that.

    What a wait does not cure is raised at once: a URL that cannot be read, a pooler that pools by transaction.
    """
    from domain.errors import StoreUnavailable
    from domain.log.open import open_log

    until = monotonic() + seconds
    is_first = True
    while True:
        try:
            with closing(open_log(url)) as log:
                log.facts()
        except StoreUnavailable as error:
            if monotonic() >= until:
                raise
            if is_first:
                note(f"waiting up to {seconds:g} s: {error}")
            is_first = False
            sleep(min(RETRY_SECONDS, max(until - monotonic(), 0)))
        else:
            return


@contextmanager
def read_models_as_of(ledger: Ledger, position: int, model: str | None = None) -> Iterator[ReadStore]:
    """Build the read models, or one of them, up to a position in a temporary store, and yield it."""
    from projections.building.as_of import kinds_of, open_as_of
    from projections.building.process_pool import choose_folding

    kinds = kinds_of(model) if model else None
    with ExitStack() as looking:
        with progress("Looking back", position, "events") as moved:
            store = looking.enter_context(
                open_as_of(ledger, position, lambda done, _: moved(done), choose_folding(position, kinds=kinds))
            )
        yield store


@contextmanager
def read_models(ledger: Ledger, *, caught_up: bool) -> Iterator[ReadStore]:
    """Open the read models of a ledger; with ``caught_up`` they are first brought up to the current head of the log.

    On a standby, and with a role that may only read, they are read as they are, and a note says how far they are behind.
    """
    from projections.building.catch_up import catch_up
    from projections.stores.generations import open_current

    store = open_current(ledger)
    try:
        if caught_up and not store.can_write():
            _note_lag(ledger, store)
        elif caught_up:
            with progress("Catching up", ledger.head(), "events") as moved:
                catch_up(ledger, store, progress=moved)
        yield store
    finally:
        store.close()


def _note_lag(ledger: Ledger, store: ReadStore) -> None:
    with store.snapshot() as connection:
        lag = ledger.head() - store.position(connection, ledger.store)
    note(
        f"the read models cannot be written here (a standby, or a role that only reads): they are {lag} events behind the log"
    )

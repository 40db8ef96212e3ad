"""Opens a ledger and its read models for a command. Imports are inside the functions, so that a help does not load them."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from api.cli.console import progress

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


@contextmanager
def open_ledger(store: str | None) -> Iterator[tuple[Ledger, Settings]]:
    """Open an existing ledger for reading; the private key is not needed."""
    from api import settings
    from domain.ledger import Ledger

    read = settings.load_settings(store=store)
    with Ledger(read.store, options=read.ledger_options) as ledger:
        yield ledger, read


@contextmanager
def read_models_as_of(ledger: Ledger, position: int) -> Iterator[ReadStore]:
    """Build the read models up to a position in a temporary store, and yield it."""
    from projections.building.as_of import open_as_of
    from projections.building.process_pool import choose_folding

    with ExitStack() as looking:
        with progress("Looking back", position, "events") as moved:
            store = looking.enter_context(
                open_as_of(ledger, position, lambda done, _: moved(done), choose_folding(position))
            )
        yield store


@contextmanager
def read_models(ledger: Ledger, *, caught_up: bool) -> Iterator[ReadStore]:
    """Open the read models of a ledger; with ``caught_up`` they are first brought up to the current head of the log."""
    from projections.building.catch_up import catch_up
    from projections.stores.generations import open_current

    store = open_current(ledger)
    try:
        if caught_up:
            with progress("Catching up", ledger.head(), "events") as moved:
                catch_up(ledger, store, progress=moved)
        yield store
    finally:
        store.close()

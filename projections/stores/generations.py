"""The entry to a ledger's read models: which generation is current, and where it is.

A rebuild makes the next generation alongside the current one, and then changes one fact in the log. So readers never wait,
and never see half of it.
"""

from collections.abc import Mapping
from pathlib import Path

from domain.ledger import Ledger
from domain.log import urls
from projections.stores.base import (
    Generations,
    ReadModelsCorrupt,
    ReadModelsOutdated,
    ReadModelsUnusable,
    ReadStore,
    RebuildRunning,
)
from projections.stores.sqlite import SQLiteGenerations

__all__ = [
    "Generations",
    "ReadModelsCorrupt",
    "ReadModelsOutdated",
    "ReadModelsUnusable",
    "ReadStore",
    "RebuildRunning",
    "activate",
    "generation_of",
    "generations",
    "is_current",
    "open_current",
]

GENERATION = "read_models"


def generations(ledger: Ledger) -> Generations:
    """Return the generations of a ledger's read models: in the database of its log, or in files next to it."""
    if urls.is_postgres(ledger.url):
        from projections.stores.postgres import PostgresGenerations  # noqa: PLC0415 - most ledgers are SQLite files

        return PostgresGenerations(ledger.url, ledger.id, ledger.options.connections_max)
    return SQLiteGenerations(Path(ledger.path), ledger.id)


def generation_of(ledger: Ledger) -> int:
    """Return the current generation of a ledger's read models."""
    return int(ledger.store.facts().get(GENERATION, "1"))


def is_current(ledger: Ledger, store: ReadStore) -> bool:
    """Whether opened read models are still the current ones: neither swapped by a rebuild nor deleted."""
    return store.generation == generation_of(ledger) and store.still_exists()


def open_current(ledger: Ledger) -> ReadStore:
    """Open a ledger's current read models, or create them at position 0."""
    kept = generations(ledger)
    while True:
        generation = generation_of(ledger)
        try:
            store = kept.open(generation)
        except ReadModelsUnusable:
            if generation == generation_of(ledger):
                raise
            continue  # A rebuild has swapped in between, and another one has taken the place of this generation.
        if generation == generation_of(ledger):
            return store
        # A rebuild has swapped in between; a generation that was just created is not needed.
        store.close()
        kept.remove(generation)


def activate(ledger: Ledger, generation: int, facts: Mapping[str, str]) -> None:
    """Make a generation the current one, and set the facts about it, in one transaction."""
    with ledger.store.transaction() as log:
        log.set_fact(GENERATION, str(generation))
        for name, value in facts.items():
            log.set_fact(name, value)

"""The door to a ledger's read models: which generation of them is current, and where it lives.

A rebuild makes the next generation beside the current one and then changes one fact in the log, so that readers never
wait and never see half of it.
"""

from collections.abc import Mapping
from pathlib import Path

from domain.ledger import Ledger
from domain.log import urls
from projections.stores.base import Generations, ReadModelsCorrupt, ReadModelsUnusable, ReadStore, RebuildRunning
from projections.stores.postgres import PostgresGenerations
from projections.stores.sqlite import SQLiteGenerations

__all__ = [
    "Generations",
    "ReadModelsCorrupt",
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
    """Return where the generations of a ledger's read models live: in the same database as its log, or beside it."""
    if urls.is_postgres(ledger.url):
        return PostgresGenerations(ledger.url, ledger.id)
    return SQLiteGenerations(Path(ledger.path), ledger.id)


def generation_of(ledger: Ledger) -> int:
    """Return the current generation of a ledger's read models."""
    return int(ledger.store.facts().get(GENERATION, "1"))


def is_current(ledger: Ledger, store: ReadStore) -> bool:
    """Whether read models that were opened are still the ones to read: no rebuild has swapped, and nobody deleted them."""
    return store.generation == generation_of(ledger) and store.still_exists()


def open_current(ledger: Ledger) -> ReadStore:
    """Open a ledger's current read models; where there are none yet, they begin at position 0."""
    kept = generations(ledger)
    while True:
        generation = generation_of(ledger)
        store = kept.open(generation)
        if generation == generation_of(ledger):
            return store
        # A rebuild swapped between the two looks; what we may have made anew is nobody's.
        store.close()
        kept.remove(generation)


def activate(ledger: Ledger, generation: int, said_of_it: Mapping[str, str]) -> None:
    """Make a generation the current one, for everybody and at once, and note what is said of it in the same moment."""
    with ledger.store.transaction() as log:
        log.set_fact(GENERATION, str(generation))
        for name, value in said_of_it.items():
            log.set_fact(name, value)

"""What the settings say about keeping a proof tree: who signs it, how often, and who cosigns it."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from api.application.proofs.log_key import SigningSettings
from api.application.proofs.witness_client import Witness
from projections.proofs.tree_rows import CHECKPOINT_SECONDS

if TYPE_CHECKING:
    from api.settings import Settings


class ProverSettings(NamedTuple):
    """How a tree is signed, how often, and by whom it is cosigned."""

    signing: SigningSettings = SigningSettings()
    checkpoint_seconds: int = CHECKPOINT_SECONDS
    witnesses: Sequence[Witness] = ()


def signing_settings(settings: "Settings") -> SigningSettings:
    """Return which key the settings name."""
    return SigningSettings(settings.log_key, settings.origin)


def prover_settings(settings: "Settings") -> ProverSettings:
    """Return all that the settings say about the tree."""
    witnesses = [Witness.parse(each) for each in settings.witnesses]
    return ProverSettings(signing_settings(settings), settings.checkpoint_seconds, witnesses)


def prover_settings_of_texts(key_file: str, origin: str, seconds: str, *witnesses: str) -> ProverSettings:
    """Return the settings that a service hands on as texts, the empty ones as not set."""
    signing = SigningSettings(Path(key_file) if key_file else None, origin or None)
    return ProverSettings(signing, int(seconds), [Witness.parse(each) for each in witnesses])

"""The key that signs a log's checkpoints, as the settings name it, and the name of the log."""

from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from domain.errors import WrongUsage
from domain.ledger import Ledger
from domain.proofs.keys import SigningKey, VerifierKey, read_key_file
from domain.proofs.refusals import KeyRefused
from projections.proofs.proof_store import find_proofs

DEFAULT_ORIGIN = "tringledger/"


class NoLogKey(WrongUsage):
    """Something is to be signed, or a key to be shown, and the settings name no key."""


class SigningSettings(NamedTuple):
    """What signs a log: the key's file, and the origin, each None where the settings do not say."""

    key_file: Path | None = None
    origin: str | None = None


def default_origin(ledger: Ledger) -> str:
    """Return the name that a ledger's log has if it was given no other."""
    return f"{DEFAULT_ORIGIN}{ledger.id}"


def load_log_key(ledger: Ledger, settings: SigningSettings) -> SigningKey | None:
    """Return a ledger's signing key, or None where the settings name none.

    Raises KeyRefused where the file cannot be used, or its key was made for a log of another name.
    """
    if settings.key_file is None:
        return None
    key = read_key_file(settings.key_file)
    is_of_other_ledger = key.name.startswith(DEFAULT_ORIGIN) and key.name != default_origin(ledger)
    expected = settings.origin or (default_origin(ledger) if is_of_other_ledger else key.name)
    if key.name != expected:
        msg = f"the log's key {settings.key_file} is of the log {key.name}; expected a key of {expected}"
        raise KeyRefused(msg)
    return key


def required_log_key(ledger: Ledger, settings: SigningSettings) -> SigningKey:
    """Return a ledger's signing key; raises NoLogKey where the settings name none, KeyRefused as `load_log_key` does."""
    key = load_log_key(ledger, settings)
    if key is None:
        msg = "TRINGLEDGER_LOG_KEY is not set; expected the file of the log's key: `tringledger proof key --generate FILE`"
        raise NoLogKey(msg)
    return key


def public_key(ledger: Ledger, settings: SigningSettings) -> VerifierKey:
    """Return the public half of a ledger's key, under the name that its log has now: a fork changes that.

    Raises NoLogKey, KeyRefused.
    """
    key = required_log_key(ledger, settings)
    store = find_proofs(ledger.url, ledger.id)
    if store is None:
        return key.verifier
    with closing(store), store.reading() as rows:
        state = rows.state()
    named = key.named(state.origin) if state.origin else key
    return named.verifier if named.verifier.text == state.vkey else key.verifier

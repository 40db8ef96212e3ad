"""Secrets from files: for each secret NAME, NAME_FILE may name a file that holds it, as Docker, Kubernetes and systemd give them.

A file can be replaced while a program runs, and an environment cannot: so keys can change without a restart.
"""

from collections.abc import Collection, Mapping
from pathlib import Path

SUFFIX = "_FILE"
OURS = ("TRINGLEDGER_", "TRINGME_")
BYTES_MAX = 64 * 1024


class SecretUnusable(ValueError):
    """A secret cannot be had from its file; the message says why, and never what the file holds."""


def secret_text(environment: Mapping[str, str], name: str) -> str | None:
    """Return the secret that NAME_FILE names, None where it names none; raises SecretUnusable."""
    path = environment.get(name + SUFFIX, "").strip()
    if not path:
        return None
    if environment.get(name, "").strip():
        msg = f"{name} and {name}{SUFFIX} are both set: expected one of them"
        raise SecretUnusable(msg)
    try:
        with Path(path).open("rb") as file:
            content = file.read(BYTES_MAX + 1)
        text = content.decode().strip()
    except OSError as error:
        raise SecretUnusable(_refusal(name, path, f"a file that can be read ({error.strerror})")) from None
    except UnicodeDecodeError:
        raise SecretUnusable(_refusal(name, path, "a file in UTF-8")) from None
    if not text or len(content) > BYTES_MAX:
        expected = f"a file that holds the secret, with 1 to {BYTES_MAX} bytes"
        raise SecretUnusable(_refusal(name, path, expected))
    return text


def check_names(environment: Mapping[str, str], secrets: Collection[str]) -> None:
    """Raise SecretUnusable for a NAME_FILE of ours that belongs to no secret, as it would have no effect."""
    known = {name + SUFFIX for name in secrets}
    for name in environment:
        if name.startswith(OURS) and name.endswith(SUFFIX) and name not in known:
            msg = f"unknown setting {name}; of files, expected one of {', '.join(sorted(known))}"
            raise SecretUnusable(msg)


def refusal_of_content(environment: Mapping[str, str], name: str, expected: str) -> str:
    """Return the refusal of what a file holds, without showing it."""
    return _refusal(name, environment[name + SUFFIX], expected)


def _refusal(name: str, path: str, expected: str) -> str:
    return f"{name}{SUFFIX}={path!r} cannot be used: expected {expected}"

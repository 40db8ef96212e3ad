"""The program's entry, under a name of its own: ``api``, ``domain`` and ``projections`` are names that other code has too.

If a module or folder of such a name comes first on Python's path, the import of ours would fail far from the cause. So
code that needs our packages asks here first whether they are the ones next to this file.
"""

import sys
from importlib.util import find_spec
from pathlib import Path

PACKAGES = ("api", "domain", "projections")
USAGE = 2
REMEDY = (
    "Rename or move what is there, or give tringledger an environment of its own (`uv tool install`, `pipx install` or a"
    " virtual environment) and start it without that folder on Python's path: not from that folder (or with `python -P`),"
    " and not in PYTHONPATH."
)


def require(*packages: str) -> None:
    """Raise ImportError where another module of that name hides one of our packages."""
    home = Path(__file__).parent
    for name in packages:
        found = _location(name)
        if found and home / name != found and (home / name).resolve() != found.resolve():
            msg = f"another {name!r} hides tringledger's package of that name: got {found}; expected {home / name}. {REMEDY}"
            raise ImportError(msg, name=name, path=str(found))


def _location(name: str) -> Path | None:
    """Return the folder or file that an import of this name loads or has loaded; None where that cannot be told."""
    loaded = sys.modules.get(name)
    spec = loaded.__spec__ if loaded else find_spec(name)
    if spec is None:
        return None
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations)))
    return Path(spec.origin) if spec.origin else None


def main() -> None:
    """Run the command; end with exit code 2 where its packages are hidden."""
    try:
        require(*PACKAGES)
    except ImportError as error:
        print(f"tringledger: {error}", file=sys.stderr)  # noqa: T201 - nothing that could say it better may be imported
        sys.exit(USAGE)
    from api.__main__ import main as run  # noqa: PLC0415 - only now is it certain whose it is

    run()


if __name__ == "__main__":
    main()

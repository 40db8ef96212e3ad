"""Files that hold numbers of phones are made so that only their owner can read them.

That goes for ledgers, read models, exports, statements and samples of refused requests. A file that is there already keeps its
mode: its owner may have opened it to others on purpose.
"""

import os
from pathlib import Path

# The mode of such a file: its owner may read and write it.
OWNER_ONLY = 0o600


def make_private(path: Path) -> None:
    """Make an empty file with mode 0600 where there is none; one that is there keeps its mode.

    Raises OSError.
    """
    if path.exists():
        return
    # If another process makes it in between, it is as private.
    os.close(os.open(path, os.O_RDWR | os.O_CREAT, OWNER_ONLY))


def open_new(path: Path) -> int:
    """Make a file with mode 0600, and return its descriptor for writing.

    Raises OSError, FileExistsError if there is one.
    """
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY)

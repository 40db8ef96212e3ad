"""The interposer as the soak uses it: compiled at run, loaded into processes, armed with rules, and asked what has fired."""

import errno
import mmap
import os
import struct
import subprocess
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

SOURCE = Path(__file__).with_name("interposer.c")
CALLS = ("", "open", "write", "read", "fsync", "ftruncate", "stat", "mmap", "rename", "unlink", "send", "recv")
ACTIONS = ("", "fail", "kill", "tear", "stop", "delay")
RULES_MAX = 12
# As the structs of interposer.c lie in memory.
HEAD = struct.Struct("=iiqQQ")
RULE = struct.Struct("=iiiiq40s")


class Rule(NamedTuple):
    """What is to happen at a system call: at the one that ``left`` counts down to, and then about every so many (0: never again).

    ``path`` is a part of the file's path; ``error`` is the errno of a call that fails.
    """

    call: str
    action: str
    error: int = 0
    left: int = 1
    every: int = 0
    path: str = ""

    def __str__(self) -> str:
        """Say it as a report does."""
        error = f" with {errno.errorcode[self.error]}" if self.error else ""
        again = f", then about every {self.every}" if self.every else ""
        return f"{self.action} {self.call}{error} at number {self.left}{again} on *{self.path}*"


def compile_interposer(folder: Path) -> Path:
    """Compile the interposer into a folder, and return the library's path."""
    library = folder / "interposer.so"
    if not library.exists():
        command = ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o", str(library), str(SOURCE)]
        subprocess.run(command, check=True)
    return library


class Interposer:
    """What stands between some processes and the kernel, and the files by which it is told and tells."""

    def __init__(self, library: Path, folder: Path, prefix: Path, seed: int) -> None:
        """Keep the files in a folder; files whose paths begin with ``prefix`` are meant."""
        self._control = folder / "control"
        self._fired = folder / "fired"
        self.journal = folder / "journal"
        self._library, self._prefix = library, prefix
        self._control.write_bytes(bytes(HEAD.size + RULES_MAX * RULE.size))
        for empty in (self._fired, self.journal):
            empty.touch()
        with self._control.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 0)
        struct.pack_into("=Q", self._map, 16, seed & 0xFFFFFFFFFFFFFFFF)
        self._clock = 0

    @property
    def environment(self) -> dict[str, str]:
        """The environment of a process that is to be meddled with; its children inherit that."""
        return {
            **os.environ,
            "LD_PRELOAD": str(self._library),
            "SOAK_CONTROL": str(self._control),
            "SOAK_FIRED": str(self._fired),
            "SOAK_JOURNAL": str(self.journal),
            "SOAK_PREFIX": str(self._prefix),
        }

    def arm(self, rules: Iterable[Rule]) -> None:
        """Let these rules fire from now on, and no others."""
        self.disarm()
        for number, rule in enumerate(rules):
            packed = (CALLS.index(rule.call), ACTIONS.index(rule.action), rule.error, rule.every, rule.left)
            RULE.pack_into(self._map, HEAD.size + number * RULE.size, *packed, rule.path.encode())
        struct.pack_into("=i", self._map, 0, 1)

    def disarm(self) -> None:
        """Let nothing fire any more."""
        struct.pack_into("=i", self._map, 0, 0)
        self._map[HEAD.size :] = bytes(RULES_MAX * RULE.size)

    def record(self) -> None:
        """Write down from now on what reaches the disk."""
        struct.pack_into("=i", self._map, 4, 1)

    def move_clock(self, seconds: float) -> None:
        """Set the processes' clock forward, or back, by so much against this machine's."""
        struct.pack_into("=q", self._map, 8, int(seconds * 1e9))

    def fired(self) -> Counter[str]:
        """Count what has fired: each line was written before the fault took effect."""
        found: Counter[str] = Counter()
        for line in self._fired.read_text().splitlines():
            _, action, call, error, _ = line.split(" ", 4)
            found[f"{action} {call}{f' {errno.errorcode[int(error)]}' if int(error) else ''}"] += 1
        return found

    def close(self) -> None:
        """Let go of the shared memory."""
        self._map.close()

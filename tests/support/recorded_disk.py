"""A directory whose writes and syncs are recorded, so that a test can see what a power cut may leave of it at any moment.

What was not synced may be there, may be missing, and a write may be torn; a name that was not synced may be missing, too.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pytest

Contents = dict[str, bytes]


class Step(NamedTuple):
    """One thing that happened: a call on a file of the directory, or what the test notes itself."""

    what: str
    name: str = ""
    at: int = 0
    data: bytes = b""
    noted: Any = None


class RecordedDisk:
    """The steps on the files of a directory, in order."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps: list[Step] = []

    def note(self, what: str, noted: Any) -> None:
        """Note what the test knows, such as that something was answered."""
        self.steps.append(Step(what, noted=noted))

    @contextmanager
    def recording(self) -> Iterator[None]:
        """Record what is done to files of the directory meanwhile."""
        with pytest.MonkeyPatch.context() as patch:
            for what, name in (
                ("write", "pwrite"),
                ("truncate", "ftruncate"),
                ("sync", "fdatasync"),
                ("sync", "fsync"),
            ):
                patch.setattr(os, name, self._recorded(what, getattr(os, name)))
            patch.setattr(os, "open", self._opening(os.open))
            patch.setattr(Path, "unlink", self._unlinking(Path.unlink))
            yield

    def _recorded(self, what: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def recorded(file: int, *given: Any) -> Any:
            result = call(file, *given)
            path = Path(f"/proc/self/fd/{file}").readlink()
            if self.folder in (path, path.parent):
                data, at = (given if what == "write" else (b"", *given, 0))[:2]
                self.steps.append(Step(what, "." if path == self.folder else path.name, at, bytes(data)))
            return result

        return recorded

    def _opening(self, call: Callable[..., int]) -> Callable[..., int]:
        def opened(path: Any, flags: int, *mode: int, **given: Any) -> int:
            is_new = flags & os.O_CREAT and Path(path).parent == self.folder and not Path(path).exists()
            file = call(path, flags, *mode, **given)
            if is_new:
                self.steps.append(Step("create", Path(path).name))
            return file

        return opened

    def _unlinking(self, call: Callable[..., None]) -> Callable[..., None]:
        def unlinked(path: Path, **given: bool) -> None:
            if path.parent == self.folder and path.exists():
                self.steps.append(Step("unlink", path.name))
            call(path, **given)

        return unlinked

    def after_power_cut(self, steps: int, random: Random) -> Contents:
        """Return the files that may be left if the power is cut after so many steps."""
        files: dict[str, _File] = {}
        names, named = set[str](), list[Step]()
        for step in self.steps[:steps]:
            if step.what in ("create", "unlink"):
                named.append(step)
                if step.what == "create":
                    files[step.name] = _File()
            elif step.name == ".":
                names = _renamed(names, named)
                named = []
            elif step.name:
                files[step.name].take(step)
        names = _renamed(names, [step for step in named if random.random() < 0.5])
        return {name: files[name].left(random) for name in names if name in files}


def _renamed(names: set[str], steps: list[Step]) -> set[str]:
    found = set(names)
    for step in steps:
        (found.add if step.what == "create" else found.discard)(step.name)
    return found


class _File:
    def __init__(self) -> None:
        self._synced = b""
        self._unsynced: list[Step] = []

    def take(self, step: Step) -> None:
        if step.what == "sync":
            for each in self._unsynced:
                self._synced = _applied(self._synced, each)
            self._unsynced = []
        else:
            self._unsynced.append(step)

    def left(self, random: Random) -> bytes:
        content = self._synced
        for step in self._unsynced:
            fate = random.choice(("there", "missing", "torn", "zeros"))
            if fate == "there":
                content = _applied(content, step)
            elif fate == "torn":
                content = _applied(content, step._replace(data=step.data[: random.randint(0, len(step.data))]))
            elif fate == "zeros":
                content = _applied(content, step._replace(data=bytes(len(step.data))))
        return content


def _applied(content: bytes, step: Step) -> bytes:
    if step.what == "truncate":
        return content[: step.at].ljust(step.at, b"\0")
    content = content.ljust(step.at, b"\0")
    return content[: step.at] + step.data + content[step.at + len(step.data) :]

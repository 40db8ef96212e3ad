"""Programs of others that judge what is ours: found where they are installed, and never left out where CI is set."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SECONDS_MAX = 60
# What pip installs stands beside Python, whether the environment is activated or not.
PLACES = os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))


def require_program(name: str) -> None:
    """Leave the test out if a program is not installed; fail where CI is set, since .ci/run installs it."""
    if not shutil.which(name, path=PLACES):
        assert not os.environ.get("CI"), f"{name} is missing: .ci/run installs it"
        pytest.skip(f"{name} is not installed")


def output_of(*command: str | Path, given: str = "") -> str:
    """Run a program that must be content, and return what it says."""
    require_program(str(command[0]))
    program = shutil.which(str(command[0]), path=PLACES)
    assert program
    done = subprocess.run(
        [program, *command[1:]], input=given, capture_output=True, text=True, timeout=SECONDS_MAX, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr

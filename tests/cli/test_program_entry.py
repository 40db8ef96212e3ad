"""The program's first step, before there is a command that could catch anything."""

import subprocess
import sys

INTERRUPTED = 130
CTRL_C_WHILE_LOADING = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == "api.cli.main":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder())
from api.__main__ import main
main()
"""


def test_ctrl_c_while_the_modules_are_loaded_ends_it_without_a_traceback() -> None:
    done = subprocess.run([sys.executable, "-c", CTRL_C_WHILE_LOADING], capture_output=True, check=False, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (INTERRUPTED, b"", b"")

"""The program's first step: Ctrl-C while its modules are loaded ends it as quietly as later."""

import sys

from api.cli.exit_codes import INTERRUPTED


def main() -> None:
    """Load the command and run it."""
    try:
        from api.cli.main import main as command  # noqa: PLC0415 - this is what takes its time
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    command()


if __name__ == "__main__":
    main()

"""``make demo``: a service on this machine, a platform that calls it, and what arrives, as it arrives.

The platform is made up; the service, the signatures and the HTTP between them are real. Calls run sixty times as fast as
calls do. The service goes on until Ctrl-C.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Thread

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from domain.ledger import Ledger
from projections.store import open_current
from tests.benchmarks.traffic import KEY
from tests.demo.platform import Platform
from tests.demo.view import view

FOLDER = Path(".demo")
STORE = (FOLDER / "tringledger.db").absolute()
START_SECONDS_MAX = 30
LOOK_SECONDS = 0.5
PRINT_SECONDS = 5
WIDTH = 120


def main() -> None:
    """Run the demo."""
    options = _options()
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    service = _start(options.port)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        _wait_until_healthy(service, options.port)
        platform = Platform(options.port, options.seconds)
        sending = Thread(target=platform.run, daemon=True)
        sending.start()
        _show(sending, platform)
        _tell_what_to_try(options.port, platform)
        while service.poll() is None:
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        print("\nstopping the service")
    finally:
        service.terminate()
        service.wait()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--port", type=int, default=8000, help="the service's port (default: 8000)")
    parser.add_argument("--seconds", type=int, default=30, help="how long the platform calls (default: 30)")
    return parser.parse_args()


def _start(port: int) -> subprocess.Popen[bytes]:
    """Start the service with a key of its own, and none of the settings of whoever tries the demo."""
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("TRINGLEDGER_", "TRINGME_"))
    }
    environment["TRINGME_PRIVATE_KEY"] = KEY
    command = [sys.executable, "-m", "api.cli", "serve", "--port", str(port), "--store", f"sqlite:///{STORE}"]
    # In a group of its own: Ctrl-C reaches this program, which then stops the service.
    return subprocess.Popen(command, env=environment, start_new_session=True)


def _wait_until_healthy(service: subprocess.Popen[bytes], port: int) -> None:
    for _ in range(START_SECONDS_MAX * 10):
        if service.poll() is not None:
            sys.exit(f"the service did not start (is port {port} in use? try: make demo PORT=8001)")
        with suppress(OSError, HTTPException):
            connection = HTTPConnection("127.0.0.1", port, timeout=1)
            connection.request("GET", "/health")
            if connection.getresponse().status == 200:
                return
        time.sleep(0.1)
    sys.exit("the service did not come up")


def _show(sending: Thread, platform: Platform) -> None:
    """Show what has arrived until the platform is done: redrawn on a terminal, else printed now and then."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    with Ledger(f"sqlite:///{STORE}") as ledger:
        store = open_current(ledger)

        def look() -> Group:
            return Group(*view(store), Text(platform.books()))

        if console.is_terminal:
            _redraw(console, sending, look)
        else:
            _print_now_and_then(console, sending, look)
        time.sleep(2 * LOOK_SECONDS)
        console.print(look())
        store.close()


def _redraw(console: Console, sending: Thread, look: Callable[[], Group]) -> None:
    with Live(look(), console=console, auto_refresh=False, transient=True) as live:
        while sending.is_alive():
            live.update(look(), refresh=True)
            time.sleep(LOOK_SECONDS)


def _print_now_and_then(console: Console, sending: Thread, look: Callable[[], Group]) -> None:
    while sending.is_alive():
        sending.join(PRINT_SECONDS)
        if sending.is_alive():
            console.print(look())


def _tell_what_to_try(port: int, platform: Platform) -> None:
    command, store = f"{Path(sys.executable).parent}/tringledger", f"--store sqlite:///{STORE}"
    print("\nThe service runs on until Ctrl-C. In another terminal:\n")
    for what, how in (
        ("how the ledger is", f"{command} status {store}"),
        ("what each account's calls cost", f"{command} export billing {store}"),
        ("one call's history", f"{command} history --tag '{platform.last_tag}' --src {platform.last_src} {store}"),
        ("is the service well", f"curl http://127.0.0.1:{port}/health"),
    ):
        print(f"  {what + ':':32}{how}")
    print(flush=True)


if __name__ == "__main__":
    main()

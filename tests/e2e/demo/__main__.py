"""``make demo``: a service on this machine, a platform that calls it, and what arrives, as it arrives.

The platform is that of ``tringledger rehearse``, with all the chaos; the service, the signatures and the HTTP between them
are real. Calls run sixty times as fast as calls do. At the end the platform's books are compared with the ledger's, and the
service goes on until Ctrl-C.
"""

import argparse
import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from threading import Thread

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from api.application.rehearsal import expected_books as booking
from api.application.rehearsal import observed_books as found
from api.application.rehearsal import target_url as target
from api.application.rehearsal.expected_books import BooksFile, ExpectedBooks
from api.application.rehearsal.script import Script
from api.application.rehearsal.sender import RequestSender, TargetUnreachable
from api.application.rehearsal.verification import book_differences
from api.web.auth import sessions, users
from api.web.auth.refusal import SIGN_IN
from api.web.auth.roles import Role
from api.web.auth.store import open_access_store
from domain import times
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.stores.generations import open_current
from tests.e2e.demo.view import view

KEY, FORMULA = "demo-private-key", "md5-params"
USER = "demo"
SEED, CALLS_PER_SECOND, TIMES_AS_FAST = 7, 4, 60

FOLDER = Path(".demo")
STORE = (FOLDER / "tringledger.db").absolute()
BOOKS = (FOLDER / "books.json").absolute()
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
        _add_user()
        print(f"\nPages, as they fill (this link signs you in, once): {_link(options.port)}\n", flush=True)
        sending, books = _call(options.port, options.seconds)
        _show(sending, books)
        _tell_what_to_try(options.port, _compare(books))
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
    command = [sys.executable, "-m", "api", "serve", "--port", str(port), "--store", f"sqlite:///{STORE}"]
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


def _add_user() -> None:
    """Add a user who may do everything; nobody needs his token."""
    with closing(open_access_store(f"sqlite:///{STORE}", durable=False)) as store:
        users.add_user(store, USER, list(Role), times.now())


def _link(port: int) -> str:
    """Return a link that signs the user in."""
    with closing(open_access_store(f"sqlite:///{STORE}", durable=False)) as store:
        return f"http://127.0.0.1:{port}{SIGN_IN}?link={sessions.new_link(store, USER, times.now())}"


def _call(port: int, seconds: int) -> tuple[Thread, ExpectedBooks]:
    """Begin to call the service, and give the books that are being kept of it."""
    script = Script(seed=SEED, calls=seconds * CALLS_PER_SECOND, rate=CALLS_PER_SECOND, speed=TIMES_AS_FAST, chaos=True)
    plan, books = script.prepare(FORMULA, KEY)
    platform = RequestSender(target.read_target_url(f"http://127.0.0.1:{port}/notify", anywhere=False), plan, books)

    def run() -> None:
        with suppress(TargetUnreachable):  # The service was stopped.
            asyncio.run(platform.run())

    sending = Thread(target=run, daemon=True)
    sending.start()
    return sending, books


def _said(books: ExpectedBooks) -> str:
    answers = books.answers
    garbage = answers.total() - answers[200] - answers[202] - answers[403]
    return (
        f"the platform made {answers.total()} requests about {books.calls} calls: {answers[200]} were taken,"
        f" {answers[202] + answers[403]} put in quarantine, {garbage} garbage; {books.unexpected.total()} wrongly answered"
    )


def _show(sending: Thread, books: ExpectedBooks) -> None:
    """Show what has arrived until the platform is done: redrawn on a terminal, else printed now and then."""
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    with Ledger(f"sqlite:///{STORE}") as ledger:
        store = open_current(ledger)

        def look() -> Group:
            return Group(*view(store), Text(_said(books)))

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


def _compare(books: ExpectedBooks) -> BooksFile:
    """Say whether the platform's books and the ledger's agree, and save the platform's."""
    document = books.document()
    booking.save_books(document, BOOKS)
    with Ledger(f"sqlite:///{STORE}") as ledger:
        store = open_current(ledger)
        catch_up(ledger, store)
        differing = list(book_differences(document, found.read_ledger_books(ledger, store)))
        store.close()
    charged = sum(call.row is not None for call in document.calls)
    print(f"\nThe platform's own books list {charged} charged calls of {len(document.calls)}.", end=" ")
    print(
        f"The ledger {'differs in ' + str(len(differing)) if differing else 'agrees'}, call by call, to the last digit."
    )
    return document


def _tell_what_to_try(port: int, document: BooksFile) -> None:
    command, store = f"{Path(sys.executable).parent}/tringledger", f"--store sqlite:///{STORE}"
    last = next(call for call in reversed(document.calls) if call.row and call.src)
    print("\nThe service runs on until Ctrl-C. In another terminal:\n")
    for what, how in (
        ("the pages, signed in, once", _link(port)),
        ("another such link", f"{command} user link {USER} --at http://127.0.0.1:{port} {store}"),
        ("how the ledger is", f"{command} status {store}"),
        ("what each account's calls cost", f"{command} export billing {store}"),
        ("one call's history", f"{command} history --tag '{last.tag}' --src {last.src} {store}"),
        ("compare the books again", f"{command} rehearse --books {BOOKS} --verify sqlite:///{STORE}"),
        ("is the service well", f"curl http://127.0.0.1:{port}/health"),
    ):
        print(f"  {what + ':':32}{how}")
    print(flush=True)


if __name__ == "__main__":
    main()

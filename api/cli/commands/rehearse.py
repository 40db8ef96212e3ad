"""``tringledger rehearse``: simulate TringMe, with faults on request, and verify the ledger's books."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from api.application.rehearsal.plan import PATIENCE_SECONDS, PATIENCE_SECONDS_MAX
from api.application.rehearsal.simulated_call import KINDS
from api.cli.console import note, print_table, progress
from api.cli.exit_codes import DONE, FINDING, UNAVAILABLE
from api.cli.ledger_access import open_ledger, read_models

if TYPE_CHECKING:
    from api.application.rehearsal.expected_books import BooksFile, ExpectedBooks
    from api.application.rehearsal.observed_books import ObservedBooks
    from api.application.rehearsal.sender import RequestSender
    from api.application.rehearsal.simulated_call import Kind
    from api.settings import Settings

CALLS_MAX = 100_000
SEED_BELOW = 1_000_000


@click.command()
@click.option("--to", metavar="URL", help="The notify URL to call, such as http://127.0.0.1:8000/notify.")
@click.option(
    "--listen",
    metavar="PORT",
    type=click.IntRange(0, 65535),
    help="Instead of --to: serve a simulated api.php on this port of 127.0.0.1 (0: any free port), and call the URL"
    " that setnotifyurl sets.",
)
@click.option("--calls", default=100, show_default=True, type=click.IntRange(1, CALLS_MAX), help="Number of calls.")
@click.option(
    "--rate",
    default=5.0,
    show_default=True,
    type=click.FloatRange(0, 100_000, min_open=True),
    help="Calls that begin per second.",
)
@click.option(
    "--speed",
    default=60.0,
    show_default=True,
    type=click.FloatRange(0, 1_000_000, min_open=True),
    help="Speed of the calls (1: in real time, 60: a minute takes a second).",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 10**12),
    help="The same seed and options give the same notifications (default: a new seed, which is printed).",
)
@click.option("--chaos", is_flag=True, help="Send with the faults of platforms and networks, see above.")
@click.option(
    "--lose",
    "losing",
    multiple=True,
    type=click.Choice(KINDS),
    help="Lose one in twenty notices of this kind. Repeatable (default with --chaos: all kinds of notices of calls).",
)
@click.option(
    "--patience",
    default=PATIENCE_SECONDS,
    show_default=True,
    type=click.FloatRange(0, PATIENCE_SECONDS_MAX),
    help="How long to retry a notice, in seconds. After the ledger's grace it could count for another call.",
)
@click.option("--yes-not-local", "anywhere", is_flag=True, help="Allow calling another machine with simulated load.")
@click.option(
    "--books",
    "file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to save the expected books in; with --verify alone, the saved books to verify.",
)
@click.option(
    "--verify",
    "where",
    metavar="WHERE",
    help="Compare the expected books with these: a CSV from `tringledger export cdrs`, or a store URL.",
)
@click.pass_context
def rehearse(
    context: click.Context,
    to: str | None,
    listen: int | None,
    calls: int,
    rate: float,
    speed: float,
    seed: int | None,
    chaos: bool,
    losing: tuple[Kind, ...],
    patience: float,
    anywhere: bool,
    file: Path | None,
    where: str | None,
) -> None:
    """Simulate TringMe, and keep books of what must be charged.

    Places calls and sends their notifications to a service. There are single calls, calls to many numbers under one tag, repeated calls to one number, and calls from browsers.
    They fail in every way, have keyed digits, and come with voicemails and expired channels. Notices are signed with
    TRINGME_PRIVATE_KEY by the formula TRINGLEDGER_SIGNATURE, and retried until they are answered. Tags end with the seed,
    so that rehearsals do not mix. Use a ledger of its own for rehearsals: events cannot be removed.

    --chaos sends notices twice, signs CDRs again, reorders and loses notices, sends in bursts, slowly, in halves and
    without waiting for the answer, and adds wrong signatures, broken values and garbage.

    --verify compares to the last digit, lists the differences, and exits with 1 if there are any. You can run it later
    from the saved books.

    \b
    Examples:
      tringledger rehearse --to http://127.0.0.1:8000/notify --chaos --books books.json
      tringledger rehearse --books books.json --verify sqlite:///tringledger.db
      tringledger rehearse --listen 8090 --calls 1000 --rate 50 --lose cdr --books books.json
      TRINGME_API_URL=http://127.0.0.1:8090/api.php tringledger register http://127.0.0.1:8000/notify
    """
    import secrets

    from api import settings
    from api.application.rehearsal import expected_books as booking
    from api.application.rehearsal import observed_books as found
    from api.application.rehearsal import target_url as target
    from api.application.rehearsal.script import Script
    from api.application.rehearsal.sender import RequestSender

    _check(to, listen, file, where)
    if to is None and listen is None:
        assert file is not None
        assert where is not None
        context.exit(_verify(booking.load_books(file), where))
    read = settings.load_settings()
    read.keyring()
    script = Script(
        seed=secrets.randbelow(SEED_BELOW) if seed is None else seed,
        calls=calls,
        rate=rate,
        speed=speed,
        chaos=chaos,
        losing=losing,
    )
    if to is not None:
        target.read_target_url(to, anywhere=anywhere)
    plan, books = script.prepare(read.signature, read.private_keys[0] if read.private_keys else "")
    with _url(to, listen, read, anywhere=anywhere) as url:
        if where:
            with open_ledger(where) as (ledger, _):
                found.check(ledger)
        platform = RequestSender(target.read_target_url(url, anywhere=anywhere), plan, books, patience_seconds=patience)
        note(f"{calls} calls, {platform.total} requests, seed {script.seed}")
        document = _play(platform, books, file)
    context.exit(max(_code(platform, books), _verify(document, where) if where else 0))


def _check(to: str | None, listen: int | None, file: Path | None, where: str | None) -> None:
    """Refuse mistakes that would else show only after everything has been sent."""
    if to is not None and listen is not None:
        raise click.UsageError("expected either --to or --listen, not both")
    if to is None and listen is None:
        if not (file and where):
            raise click.UsageError("expected --to URL or --listen PORT, or else --books FILE with --verify WHERE")
        return
    if file and not file.absolute().parent.is_dir():
        msg = f"--books {file}: the folder does not exist; expected a file in an existing folder"
        raise click.UsageError(msg)
    if where and not _is_store(where):
        msg = (
            f"--verify {where}: an existing file cannot have calls that are yet to be placed; expected a store URL, or --books"
            " now and --verify later"
        )
        raise click.UsageError(msg)


@contextmanager
def _url(to: str | None, listen: int | None, read: Settings, *, anywhere: bool) -> Iterator[str]:
    """Yield the URL to call: the option's, or the first one set through the simulated api.php, which keeps running."""
    from api.web import fake_tringme_api as standin
    from api.web.fake_tringme_api import FakeTringMeApi

    if to is not None or listen is None:
        yield to or ""
        return
    stand_in = FakeTringMeApi(read.private_keys, formula=read.signature, anywhere=anywhere)
    with standin.serve_fake_api(stand_in.app, listen) as port:
        note(f"api.php at http://{standin.HOST}:{port}{standin.PATH}, waiting for op=setnotifyurl; stop with Ctrl-C")
        url = stand_in.wait()
        note(f"the notify URL is {url}")
        yield url


def _play(platform: RequestSender, books: ExpectedBooks, file: Path | None) -> BooksFile:
    """Send everything, and return the expected books; they are saved after Ctrl-C too, for what was sent until then."""
    import asyncio

    from api.application.rehearsal import expected_books as booking

    try:
        with progress("Calling", platform.total, "requests") as moved:
            asyncio.run(platform.run(moved))
    finally:
        document = books.document()
        if books.answers:
            _tell(platform, books, file)
        if file and books.answers:
            booking.save_books(document, file)
    return document


def _tell(platform: RequestSender, books: ExpectedBooks, file: Path | None) -> None:
    counts = ", ".join(
        f"{count} answered {status or 'without a status'}" for status, count in sorted(books.answers.items())
    )
    note(
        f"{books.calls} calls; {platform.sent} requests ({counts or 'none answered'}), {platform.again} retried,"
        f" {books.unanswered} notices without an answer" + (f"; books in {file}" if file else "")
    )
    for what, count in books.unexpected.items():
        note(f"unexpected: {what}, {count} times")


def _code(platform: RequestSender, books: ExpectedBooks) -> int:
    return UNAVAILABLE if platform.given_up else FINDING if books.unexpected else DONE


def _verify(books: BooksFile, where: str) -> int:
    """Compare, print what differs, and return the exit code."""
    from api.application.rehearsal.verification import book_differences, unsure_lines

    ledger = _found(where)
    differing = list(book_differences(books, ledger))
    if differing:
        print_table(differing[0]._fields, differing)
    unsure = unsure_lines(books.calls)
    if unsure:
        note(f"{len(unsure)} lines not compared, because a notice had no answer")
    _tell_of_quarantine(books, ledger)
    charged = sum(call.row is not None for call in books.calls)
    result = f"{len(differing)} differences between the ledger and" if differing else "the ledger agrees with"
    note(f"{result} the expected books: {charged} charged calls of {len(books.calls)}, {len(books.totals)} tags")
    return FINDING if differing else DONE


def _is_store(where: str) -> bool:
    return "://" in where


def _found(where: str) -> ObservedBooks:
    from api.application.rehearsal import observed_books as found

    if not _is_store(where):
        return found.read_books_file(Path(where))
    with open_ledger(where) as (ledger, _), read_models(ledger, caught_up=True) as store:
        return found.read_ledger_books(ledger, store)


def _tell_of_quarantine(books: BooksFile, ledger: ObservedBooks) -> None:
    from api.application.rehearsal.verification import SIGNATURE

    if not books.unfit:
        return
    wrong = sum(each.parameter == SIGNATURE for each in books.unfit)
    checked = "checked" if ledger.quarantine is not None else "not checked: an export has no quarantine"
    broken = len(books.unfit) - wrong
    note(f"expected in quarantine: {wrong} with a wrong signature, {broken} with a broken value ({checked})")

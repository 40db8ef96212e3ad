"""The twin of an exception: what it repeats, contradicts, or shares its nonce with."""

from contextlib import closing

from sqlalchemy import select

from api.application.exception_twins import Twins, find_twins
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.schema.tables import EXCEPTIONS
from projections.stores.generations import open_current
from tests.support.ledgers import opened, record
from tests.support.notices import FORMULA, SentNotice, callstatus, cdr, notice, priced_cdr


def twins_of(url: str, *notices: SentNotice, formula: str = FORMULA) -> Twins:
    with opened(url, formula=formula) as ledger:
        record(ledger, *notices, formula=formula)
        return twins(ledger)


def twins(ledger: Ledger) -> Twins:
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store)
        with store.snapshot() as connection:
            return find_twins(ledger, connection.execute(select(EXCEPTIONS)).all(), ledger.head())


def sqlite(path: object) -> str:
    return f"sqlite:///{path}/ledger.db"


def test_what_is_repeated_leads_to_the_first_of_its_kind(tmp_path: object) -> None:
    found = twins_of(
        sqlite(tmp_path),
        callstatus("SRCANSWERED", r=1),
        callstatus("COMPLETED", 1, r=2),
        callstatus("COMPLETED", 2, r=3),
        priced_cdr(4, r=4),
        priced_cdr(5, r=5),
    )
    assert found == {("repeated-status", 3): 2, ("repeated-cdr", 5): 4}


def test_what_shares_its_nonce_leads_to_the_event_that_used_it_first(tmp_path: object) -> None:
    notices = (callstatus(r=1), callstatus(r=1, tag="other"), notice(r=1, type="fax"))
    found = twins_of(sqlite(tmp_path), *notices, formula="md5-r-key")
    assert found == {("nonce-reused", 2): 1, ("nonce-reused", 3): 1}


def test_an_outcome_leads_to_the_one_that_it_contradicts(tmp_path: object) -> None:
    found = twins_of(
        sqlite(tmp_path),
        callstatus("SRCANSWERED", r=1),
        callstatus("COMPLETED", 1, r=2),
        callstatus("DESTBUSY", 2, r=3),
        callstatus("SRCANSWERED", r=4, tag="other"),
        cdr(1, "SRCFAILED", r=5, tag="other"),
    )
    assert found == {("contradictory-outcome", 3): 2, ("contradictory-outcome", 5): 4}


def test_what_has_no_twin_is_left_out_and_so_is_what_an_operator_moved_away(tmp_path: object) -> None:
    with opened(sqlite(tmp_path)) as ledger:
        record(ledger, priced_cdr(r=1), priced_cdr(1, r=2), callstatus("CAPITALS", r=3, tag="odd"))
        assert twins(ledger) == {("repeated-cdr", 2): 1}
        with ledger.operator_session("ann", "both took place") as session:
            session.release_cdr(2)
        assert twins(ledger) == {}

"""Delivery keys are compared as a whole, on both stores: each notice has its own, and none is left over."""

from collections.abc import Iterator

import pytest

from domain.log import urls
from projections.proofs.delivery_key_check import check_delivery_keys
from projections.proofs.log_check import LogCheck, check_log
from projections.proofs.span_check import check_notices
from tests.support.provers import World, world


@pytest.fixture
def w(store_url: str) -> Iterator[World]:
    with world(store_url) as made:
        made.record(20)
        made.run()
        yield made


def check(w: World) -> LogCheck:
    with w.store.reading() as rows:
        found = check_log(w.ledger.store, rows, check_spans=check_notices(w.ledger.store))
    check_delivery_keys(w.ledger.store, found)
    return found


def tamper(w: World, statement: str, *parameters: object) -> None:
    table = "tringledger.delivery_keys" if urls.is_postgres(w.ledger.url) else "delivery_keys"
    w.tamper(statement.replace("KEYS", table), *parameters)


def test_those_of_an_honest_log_fit_also_while_it_grows_behind_its_tree(w: World) -> None:
    w.record(5)
    assert check(w).holds


def test_those_of_two_notices_that_were_exchanged_are_both_named(w: World) -> None:
    tamper(w, "UPDATE KEYS SET position = 7 - position WHERE position IN (3, 4)")
    found = check(w)
    assert [finding.position for finding in found.findings] == [3, 4]
    assert "does not fit its delivery key: got position 4 for it" in found.findings[0].what


def test_one_that_is_missing_is_named_also_where_another_stands_in_for_it(w: World) -> None:
    tamper(w, "DELETE FROM KEYS WHERE position = 9")
    assert [finding.position for finding in check(w).findings] == [9]
    tamper(w, "INSERT INTO KEYS VALUES (?, 9)", b"k" * 32)
    assert [finding.position for finding in check(w).findings] == [9]


def test_one_that_belongs_to_no_event_is_found(w: World) -> None:
    tamper(w, "INSERT INTO KEYS VALUES (?, 9)", b"k" * 32)
    (finding,) = check(w).findings
    assert (finding.position, "some belong to no event" in finding.what) == (0, True)

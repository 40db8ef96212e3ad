"""The certificate of a rebuild: what it says is so, it outlives the read models, and one millionth shows."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from domain.ledger import Ledger
from projections.building import certificate
from projections.building.certificate import Certificate, certificate_differences, load_certificate
from projections.building.rebuild import check_read_models, rebuild
from projections.schema.read_models import STORED_TABLES
from projections.schema.tables import SCHEMA
from projections.stores.generations import generation_of, generations
from tests.support.ledgers import opened, record, tables
from tests.support.notices import GRACE, callstatus, cdr, notice

LOG = [
    callstatus("SRCANSWERED", tag='Zürich "Büro" \x7f\t\N{EM DASH}'),
    cdr(2, srccharge="1.5", destcharge="0.000001", srcsipcharge="7", destduration="60"),
    cdr(9 * GRACE, srccharge="999999999.999999"),
    notice(type="voicemail", email="bob@example.com"),
]


@pytest.fixture
def ledger(store_url: str) -> Iterator[Ledger]:
    with opened(store_url) as found:
        record(found, *LOG)
        yield found


def certified(ledger: Ledger) -> Certificate:
    return rebuild(ledger).certificate


def test_a_certificate_says_of_which_events_by_whom_and_what_came_out(ledger: Ledger) -> None:
    found = certified(ledger)
    assert (found.ledger, found.first, found.last, found.events) == (ledger.id, 1, len(LOG), len(LOG))
    assert (found.version, found.schema, found.jobs) == ("0.1.0", SCHEMA, 1)
    assert {name: sealed.rows for name, sealed in found.read_models.items()} == {
        name: len(rows) for name, rows in tables(ledger).items()
    }
    cost = "1000000001.5"
    assert found.money == {"cost": cost, "sip_credits": "7", "price": cost, "margin": "0"}


def test_a_digest_can_be_made_anew_by_any_program(ledger: Ledger) -> None:
    found = certified(ledger)
    for name, rows in tables(ledger).items():
        lines = [[column.name for column in STORED_TABLES[name].columns], *rows]
        text = "".join(json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n" for line in lines)
        assert found.read_models[name].digest == hashlib.sha256(text.encode()).hexdigest()


def test_two_rebuilds_of_the_same_events_give_the_same_digests_and_a_check_too(ledger: Ledger) -> None:
    one, other = certified(ledger), certified(ledger)
    assert (
        certificate_differences(one, other) == certificate_differences(one, check_read_models(ledger).certificate) == []
    )


def test_a_certificate_describes_what_was_swapped_in_with_the_events_that_came_meanwhile(ledger: Ledger) -> None:
    certified(ledger)
    late = [cdr(30 * GRACE, srccharge="3")]

    def record_late(_done: int, _total: int) -> None:
        if late:
            record(ledger, late.pop())

    found = rebuild(ledger, record_late).certificate
    assert (found.last, found.events) == (len(LOG) + 1, len(LOG) + 1)
    assert certificate_differences(found, certified(ledger)) == []


def test_the_same_events_give_the_same_digests_and_sums_on_any_store(ledger: Ledger, tmp_path: Path) -> None:
    with opened(f"sqlite:///{tmp_path}/other.db") as other:
        record(other, *LOG)
        ours, theirs = certified(ledger), certified(other)
    assert (ours.read_models, ours.money) == (theirs.read_models, theirs.money)


@pytest.mark.parametrize("amount", ["1.500001", "1.499999"])
def test_one_amount_that_differs_by_a_millionth_shows(store_url: str, tmp_path: Path, amount: str) -> None:
    other = f"sqlite:///{tmp_path}/other.db"
    found = []
    for url, charge in ((store_url, "1.5"), (other, amount)):
        with opened(url) as ledger:
            record(ledger, callstatus("SRCANSWERED"), cdr(2, srccharge=charge))
            found.append(certified(ledger).read_models)
    assert [name for name in STORED_TABLES if found[0][name] != found[1][name]] == ["cdrs", "billing", "billing-days"]


def test_a_certificate_outlives_the_read_models_and_a_check_leaves_none(ledger: Ledger) -> None:
    assert load_certificate(ledger) is None
    check_read_models(ledger)
    assert load_certificate(ledger) is None
    found = certified(ledger)
    assert load_certificate(ledger) == found
    generations(ledger).remove(generation_of(ledger))
    assert load_certificate(ledger) == found


def test_the_read_models_of_a_ledger_without_events_are_certified_as_empty(store_url: str) -> None:
    with opened(store_url) as ledger:
        found = certified(ledger)
    assert (found.first, found.last, found.events, found.money["cost"]) == (0, 0, 0, "0")
    assert not any(sealed.rows for sealed in found.read_models.values())


def test_read_models_that_could_not_be_compared_with_are_certified_all_the_same(ledger: Ledger) -> None:
    right = certified(ledger)
    with ledger.store.transaction() as log:
        log.set_fact("id", "another")  # So that the live read models are not this ledger's.
    with Ledger(ledger.url) as renamed:
        report = rebuild(renamed)
    assert report.position is None
    assert report.certificate.read_models == right.read_models
    assert (report.certificate.last, report.certificate.ledger) == (len(LOG), "another")


def test_a_certificate_of_a_later_version_that_says_more_can_be_read(ledger: Ledger) -> None:
    kept = json.loads(certificate.encode_certificate(certified(ledger)))
    assert certificate.decode_certificate(json.dumps(kept | {"more": 1})) == load_certificate(ledger)

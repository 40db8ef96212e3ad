"""Line rules on ledgers: a fact of the ledger says which, and old ledgers keep the first (SPEC 9.2)."""

import json
from contextlib import closing

import pytest

from domain.billing.tariff import parse_tariff
from domain.calls.correlation import BY_TAG
from domain.events.streams import call_id
from domain.ledger import Ledger
from domain.ledger_options import LedgerOptions
from domain.notices.line_number import LINE_RULE_1, LINE_RULE_2
from domain.outcomes import Recorded
from projections.building.catch_up import catch_up
from projections.stores.generations import open_current
from tests.support.command import run
from tests.support.database_edits import as_made_before, execute
from tests.support.ledgers import opened, record, tables
from tests.support.notices import SECOND, TAG, notice, priced_cdr

JOANN, JO_ANN = "gtalk:joann@example.com", "gtalk:jo.ann@example.com"
ADDRESS = "sip:bob:s3cret@pbx.example.com"
MASKED = "sip:bob:***@pbx.example.com"
FOR_JO_ANN = '[[rules]]\ntag = "*"\nsrc_prefix = "gtalk:jo.ann"\nfixed = 5\n[[rules]]\ntag = "*"\nfixed = 1\n'


def make_ledger(url: str, rule: int) -> None:
    """Make a ledger of a line rule."""
    with opened(url):
        pass
    if rule == LINE_RULE_1:
        as_made_before(url)


def calls_of(ledger: Ledger, *srcs: str) -> list[str]:
    """Record a CDR a second apart from each address; return the ids of the calls."""
    outcomes = record(ledger, *(priced_cdr(at * SECOND, src=src) for at, src in enumerate(srcs)))
    assert all(isinstance(outcome, Recorded) for outcome in outcomes)
    return [outcome.call_id for outcome in outcomes if isinstance(outcome, Recorded)]


def told(ledger: Ledger) -> str:
    """Return all that the read models hold, as text."""
    with closing(open_current(ledger)) as store:
        catch_up(ledger, store, ledger.head())
    return repr(tables(ledger))


@pytest.mark.parametrize(("rule", "calls"), [(LINE_RULE_2, 2), (LINE_RULE_1, 1)])
def test_numbers_that_are_none_are_different_lines_in_a_new_ledger_only(store_url: str, rule: int, calls: int) -> None:
    make_ledger(store_url, rule)
    with opened(store_url) as ledger:
        assert ledger.line_rule == rule
        assert len(set(calls_of(ledger, JO_ANN, JOANN))) == calls


def test_a_new_ledger_says_its_rule_and_a_copy_carries_it(
    store_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with opened(store_url) as ledger:
        assert ledger.store.facts()["line_rule"] == "2"
        record(ledger, priced_cdr(src=JO_ANN))
    to = f"sqlite:///{tmp_path_factory.mktemp('copy')}/copy.db"
    assert run("copy", store_url, to).code == 0
    with opened(to) as copied:
        assert copied.line_rule == 2


def test_a_copy_of_an_old_ledger_stays_one_of_line_rule_1(
    store_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with opened(store_url) as ledger:
        record(ledger, priced_cdr())
    as_made_before(store_url)
    to = f"sqlite:///{tmp_path_factory.mktemp('copy')}/copy.db"
    assert run("copy", store_url, to).code == 0
    with opened(to) as copied:
        assert (copied.line_rule, "line_rule" in copied.store.facts()) == (1, False)


def test_a_ledger_of_log_schema_2_keeps_line_rule_1_when_it_is_migrated(store_url: str) -> None:
    with opened(store_url):
        pass
    as_made_before(store_url)
    execute(store_url, "UPDATE ledger SET value = '2' WHERE name = 'schema'")
    with opened(store_url) as ledger:
        assert (ledger.found_schema, ledger.line_rule) == (2, 1)
        assert ledger.store.facts()["schema"] == "3"


@pytest.mark.parametrize(("rule", "prices"), [(LINE_RULE_2, {"8.5", "4.5"}), (LINE_RULE_1, {"8.5"})])
def test_the_beginning_of_a_number_in_a_tariff_follows_the_rule(store_url: str, rule: int, prices: set[str]) -> None:
    make_ledger(store_url, rule)
    with opened(store_url) as ledger:
        with ledger.operator_session("kim", "prices") as session:
            session.publish_tariff(FOR_JO_ANN)
        calls_of(ledger, JO_ANN, JOANN)
    rows = run("export", "cdrs", "--format", "json", "--store", store_url).json()
    assert {row["price"] for row in rows} == prices


@pytest.mark.parametrize(("rule", "prefix"), [(1, "gtalk:joann"), (2, "gtalk:jo.ann")])
def test_a_tariff_has_the_beginning_as_lines_have_it(rule: int, prefix: str) -> None:
    assert parse_tariff(FOR_JO_ANN, 1, timezone="UTC", line_rule=rule).rules[0].src_prefix == prefix


@pytest.mark.parametrize("correlation", ["tag-src", BY_TAG])
def test_no_read_model_and_no_id_of_a_new_ledger_holds_a_password(store_url: str, correlation: str) -> None:
    with opened(store_url, LedgerOptions(correlation=correlation)) as ledger:
        (call,) = calls_of(ledger, ADDRESS)
        record(ledger, notice(type="voicemail", src=ADDRESS), notice(type="deletechannel", src=ADDRESS))
        assert call == str(call_id((TAG, None if correlation == BY_TAG else MASKED), 1))
        found = told(ledger)
        assert ("s3cret" in found, MASKED in found) == (False, True)
        params = dict(ledger.notice_at(1).params)
        assert params["src"] == ADDRESS, "events keep it as delivered"


def test_a_password_does_not_tell_lines_apart_and_a_host_does(store_url: str) -> None:
    with opened(store_url) as ledger:
        first, second, third = calls_of(
            ledger, ADDRESS, "sip:bob:an0ther@pbx.example.com", "sip:bob:s3cret@pbx.example.org"
        )
        assert first == second != third


@pytest.mark.parametrize(("rule", "found"), [(LINE_RULE_2, [JO_ANN]), (LINE_RULE_1, ["gtalk:joann@examplecom"])])
def test_an_export_finds_the_number_by_the_rule_of_its_ledger(store_url: str, rule: int, found: list[str]) -> None:
    make_ledger(store_url, rule)
    with opened(store_url) as ledger:
        calls_of(ledger, JO_ANN, JOANN)
    said = run("export", "calls", "--number", JO_ANN, "--format", "json", "--store", store_url).json()
    assert json.dumps([row["src"] for row in said]) == json.dumps(found)

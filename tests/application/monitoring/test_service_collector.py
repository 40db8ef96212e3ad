"""The metrics of a ledger and its service, on both kinds of store."""

import json
from contextlib import closing
from pathlib import Path
from unittest.mock import Mock

import pytest
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from api.application import forwarding_position
from api.application.monitoring import service_collector
from api.application.monitoring.service_collector import ServiceCollector, make_registry
from api.application.monitoring.worker_report import WorkerReport
from domain import times
from domain.ledger import Ledger
from projections.building.catch_up import catch_up
from projections.building.rebuild import rebuild
from projections.stores.generations import open_current
from tests.support.command import run
from tests.support.ledgers import opened, record
from tests.support.notices import OTHER_KEY, callstatus, signed

NOON = times.parse("2026-10-15T12:00:00Z")
LATER = NOON + 90 * times.SECOND
WORKS = WorkerReport(parts={"intake": True})
Samples = dict[str, float]


def samples(url: str, report: WorkerReport = WORKS, now: int = LATER) -> Samples:
    """Return what Prometheus reads, by name and labels."""
    with closing(ServiceCollector(url, lambda: report, lambda: now)) as collector:
        return scraped(collector)


def scraped(collector: ServiceCollector) -> Samples:
    """Return what Prometheus reads of a collector."""
    text = generate_latest(make_registry(collector)).decode()
    return {
        sample.name + "".join(f" {name}={value}" for name, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def prefixed(found: Samples, name: str) -> Samples:
    return {key: value for key, value in found.items() if key.startswith(f"tringledger_{name}")}


def test_they_tell_how_far_the_log_is_and_how_far_the_others_are_behind_it(store_url: str) -> None:
    with opened(store_url, clock=lambda: NOON) as ledger, closing(open_current(ledger)) as store:
        record(ledger, callstatus("SRCANSWERED", srcduration="1"))
        catch_up(ledger, store)
        forwarding_position.load_or_start(ledger)
        record(ledger, callstatus("SRCANSWERED", tag="other"))
        forwarding_position.skip_through(ledger, 2, "it is known", NOON)
        found = samples(store_url)
    assert found["tringledger_log_position"] == 2
    assert found["tringledger_log_last_recorded_timestamp_seconds"] == NOON / times.SECOND
    assert prefixed(found, "read_models") == {
        "tringledger_read_models_position": 1,
        "tringledger_read_models_lag_events": 1,
        "tringledger_read_models_lag_seconds": 90,
    }
    assert prefixed(found, "forwarding") == {
        "tringledger_forwarding_position": 2,
        "tringledger_forwarding_lag_events": 0,
        "tringledger_forwarding_lag_seconds": 0,
        "tringledger_forwarding_skipped_total": 1,
    }
    assert (found["tringledger_calls_in_progress"], found["tringledger_calls_missing_cdr"]) == (1, 0)
    assert found["tringledger_proofs_lag_events"] == 2
    assert found["tringledger_proofs_consistent"] == 1


def test_they_count_the_quarantine_by_what_was_wrong(store_url: str) -> None:
    with opened(store_url) as ledger:
        wrong = [(callstatus(), OTHER_KEY, NOON + 5), (callstatus(srcduration="x"), None, NOON + 6)]
        for notice, key, at in wrong:
            query = signed(notice, key) if key else signed(notice)
            ledger.record([ledger.verify_delivery(query.encode(), at)])
    assert prefixed(samples(store_url), "quarantine") == {
        "tringledger_quarantine_entries reason=signature": 1,
        "tringledger_quarantine_entries reason=value": 1,
        "tringledger_quarantine_oldest_timestamp_seconds": (NOON + 5) / times.SECOND,
    }


@pytest.mark.only_on("sqlite")
def test_they_tell_of_the_last_backup(store_url: str, tmp_path: Path) -> None:
    with opened(store_url) as ledger:
        record(ledger, callstatus())
        assert prefixed(samples(store_url), "backup") == {}, "nothing is told of what was never made"
        made = run("backup", str(tmp_path / "backups"), "--store", store_url).out.strip()
    made_at = json.loads((Path(made) / "manifest.json").read_bytes())["made_at"]
    assert prefixed(samples(store_url), "backup") == {
        "tringledger_backup_last_success_timestamp_seconds": times.parse(made_at) / times.SECOND,
        "tringledger_backup_position": 1,
    }


def test_without_the_store_those_of_the_processes_remain_and_the_intake_is_down(tmp_path: Path) -> None:
    found = samples(f"sqlite:///{tmp_path}/nowhere.db")
    assert found["tringledger_up part=intake"] == 0
    assert "tringledger_log_position" not in found
    assert found["tringledger_callback_duration_seconds_bucket le=+Inf"] == 0


def test_the_ledger_is_opened_once_for_many_scrapes_and_each_sees_what_is_new(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    opening = Mock(wraps=Ledger)
    monkeypatch.setattr(service_collector, "Ledger", opening)
    with (
        opened(store_url) as ledger,
        closing(open_current(ledger)) as store,
        closing(ServiceCollector(store_url, lambda: WORKS)) as collector,
    ):
        for number in range(3):
            record(ledger, callstatus("SRCANSWERED", r=str(number), tag=f"tag {number}"))
            catch_up(ledger, store)
            found = scraped(collector)
            assert found["tringledger_log_position"] == found["tringledger_calls_in_progress"] == number + 1
    assert opening.call_count == 1


def test_after_a_rebuild_the_new_read_models_are_told_of_and_the_next_rebuild_finds_room(store_url: str) -> None:
    with opened(store_url) as ledger, closing(ServiceCollector(store_url, lambda: WORKS)) as collector:
        record(ledger, callstatus("SRCANSWERED"))
        assert scraped(collector)["tringledger_read_models_position"] == 0
        rebuild(ledger)
        collector.let_go()
        rebuild(ledger)
        assert scraped(collector)["tringledger_read_models_position"] == 1


@pytest.mark.only_on("sqlite")
def test_a_store_that_was_away_is_told_of_again_once_it_is_back(store_url: str, tmp_path: Path) -> None:
    with opened(store_url) as ledger:
        record(ledger, callstatus())
        path = Path(ledger.path)
    with closing(ServiceCollector(store_url, lambda: WORKS)) as collector:
        assert scraped(collector)["tringledger_log_position"] == 1
        path.rename(tmp_path / "away.db")
        assert scraped(collector)["tringledger_up part=intake"] == 0
        (tmp_path / "away.db").rename(path)
        back = scraped(collector)
    assert (back["tringledger_up part=intake"], back["tringledger_log_position"]) == (1, 1)

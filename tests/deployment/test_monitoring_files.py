"""Alert rules and dashboard: read by Prometheus's own tool, and no metric in them that the service does not have."""

import json
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard
from prometheus_client.exposition import generate_latest

from api.application import forwarding_position
from api.application.backup.manifest import BACKUP_FACT
from api.application.monitoring.service_collector import ServiceCollector, make_registry
from api.application.monitoring.worker_report import WorkerReport
from api.application.spool.spool_directory import SpoolDirectory
from api.application.spool.spool_format import SpoolRecord
from projections.building.catch_up import catch_up
from projections.stores.generations import open_current
from tests.support.ledgers import record
from tests.support.notices import OTHER_KEY, callstatus
from tests.support.programs import output_of
from tests.support.provers import world

ROOT = Path(__file__).parents[2]
RULES, DASHBOARD = ROOT / "deploy/prometheus/tringledger.rules.yml", ROOT / "deploy/grafana/tringledger.json"
CONFIGURATION, CASES = RULES.with_name("prometheus.yml"), Path(__file__).with_name("tringledger.rules.test.yml")
NAME = re.compile(r"\btringledger_[a-z_]+[a-z]\b")
OF_HISTOGRAM = re.compile(r"_(?:bucket|count|sum)$")


@pytest.fixture(scope="module")
def scraped(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return what Prometheus reads of a ledger of which everything is known."""
    folder = tmp_path_factory.mktemp("metrics")
    url = f"sqlite:///{folder}/ledger.db"
    with world(url) as made, closing(open_current(made.ledger)) as store:
        forwarding_position.load_or_start(made.ledger)
        made.record(3)
        record(made.ledger, callstatus(), key=OTHER_KEY)
        catch_up(made.ledger, store)
        made.run()
        with made.ledger.store.transaction() as log:
            log.set_fact(BACKUP_FACT, json.dumps({"made_at": "2026-10-15T12:00:00Z", "position": 3}))
        spool = SpoolDirectory(folder, made.ledger.id)
        with closing(spool.open_own()) as file:
            file.append([SpoolRecord(1, bytes(32), b"f=tm")])
        collector = ServiceCollector(url, lambda: WorkerReport(parts={"intake": True}), spool=spool)
        return generate_latest(make_registry(collector)).decode()


def names_in(text: str) -> set[str]:
    return {OF_HISTOGRAM.sub("", name) for name in NAME.findall(text)}


def expressions(part: Any) -> Iterator[str]:
    """Yield the queries of a dashboard, with Grafana's own variables replaced by what Prometheus knows."""
    if isinstance(part, dict):
        if "expr" in part:
            yield part["expr"].replace("$__rate_interval", "1m").replace("$instance", ".*")
        part = list(part.values())
    if isinstance(part, list):
        for each in part:
            yield from expressions(each)


def test_the_reference_names_all_metrics_and_no_others(scraped: str) -> None:
    families = {line.split()[2] for line in scraped.splitlines() if line.startswith("# TYPE ")}
    named = re.findall(
        r"^\| `(tringledger_\w+)`", (ROOT / "docs/reference/service-metrics.md").read_text(), re.MULTILINE
    )
    assert sorted(named) == sorted(families)


def test_every_metric_of_the_service_has_a_panel(scraped: str) -> None:
    assert names_in(scraped) - names_in(DASHBOARD.read_text()) == set()


def test_grafana_knows_every_field_of_the_dashboard() -> None:
    register_default_plugins()
    given = json.loads(DASHBOARD.read_bytes())
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(json.loads(DASHBOARD.read_bytes()))))
    assert list(lost(given, read)) == []
    given["panels"][0]["options"]["colourMode"] = "none"
    assert list(lost(given, read)) == ["/panels/0/options/colourMode"]


def lost(given: Any, read: Any, place: str = "") -> Iterator[str]:
    """Yield the places of what Grafana's own library did not read, or read as something else."""
    if isinstance(given, dict | list) and type(read) is type(given):
        names = given if isinstance(given, dict) else range(len(given))
        for name in names:
            is_there = name in read if isinstance(read, dict) else name < len(read)
            yield from lost(given[name], read[name] if is_there else None, f"{place}/{name}")
    elif given != read:
        yield place


@pytest.mark.parametrize("file", [RULES, DASHBOARD], ids=lambda file: str(file.name))
def test_rules_and_dashboard_ask_for_metrics_that_there_are(file: Path, scraped: str) -> None:
    asked = names_in(file.read_text())
    assert len(asked) > 5
    assert asked <= names_in(scraped)


def test_the_panels_of_the_dashboard_have_numbers_of_their_own_and_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_bytes())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (x, y)
        for at in (panel["gridPos"] for panel in panels)
        for x in range(at["x"], at["x"] + at["w"])
        for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


@pytest.mark.thorough
def test_prometheus_takes_the_metrics_and_the_rules_and_they_fire_when_they_should(scraped: str) -> None:
    output_of("promtool", "check", "metrics", given=scraped)
    output_of("promtool", "check", "config", str(CONFIGURATION))
    output_of("promtool", "test", "rules", str(CASES))


@pytest.mark.thorough
def test_prometheus_understands_every_query_of_the_dashboard(tmp_path: Path) -> None:
    found = list(expressions(json.loads(DASHBOARD.read_bytes())))
    assert len(found) > 15
    rules = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(found)]
    file = tmp_path / "rules.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # YAML takes JSON.
    output_of("promtool", "check", "rules", str(file))

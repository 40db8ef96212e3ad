"""The files in deploy/ that start and guard a service: nothing in them that there is not, and each read by its own program."""

import re
import signal
import tomllib
from pathlib import Path

import pytest

from api.cli.exit_codes import SIGNALLED, USAGE
from api.secret_files import SUFFIX
from api.setting_table import SETTINGS
from tests.support.programs import output_of

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
DOCKER, SYSTEMD = DEPLOY / "docker", DEPLOY / "systemd"
FILES = [path for path in sorted(DEPLOY.rglob("*")) if path.is_file()]
EXPOSURE_MAX = 2.0


def test_every_setting_that_a_file_names_exists() -> None:
    known = {setting.name for setting in SETTINGS}
    known |= {setting.name + SUFFIX for setting in SETTINGS if setting.is_secret}
    named = {name for path in FILES for name in re.findall(r"\b(?:TRINGLEDGER|TRINGME)_[A-Z_]+", path.read_text())}
    assert len(named) > 5
    assert named - known == set()


def test_the_image_has_what_the_package_is_made_of() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    packages = [name.rstrip("*") for name in project["tool"]["setuptools"]["packages"]["find"]["include"]]
    modules = [f"{name}.py" for name in project["tool"]["setuptools"]["py-modules"]]
    needed = {*packages, *modules, "pyproject.toml", project["project"]["readme"], *project["project"]["license-files"]}
    stage = (DOCKER / "Dockerfile").read_text().split("\nFROM ")[1]
    copied = {word for line in re.findall(r"^COPY (.+) \S+$", stage, re.MULTILINE) for word in line.split()}
    let_through = set(re.findall(r"^!(\S+)$", (DOCKER / "Dockerfile.dockerignore").read_text(), re.MULTILINE))
    assert copied == let_through == needed


def test_systemd_knows_with_which_codes_the_service_ends() -> None:
    unit = (SYSTEMD / "tringledger.service").read_text()
    assert f"\nSuccessExitStatus={SIGNALLED + signal.SIGTERM}\n" in unit
    assert f"\nRestartPreventExitStatus={USAGE}\n" in unit


@pytest.mark.thorough
def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    assert output_of("hadolint", str(DOCKER / "Dockerfile")) == ""


@pytest.mark.thorough
def test_compose_reads_its_file_and_every_file_that_it_mounts_exists() -> None:
    told = output_of("docker-compose", "-f", str(DOCKER / "compose.yaml"), "config", "--services")
    assert set(told.split()) == {"postgres", "migrate", "ledger", "proxy", "prometheus"}
    mounted = re.findall(r"^ +- (\.\.?/\S+?):/", (DOCKER / "compose.yaml").read_text(), re.MULTILINE)
    made_by_the_user = {"./certificate"}
    assert {name for name in mounted if not (DOCKER / name).exists()} == made_by_the_user


@pytest.mark.thorough
def test_prometheus_takes_its_configuration_in_compose(tmp_path: Path) -> None:
    for path in (DOCKER / "prometheus.yml", DEPLOY / "prometheus/tringledger.rules.yml"):
        (tmp_path / path.name).write_text(path.read_text())
    output_of("promtool", "check", "config", str(tmp_path / "prometheus.yml"))


@pytest.mark.thorough
def test_systemd_takes_the_units_and_finds_them_hardened(tmp_path: Path) -> None:
    units = [path for path in sorted(SYSTEMD.iterdir()) if path.suffix in {".service", ".timer"}]
    assert len(units) == 3
    for unit in units:
        # The program need not be installed where these tests run.
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/tringledger/bin/tringledger", "/bin/true"))
    assert output_of("systemd-analyze", "verify", "--man=no", *(str(tmp_path / unit.name) for unit in units)) == ""
    for unit in units:
        if unit.suffix == ".service":
            told = output_of("systemd-analyze", "security", "--no-pager", "--offline=true", str(tmp_path / unit.name))
            exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
            assert exposure is not None
            assert float(exposure[1]) <= EXPOSURE_MAX


@pytest.mark.thorough
def test_caddy_takes_its_file(tmp_path: Path) -> None:
    file = tmp_path / "Caddyfile"
    file.write_text((DEPLOY / "caddy/Caddyfile").read_text().replace("/var/log/caddy/", f"{tmp_path}/"))
    assert "Valid configuration" in output_of("caddy", "validate", "--adapter", "caddyfile", "--config", str(file))

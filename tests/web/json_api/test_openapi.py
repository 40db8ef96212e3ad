"""Schemathesis reads the OpenAPI document, and asks a running service all that it allows, and much that it does not."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import (
    ignored_auth,
    negative_data_rejection,
    positive_data_acceptance,
)

from api.web.json_api import openapi
from api.web.json_api.routes import operations
from tests.support.command import run, serving
from tests.support.notices import KEY
from tests.support.samples import SAMPLES

EXAMPLES = 4
NOT_SO = [
    # A schema cannot say that "to" lies after "from", that a month has 31 days, or which cursors were handed out.
    positive_data_acceptance,
    # Who tries wrong tokens gets 401 only until he has tried too many.
    ignored_auth,
    # An empty parameter, as forms send it, counts as none, whatever its pattern.
    negative_data_rejection,
]
CONFIG = SchemathesisConfig.from_dict({"phases": {"coverage": {"enabled": False}}})
DOCUMENT = schemathesis.openapi.from_dict(openapi.openapi_document(operations()), config=CONFIG)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Serve a ledger that has a day of traffic; return where, and what somebody with all roles sends."""
    folder = tmp_path_factory.mktemp("schema")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TRINGLEDGER_STORE", f"sqlite:///{folder}/ledger.db")
        patched.setenv("TRINGME_PRIVATE_KEY", KEY)
        for name in ("traffic", "adverse"):
            run("import", str(SAMPLES / f"{name}.ndjson"))
        roles = [word for role in ("read", "export", "operate", "pii") for word in ("--role", role)]
        token = run("user", "add", "schemathesis", *roles).out.strip()
        with serving(folder) as server:
            yield {
                "base_url": f"http://127.0.0.1:{server.port}",
                "headers": {"Authorization": f"Bearer {token}"},
            }


@DOCUMENT.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_answer_is_a_fault_or_undocumented(case: Case[Any], served: dict[str, Any]) -> None:
    # Waiting for what does not come ends with 503, as it should; that has a test of its own.
    case.query.pop("min_position", None)
    # Read models of a date are made by a process of their own; that has a test of its own, too.
    case.query.pop("asof", None)
    case.call_and_validate(**served, excluded_checks=NOT_SO)

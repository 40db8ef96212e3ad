"""Schemathesis reads the OpenAPI document, and asks a running service all that it allows, and much that it does not.

All its checks are made, in two phases: drawn requests of every operation, and what its coverage phase finds at the limits of each schema:
least and most, wrong types, patterns just missed, members left out, parameters given twice, methods that are not there.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.config import SchemathesisConfig
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection

from api.web.json_api import openapi
from api.web.json_api.routes import operations
from tests.support.command import run, serving
from tests.support.notices import KEY
from tests.support.samples import SAMPLES

EXAMPLES = 3
# 400 too: no schema can say that "to" lies after "from" and stands in place of "through", that a month has 31 days and a year no number 0,
# or which cursors were handed out.
ACCEPTED = {"positive_data_acceptance": {"expected-statuses": ["2xx", "3xx", 400, 401, 403, 404, 409, 429, "5xx"]}}
# These read their parameters as those of calls and CDRs do.
ALIKE = r"^/api/v1/((?!calls)[a-z-]+(/sums|/facets|\.\{format\})|entries|postings|voicemails|channels|resolutions|billing-days)$"


def document(**phases: bool) -> BaseSchema:
    """Return the document as Schemathesis reads it, with phases switched on and off."""
    switched = {name: {"enabled": is_on} for name, is_on in phases.items()}
    config = SchemathesisConfig.from_dict({"phases": switched, "checks": ACCEPTED})
    return schemathesis.openapi.from_dict(openapi.openapi_document(operations()), config=config)


DRAWN = document(coverage=False)
LIMITS = document(examples=False, fuzzing=False).exclude(path_regex=ALIKE)


class ServedApi:
    """A service, and somebody with all roles who asks it."""

    def __init__(self, port: int, token: str) -> None:
        self._url = f"http://127.0.0.1:{port}"
        self._token = token
        self._refusing: dict[str, int] = {}
        self._proven: set[str] = set()

    def check(self, case: Case[Any]) -> None:
        """Send a request, and make all checks that apply."""
        # Waiting for what does not come ends with 503, as it should; that has a test of its own.
        case.query.pop("min_position", None)
        # Read models of a date are made by a process of their own; that has a test of its own, too.
        case.query.pop("asof", None)
        name = case.operation.label
        # Whoever tries wrong tokens gets 429 soon: each operation is asked from another address.
        number = self._refusing.setdefault(name, len(self._refusing) + 1)
        headers = {"Authorization": f"Bearer {self._token}", "X-Forwarded-For": f"10.0.0.{number}"}
        answer = case.call_and_validate(base_url=self._url, headers=headers, excluded_checks=self._not_for(case))
        if answer.status_code < 300:
            self._proven.add(name)

    def _not_for(self, case: Case[Any]) -> list[Any]:
        # That an operation refuses who is not known shows once it has answered who is.
        checks: list[Any] = [ignored_auth] if case.operation.label in self._proven else []
        # An empty parameter, as forms send it, counts as none, whatever its pattern.
        sent = [*case.query.values(), *(case.body.values() if isinstance(case.body, dict) else ())]
        return [*checks, negative_data_rejection] if "" in sent else checks


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedApi]:
    """Serve a ledger that has a day of traffic, behind a proxy on this host."""
    folder = tmp_path_factory.mktemp("schema")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("TRINGLEDGER_STORE", f"sqlite:///{folder}/ledger.db")
        patched.setenv("TRINGME_PRIVATE_KEY", KEY)
        patched.setenv("TRINGLEDGER_TRUSTED_PROXIES", "127.0.0.1")
        for name in ("traffic", "adverse"):
            run("import", str(SAMPLES / f"{name}.ndjson"))
        roles = [word for role in ("read", "export", "operate", "pii") for word in ("--role", role)]
        token = run("user", "add", "schemathesis", *roles).out.strip()
        with serving(folder) as server:
            yield ServedApi(server.port, token)


@DRAWN.parametrize()
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_answer_is_a_fault_or_undocumented(case: Case[Any], served: ServedApi) -> None:
    served.check(case)


@pytest.mark.thorough
@LIMITS.parametrize()
@settings(max_examples=1, deadline=None, suppress_health_check=list(HealthCheck))
def test_nor_is_one_at_the_limits_of_what_is_documented(case: Case[Any], served: ServedApi) -> None:
    served.check(case)

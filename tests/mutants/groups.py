"""The modules that are changed on purpose, and the fast tests that have to notice: one group for each matter."""

from typing import NamedTuple


class MutantGroup(NamedTuple):
    """Modules of one matter, the tests of that matter, and which of these are left out."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    marks: str = "not thorough and not postgres and not browser"
    without: str = ""


# The tests of whole processes are left out: a process of its own would import the code as it is.
GROUPS = {
    "rating": MutantGroup(
        modules=(
            "domain/amounts.py",
            "domain/months.py",
            *(f"domain/billing/{name}.py" for name in ("rating", "rounding", "billing_context", "closing_rule")),
            *(f"domain/billing/{name}.py" for name in ("tariff", "tariff_schema", "tariff_values", "tag_patterns")),
        ),
        tests=(
            "tests/domain/billing",
            "tests/domain/test_times_and_amounts.py",
            "tests/domain/test_months.py",
            "tests/projections/queries/test_price_history.py",
        ),
        without="all_that_was_ever_posted",
    ),
    "correlation": MutantGroup(
        modules=(
            "domain/calls/call.py",
            "domain/calls/correlation.py",
            "domain/notices/call_notice.py",
            "domain/notices/statuses.py",
        ),
        tests=("tests/domain/calls", "tests/domain/notices/test_call_notice.py"),
    ),
    "recording": MutantGroup(
        modules=("domain/recording.py", "domain/operators/*.py", "domain/calls/call_stream.py"),
        tests=(
            "tests/domain/test_ledger.py",
            "tests/domain/test_used_signatures.py",
            "tests/domain/operators/test_session.py",
        ),
    ),
    "bills": MutantGroup(
        modules=("projections/rows/*.py", "projections/queries/statement.py"),
        tests=(
            "tests/projections/rows",
            "tests/projections/test_calls_moved_across_closings.py",
            "tests/projections/building/test_operator_events.py",
            "tests/projections/building/test_read_models.py",
            "tests/projections/queries/test_statement.py",
        ),
    ),
    "closings": MutantGroup(
        modules=(
            "api/application/month_closing.py",
            "projections/queries/closing_blockers.py",
            "projections/queries/month_books.py",
        ),
        tests=("tests/application/test_month_closing.py", "tests/projections/building/test_closed_months.py"),
    ),
    "reconciliation": MutantGroup(
        modules=("api/application/reconciliation/*.py",),
        tests=("tests/application/reconciliation",),
    ),
    "sqlite": MutantGroup(
        modules=("domain/log/sqlite/*.py", "domain/log/known_calls.py", "domain/log/line_call_rows.py"),
        tests=("tests/domain/log", "tests/domain/test_ledger.py"),
    ),
    "postgres": MutantGroup(
        modules=("domain/log/postgres/*.py",),
        tests=("tests/domain/log", "tests/domain/test_ledger.py"),
        marks="postgres and not thorough",
    ),
}

"""The modules that are changed on purpose, and the fast tests that have to notice: one group for each matter."""

from typing import NamedTuple


class MutantGroup(NamedTuple):
    """Modules of one matter, the tests of that matter on one kind of store, and the names of tests that are left out."""

    modules: tuple[str, ...]
    tests: tuple[str, ...]
    on_postgres: bool = False
    without: str = ""


LOG_TESTS = (
    "tests/domain/log/test_whole_contract.py",
    "tests/domain/log/test_prefetched_lines.py",
    "tests/domain/log/test_copy_of_batches.py",
    "tests/domain/log/test_quarantine_batches.py",
    "tests/domain/log/test_log.py",
    "tests/domain/log/test_known_calls.py",
    "tests/domain/log/test_long_lines.py",
    "tests/domain/log/test_stores_agree.py",
    "tests/domain/test_used_signatures.py",
    "tests/domain/test_ledger.py",
    "tests/domain/test_quarantine_room.py",
    "tests/domain/operators/test_session.py",
)
# A server that stops would stop for all. What starts processes, or tries much traffic on both stores, takes too long.
PROCESSES = "(killed or stopped or processes or promised or disk or any_traffic or divided or same_acts)"

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
            "tests/domain/test_recording.py",
            "tests/domain/test_used_signatures.py",
            "tests/domain/test_quarantine_room.py",
            "tests/domain/operators/test_session.py",
            "tests/domain/operators/test_kept_events.py",
        ),
    ),
    "bills": MutantGroup(
        modules=(
            *(f"projections/rows/{name}.py" for name in ("entry", "cdrs", "billed_amounts", "posted_amounts")),
            "projections/rows/folded_entries.py",
            "projections/queries/statement.py",
        ),
        tests=(
            "tests/projections/rows",
            "tests/projections/test_calls_moved_across_closings.py",
            "tests/projections/queries/test_billing_changes.py",
            "tests/projections/queries/test_statement.py",
            "tests/cli/test_statement.py",
        ),
    ),
    "closings": MutantGroup(
        modules=(
            "api/application/month_closing.py",
            "projections/queries/closing_blockers.py",
            "projections/queries/month_books.py",
        ),
        tests=("tests/application/test_month_closing.py", "tests/projections/queries/test_closing_blockers.py"),
    ),
    "reconciliation": MutantGroup(
        modules=("api/application/reconciliation/*.py",),
        tests=(
            "tests/application/reconciliation",
            "tests/cli/test_reconcile.py",
            "tests/cli/test_reconcile_formats.py",
        ),
        without="TestASample",
    ),
    "sqlite": MutantGroup(
        modules=(
            *(f"domain/log/sqlite/{name}.py" for name in ("log", "transaction", "line_calls")),
            *(f"domain/log/{name}.py" for name in ("known_calls", "line_call_rows", "claimed_signatures")),
        ),
        tests=LOG_TESTS,
        without=PROCESSES,
    ),
    "postgres": MutantGroup(
        modules=tuple(f"domain/log/postgres/{name}.py" for name in ("log", "transaction", "line_calls", "quarantine")),
        # Those that reach most for the least time: each begins with a database.
        tests=(
            *LOG_TESTS[:4],
            "tests/domain/log/test_log.py",
            "tests/domain/log/test_connection_budget.py",
            "tests/domain/log/test_contract.py",
            "tests/domain/test_used_signatures.py",
            "tests/domain/test_quarantine_room.py",
        ),
        on_postgres=True,
        without=PROCESSES[:-1] + " or within_one or sqlite)",
    ),
}

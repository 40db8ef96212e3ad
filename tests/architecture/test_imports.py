"""Who may import whom, read from the sources, so that nothing has to be imported: a test a rule, and all offenders at once.

``domain`` knows nothing of ours, ``projections`` knows ``domain``, ``api`` knows both; within each, the folders stand in an
order too. Libraries stay in the files that need them. An allow list names what does not keep a rule yet; it only shrinks.
"""

import sys
from collections.abc import Callable, Iterable

from tests.architecture.sources import Source, assert_only, imported_sources, sources

# What each place may import of its own top folder, apart from itself and from the loose files that no list names: those
# are the foundation (errors, amounts, times ...), and import nothing but each other.
DOMAIN = {
    "domain/notices": {"foundation"},
    "domain/outcomes.py": {"foundation", "domain/notices"},
    "domain/events": {"foundation", "domain/notices"},
    "domain/calls": {"foundation", "domain/notices", "domain/events"},
    "domain/billing": {"foundation", "domain/notices", "domain/events"},
    "domain/log": {"foundation", "domain/notices", "domain/events", "domain/calls"},
    "domain/recording.py": {
        *("foundation", "domain/notices", "domain/outcomes.py", "domain/events", "domain/calls", "domain/log"),
    },
    "domain/operators": {
        *("foundation", "domain/notices", "domain/events", "domain/calls", "domain/billing", "domain/log"),
    },
    "domain/ledger_options.py": {"foundation", "domain/notices", "domain/events", "domain/calls"},
    "domain/ledger.py": {
        *("foundation", "domain/notices", "domain/outcomes.py", "domain/events", "domain/calls", "domain/billing"),
        *("domain/log", "domain/recording.py", "domain/operators", "domain/proofs", "domain/ledger_options.py"),
    },
    "domain/copying": {
        *("foundation", "domain/notices", "domain/events", "domain/calls", "domain/log", "domain/ledger.py"),
        "domain/proofs",
    },
    "domain/proofs": {"foundation"},
}
PROJECTIONS = {
    "projections/schema": {"foundation", "projections/rows"},
    "projections/rows": set[str](),
    "projections/stores": {"foundation", "projections/schema", "projections/rows"},
    "projections/proofs": {"foundation", "projections/stores"},
    "projections/building": {
        *("foundation", "projections/schema", "projections/rows", "projections/stores", "projections/proofs"),
    },
    "projections/queries": {
        *("foundation", "projections/schema", "projections/rows", "projections/stores", "projections/building"),
    },
    "projections/frames.py": {
        *("foundation", "projections/schema", "projections/rows", "projections/stores", "projections/building"),
        "projections/queries",
    },
    "projections/export": {
        *("foundation", "projections/schema", "projections/rows", "projections/stores", "projections/building"),
        *("projections/queries", "projections/frames.py"),
    },
    "projections/journal": {
        *("foundation", "projections/schema", "projections/rows", "projections/stores", "projections/building"),
        "projections/queries",
    },
}

LIBRARIES = {
    "domain": {"eventsourcing", "msgspec"},
    "projections": {"eventsourcing", "msgspec", "sqlalchemy"},
}
# The few files that may import more, and what.
LIBRARIES_OF = {
    "domain/log/postgres": {"psycopg"},
    "domain/proofs/keys.py": {"cryptography"},
    "projections/building/dask_cluster.py": {"distributed"},
    "projections/arrow_columns.py": {"pyarrow"},
    "projections/frames.py": {"numpy", "pandas", "pyarrow"},
    "projections/queries/shift_votes.py": {"numpy"},
    "projections/queries/arrow_chunks.py": {"pyarrow"},
    "projections/export/csv_lines.py": {"numpy", "pyarrow"},
    "projections/export/event_parts.py": {"pyarrow"},
    "projections/export/writer.py": {"pandas", "pyarrow"},
    "projections/export/sheet_rows.py": {"pyarrow", "xlsxwriter"},
    "projections/export/excel.py": {"xlsxwriter"},
}
HEAVY = {"distributed", "numpy", "pandas", "pyarrow", "xlsxwriter"}
# These keep what outgrows memory in temporary files.
SQLITE_IN = ("domain/log/sqlite", "domain/log/wal_mode.py", "domain/log/file_copy.py")
SQLITE_OF_FILES_THAT_MAY_BE_LOST = (
    "api/application/request_samples.py",
    "api/application/importing/key_counter.py",
    "api/application/reconciliation/record_spool.py",
    "projections/building/as_of.py",
    "projections/building/row_images.py",
)

OUTER_LIBRARIES = {"starlette", "uvicorn", "click", "rich"}

SQL_IN_API = ("api/application/read_model_pool.py", "api/web/auth")


def breaches(files: Iterable[Source], is_breach: Callable[[Source, Source], bool]) -> list[str]:
    """Return which of these files import a file of ours that they must not."""
    return [
        f"{source.path} imports {imported.path}"
        for source in files
        for imported in imported_sources(source)
        if is_breach(source, imported)
    ]


def libraries(source: Source) -> set[str]:
    """Return the packages that a file imports, the standard library's and ours left out."""
    found = {imported.package for imported in source.imports}
    return found - set(sys.stdlib_module_names) - {"domain", "projections", "api", "tests"}


def own_libraries(source: Source) -> set[str]:
    """Return what this file may import where its neighbours may not."""
    return {library for place, names in LIBRARIES_OF.items() if source.is_in(place) for library in names}


def place_in(order: dict[str, set[str]], source: Source) -> str:
    """Return which place of an order a file belongs to."""
    return next((place for place in order if source.is_in(place)), "foundation")


def out_of_order(folder: str, order: dict[str, set[str]]) -> list[str]:
    """Return which imports within a top folder go against its order."""

    def is_breach(source: Source, imported: Source) -> bool:
        here, there = place_in(order, source), place_in(order, imported)
        return imported.is_in(folder) and here != there and there not in order.get(here, set())

    return breaches(sources(folder), is_breach)


def test_there_are_sources_to_read() -> None:
    assert all(len(sources(folder)) > 30 for folder in ("domain", "projections", "api"))


def test_no_import_goes_by_dots() -> None:
    dotted = [(source.path, imp) for source in sources() for imp in source.imports if imp.name.startswith(".")]
    assert_only([f"{path}:{imp.line} imports {imp.name}: expected the full name" for path, imp in dotted])


def test_a_top_folder_imports_only_those_before_it() -> None:
    order = ("domain", "projections", "api")
    later = {folder: (*order[order.index(folder) + 1 :], "tests") for folder in order}
    breaking = [
        f"{source.path}:{imported.line} imports {imported.name}"
        for source in sources()
        for imported in source.imports
        if imported.package in later[source.top_folder]
    ]
    assert_only(breaking)


def test_the_folders_of_the_domain_stand_in_order() -> None:
    assert_only(out_of_order("domain", DOMAIN))


def test_the_folders_of_the_projections_stand_in_order() -> None:
    assert_only(out_of_order("projections", PROJECTIONS))


def test_the_two_stores_of_the_log_are_imported_where_a_log_is_opened_and_nowhere_else() -> None:
    def is_breach(source: Source, imported: Source) -> bool:
        stores = ("domain/log/sqlite", "domain/log/postgres")
        return any(imported.is_in(store) and not source.is_in(store, "domain/log/open.py") for store in stores)

    assert_only(breaches(sources(), is_breach))


def test_the_driver_of_postgresql_is_imported_in_its_store_alone() -> None:
    assert_only(
        [
            source.path
            for source in sources()
            if "psycopg" in libraries(source) and "psycopg" not in own_libraries(source)
        ]
    )


def test_the_driver_of_sqlite_is_imported_in_its_store_and_for_files_that_may_be_lost_alone() -> None:
    users = [source for source in sources() if any(imported.package == "sqlite3" for imported in source.imports)]
    assert_only([source.path for source in users if not source.is_in(*SQLITE_IN, *SQLITE_OF_FILES_THAT_MAY_BE_LOST)])


def test_the_use_cases_know_neither_web_nor_command_line_nor_processes() -> None:
    inner = ("api/application", "api/settings.py", "api/urls.py")
    assert_only(
        breaches(sources("api/application"), lambda _, imported: imported.is_in("api") and not imported.is_in(*inner))
    )


def test_the_use_cases_import_no_library_of_web_or_command_line() -> None:
    users = {source.path: libraries(source) & OUTER_LIBRARIES for source in sources("api/application")}
    breaking = {path: f"{path} imports {', '.join(sorted(names))}" for path, names in users.items() if names}
    assert_only(breaking)


def test_users_and_sessions_know_no_page() -> None:
    pages = ("api/web/pages", "api/web/json_api", "api/web/live")
    assert_only(breaches(sources("api/web/auth"), lambda _, imported: imported.is_in(*pages)))


def test_the_web_does_not_know_the_command_line() -> None:
    assert_only(breaches(sources("api/web"), lambda _, imported: imported.is_in("api/cli")))


def test_processes_know_neither_web_nor_command_line() -> None:
    assert_only(breaches(sources("api/processes"), lambda _, imported: imported.is_in("api/web", "api/cli")))


def test_the_outside_asks_for_read_models_by_queries_and_writes_no_sql() -> None:
    offenders = [
        source.path for source in sources("api") if "sqlalchemy" in libraries(source) and not source.is_in(*SQL_IN_API)
    ]
    assert_only(offenders)


def test_the_inner_folders_import_few_libraries() -> None:
    breaking = [
        f"{source.path} imports {', '.join(sorted(others))}"
        for folder, allowed in LIBRARIES.items()
        for source in sources(folder)
        if (others := libraries(source) - allowed - own_libraries(source))
    ]
    assert_only(breaking)


def test_rows_are_made_without_the_tables_library() -> None:
    """Worker processes fold events into rows, and start without it."""
    assert_only([source.path for source in sources("projections/rows") if "sqlalchemy" in libraries(source)])


def test_heavy_libraries_are_imported_where_files_are_made_and_nowhere_else() -> None:
    breaking = [
        f"{source.path} imports {', '.join(sorted(others))}"
        for source in sources()
        if (others := libraries(source) & HEAVY - own_libraries(source))
    ]
    assert_only(breaking)


def test_the_service_imports_heavy_files_only_when_it_needs_them() -> None:
    heavy = {path.removesuffix(".py").replace("/", ".") for path, names in LIBRARIES_OF.items() if names & HEAVY}
    breaking = [
        f"{source.path}:{imported.line} imports {imported.name} as it is loaded"
        for source in sources("api")
        for imported in source.imports
        if imported.at_load and any(f"{imported.name}.".startswith(f"{name}.") for name in heavy)
    ]
    assert_only(breaking)


def test_the_model_knows_nothing_of_what_it_judges() -> None:
    judges = [
        source for source in sources("tests") if source.is_in("tests/support/model", "tests/support/strategies.py")
    ]
    assert len(judges) > 7
    assert_only(breaches(judges, lambda _, imported: imported.is_in("domain", "projections", "api")))

"""A name has one meaning: a class name is defined once, and a module name once in each top folder."""

import ast
from collections import defaultdict

from tests.architecture.sources import TOP_FOLDERS, Source, assert_only, sources

# One thing has the same name in each of these: as a command, as a page, as an operation of the JSON API; in either store.
MIRRORS = ("api/cli/commands", "api/cli/archive_commands", "api/web/pages", "api/web/json_api", "domain/log/postgres")

MODULES_ALLOWED = {"api: run"}


def test_a_class_name_is_defined_once() -> None:
    places: dict[str, list[str]] = defaultdict(list)
    for source in sources():
        for node in source.nodes:
            if isinstance(node, ast.ClassDef):
                places[node.name].append(f"{source.path}:{node.lineno}")
    repeated = {name: f"{name}: {', '.join(found)}" for name, found in places.items() if len(found) > 1}
    assert_only(repeated)


def test_a_module_name_is_used_once_in_a_top_folder() -> None:
    repeated = {}
    for folder in TOP_FOLDERS:
        places: dict[str, list[Source]] = defaultdict(list)
        for source in sources(folder):
            if source.module_name != "__init__":
                places[source.module_name].append(source)
        for name, found in places.items():
            if len([source for source in found if not source.is_in(*MIRRORS)]) > 1:
                repeated[f"{folder}: {name}"] = f"{name}: {', '.join(source.path for source in found)}"
    assert_only(repeated, MODULES_ALLOWED)

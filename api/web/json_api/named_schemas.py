"""Names for the schemas of the OpenAPI document, so that a generated client has one class for each, and not one for each use.

Equal schemas share a name. An object without a title is named after what it belongs to.
"""

from typing import Any

import msgspec

from api.web.json_api.parameters import Schema

REFERENCE = "$ref"
PREFIX = "#/components/schemas/"
# Enumerations of fewer values are no classes of their own.
VALUES_MIN = 2


def pascal_case(name: str) -> str:
    """Return a name such as ``list-calls`` or ``call_id`` as ``ListCalls`` or ``CallId``."""
    return "".join(part[:1].upper() + part[1:] for part in name.replace("_", "-").split("-"))


class NamedSchemas:
    """The schemas that have a name, in the order in which they were met."""

    def __init__(self) -> None:
        """Begin with none."""
        self.schemas: dict[str, Schema] = {}
        self._names: dict[bytes, str] = {}

    def add_parameter(self, name: str, owner: str, schema: Schema) -> Schema:
        """Return the schema of a parameter; an enumeration has the parameter's name, or its operation's with it if that is taken."""
        content = msgspec.json.encode(schema, order="deterministic")
        own = pascal_case(name)
        is_taken = own in self.schemas and self._names.get(content) != own
        return self.add(pascal_case(owner) + own if is_taken or name == "sort" else own, schema)

    def add(self, name: str, schema: Schema) -> Schema:
        """Return a schema in which objects and enumerations are references to named ones; its own name is this, or its title."""
        if "anyOf" in schema:
            return schema | {"anyOf": [self.add(name, each) for each in schema["anyOf"]]}
        if "properties" in schema:
            title = str(schema.get("title") or name)
            inner = {key: self._property(title, key, each) for key, each in schema["properties"].items()}
            return self._reference(title, schema | {"properties": inner})
        if "items" in schema:
            return schema | {"items": self.add(name, schema["items"])}
        if len(schema.get("enum", ())) >= VALUES_MIN:
            return self._reference(name, schema)
        return schema

    def _property(self, owner: str, key: str, schema: Schema) -> Schema:
        found = self.add(owner + pascal_case(key), {part: schema[part] for part in schema if part != "description"})
        return found | ({"description": schema["description"]} if "description" in schema else {})

    def _reference(self, name: str, schema: Schema) -> Schema:
        content = msgspec.json.encode(schema, order="deterministic")
        known = self._names.get(content)
        if known is None:
            number, known = 1, name
            while known in self.schemas:
                number += 1
                known = f"{name}{number}"
            self.schemas[known], self._names[content] = schema, known
        return {REFERENCE: PREFIX + known}


def resolved(document: dict[str, Any], part: Any) -> Any:
    """Return a part of a document with all references to named schemas filled in."""
    if isinstance(part, list):
        return [resolved(document, each) for each in part]
    if not isinstance(part, dict):
        return part
    if REFERENCE in part:
        name = part[REFERENCE].removeprefix(PREFIX)
        beside = {key: value for key, value in part.items() if key != REFERENCE}
        return resolved(document, document["components"]["schemas"][name]) | beside
    return {key: resolved(document, value) for key, value in part.items()}

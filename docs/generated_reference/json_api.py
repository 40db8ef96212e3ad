"""The JSON API, from the OpenAPI document that the service itself serves."""

from typing import Any

from api.web.json_api.named_schemas import resolved
from api.web.json_api.openapi import openapi_document
from api.web.json_api.routes import operations
from generated_reference.markdown import code, table

Schema = dict[str, Any]


def describe() -> str:
    """Return a section for each operation."""
    document = openapi_document(operations())
    paths = resolved(document, document["paths"])
    return "\n".join(
        _section(f"{method.upper()} {path}", operation)
        for path, methods in paths.items()
        for method, operation in methods.items()
    )


def _section(title: str, operation: dict[str, Any]) -> str:
    parts = [f"## {title}", operation["summary"], operation["description"]]
    if operation["parameters"]:
        rows = [_parameter(each) for each in operation["parameters"]]
        parts.append(table(("parameter", "type", "meaning"), rows))
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        parts.append(f"The body is `{media}`:\n\n{_properties(content['schema'])}")
    parts += [_answer(status, answer) for status, answer in operation["responses"].items() if status == "200"]
    refusals = ", ".join(code(status) for status in operation["responses"] if status != "200")
    parts.append(f"Other answers: {refusals}.")
    return "\n\n".join(parts) + "\n"


def _parameter(parameter: dict[str, Any]) -> tuple[str, str, str]:
    needed = " (required)" if parameter["required"] else ""
    return code(parameter["name"]) + needed, type_name(parameter["schema"]), parameter["description"]


def _answer(status: str, answer: dict[str, Any]) -> str:
    kinds = [media for media, content in answer["content"].items() if "schema" not in content]
    if kinds:
        return f"{code(status)} is {' or '.join(code(media) for media in kinds)}."
    schema = next(iter(answer["content"].values()))["schema"]
    item = schema["properties"].get("items", {}).get("items") if "properties" in schema else schema.get("items")
    shown, what = (item, "has `items`, of which each has") if item and "properties" in item else (schema, "has")
    return f"{code(status)} {what}:\n\n{_properties(shown)}" if "properties" in shown else f"{code(status)} is JSON."


def _properties(schema: Schema) -> str:
    rows = [(code(name), type_name(each), each.get("description", "")) for name, each in schema["properties"].items()]
    return table(("field", "type", "meaning"), rows)


def type_name(schema: Schema) -> str:
    """Return a JSON schema's type in words."""
    if "enum" in schema:
        return ", ".join(code(str(each)) for each in schema["enum"])
    kinds = schema.get("type", "any")
    words = " or ".join([kinds] if isinstance(kinds, str) else kinds)
    if words == "array" and "type" in schema.get("items", {}):
        return f"array of {type_name(schema['items'])}"
    return f"{words} ({schema['format']})" if "format" in schema else words

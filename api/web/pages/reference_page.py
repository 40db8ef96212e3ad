"""The reference page of the API, made from the same operations that read requests."""

from collections.abc import Sequence
from functools import cached_property

from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import Response

from api.web.auth.guard import GuardedRoute, Role
from api.web.json_api.openapi import MEANINGS, phrase
from api.web.json_api.operation import ApiOperation
from api.web.json_api.parameters import ApiParameter
from api.web.pages.money import made_markup
from api.web.pages.rendering import environment, render


def routes(operations: Sequence[ApiOperation]) -> list[GuardedRoute]:
    """Return the page."""
    return [GuardedRoute("/reference", ReferencePage(operations), Role.READ, name="reference", records=None)]


class ReferencePage:
    """Answers with the page; what it says of the operations is made once."""

    def __init__(self, operations: Sequence[ApiOperation]) -> None:
        """Describe these operations."""
        tags = dict.fromkeys(each.tag for each in operations)
        self._groups = [(tag, [each for each in operations if each.tag == tag]) for tag in tags]

    @cached_property
    def _described(self) -> Markup:
        template = environment().get_template("reference_operations.html")
        known = {"expected": expected, "in_code": in_code, "meanings": MEANINGS, "phrase": phrase}
        return made_markup(template.render(groups=self._groups, **known))

    def __call__(self, request: Request) -> Response:
        """Return the page."""
        return render(request, "reference.html", described=self._described)


def expected(parameter: ApiParameter) -> str:
    """Return what values of a parameter may be."""
    schema = parameter.schema
    parts = [str(schema["type"])]
    if "enum" in schema:
        parts.append("one of " + ", ".join(schema["enum"]))
    parts += [
        f"{name} {schema[name]}" for name in ("minimum", "maximum", "maxLength", "default", "pattern") if name in schema
    ]
    if "examples" in schema:
        parts.append("such as " + ", ".join(schema["examples"]))
    return "; ".join(parts)


def in_code(text: str) -> Markup:
    """Return a sentence as markup; text between backticks becomes code."""
    parts = str(escape(text)).split("`")
    return made_markup("".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts)))
